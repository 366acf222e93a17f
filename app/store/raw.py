"""Statements for the hot path: written once with named parameters, run with each driver's own placeholders.

SQLAlchemy's text() costs more than SQLite's work for a small row (bench/record.py); its connections and
transactions are used as they are.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult
from sqlmodel import Session

NAME = re.compile(r":([a-z_0-9]+)")


class Raw:
    """One statement with `:name` parameters. It must have no other colon, question mark or percent sign."""

    def __init__(self, statement: str) -> None:
        self._names: Sequence[str] = NAME.findall(statement)
        self._by_dialect = {"sqlite": NAME.sub("?", statement), "postgresql": NAME.sub("%s", statement)}

    def run(self, session: Session, row: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it in the session's transaction with the values that it names."""
        connection = session.connection()
        return connection.exec_driver_sql(
            self._by_dialect[connection.dialect.name], tuple([row[name] for name in self._names])
        )


def insert(table: str, columns: Sequence[str], rest: str = "ON CONFLICT DO NOTHING") -> Raw:
    """An INSERT of one row with a parameter for each column; the names are ours."""
    values = ", ".join(f":{column}" for column in columns)
    return Raw(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values}) {rest}")  # noqa: S608

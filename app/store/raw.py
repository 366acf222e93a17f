"""Statements for the hot path: written once with named parameters, run by the driver within the session's transaction.

SQLAlchemy's own execution costs more than SQLite's work for a small row (bench/record.py). What the driver raises
rises as it is.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine.interfaces import DBAPICursor
from sqlmodel import Session

NAME = re.compile(r":([a-z_0-9]+)")


class Raw:
    """One statement with `:name` parameters. It must have no other colon, question mark or percent sign."""

    def __init__(self, statement: str) -> None:
        self._names: Sequence[str] = NAME.findall(statement)
        self._by_mark = {mark: NAME.sub(mark, statement) for mark in ("?", "%s")}

    def run(self, session: Session, row: Mapping[str, Any]) -> DBAPICursor:
        """Run it with the values that it names; rows are tuples."""
        return execute(session, self._by_mark[mark_of(session)], [row[name] for name in self._names])


def execute(session: Session, statement: str, values: Sequence[Any]) -> DBAPICursor:
    """Run a statement in the driver's own words."""
    cursor: DBAPICursor = _driver(session)[1].cursor()
    cursor.execute(statement, values)
    return cursor


def _driver(session: Session) -> tuple[str, Any]:
    """The mark and the driver's connection of a session's transaction, looked up once: a session here has only one."""
    known: tuple[str, Any] | None = session.info.get("driver")
    if known is None:
        connection = session.connection()
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        known = session.info["driver"] = mark, connection.connection
    return known


def one(cursor: DBAPICursor) -> tuple[Any, ...]:
    """The row of a statement that gives exactly one."""
    (row,) = cursor.fetchall()
    return tuple(row)


def mark_of(session: Session) -> str:
    """How the driver writes the place of a value."""
    return _driver(session)[0]


def insert(table: str, columns: Sequence[str], rest: str = "ON CONFLICT DO NOTHING") -> Raw:
    """An INSERT of one row with a parameter for each column; the names are ours."""
    values = ", ".join(f":{column}" for column in columns)
    return Raw(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values}) {rest}")  # noqa: S608

"""Statements for the hot path: written once with named parameters, run by the driver within the caller's transaction.

SQLAlchemy's own execution costs more than SQLite's work for a small row (bench/record.py). What the driver raises
rises as it is.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine.interfaces import DBAPICursor
from sqlmodel import Session

NAME = re.compile(r":([a-z_0-9]+)")
VALUES = re.compile(r"VALUES (\(.*\))$", re.MULTILINE)
# SQLite's driver gives up Python's lock at every step, and has to win it back from the server's thread: many rows a
# step. With no more sizes than this the driver keeps its prepared statements.
MOST_ROWS_A_STEP = 32


class Raw:
    """One statement with `:name` parameters. It must have no other colon, question mark or percent sign.

    One that is run for many rows has a single group of values, which ends its line, and no parameters behind it.
    """

    def __init__(self, statement: str) -> None:
        self._names: Sequence[str] = NAME.findall(statement)
        self._by_mark = {mark: NAME.sub(mark, statement) for mark in ("?", "%s")}
        self._by_rows: dict[int, str] = {}

    def run(self, session: Session, row: Mapping[str, Any]) -> DBAPICursor:
        """Run it with the values that it names; rows are tuples."""
        cursor, mark = _cursor(session)
        return self.run_by(cursor, mark, row)

    def run_all(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run an INSERT for all rows."""
        cursor, mark = _cursor(session)
        self.run_all_by(cursor, mark, rows)

    def run_by(self, cursor: DBAPICursor, mark: str, row: Mapping[str, Any]) -> DBAPICursor:
        """As `run`, on the driver's own cursor, which writes the place of a value as `mark`."""
        cursor.execute(self._by_mark[mark], [row[name] for name in self._names])
        return cursor

    def run_all_by(self, cursor: DBAPICursor, mark: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """As `run_all`, on the driver's own cursor."""
        if mark != "?":
            cursor.executemany(self._by_mark[mark], [[row[name] for name in self._names] for row in rows])
            return
        for done in range(0, len(rows), MOST_ROWS_A_STEP):
            step = rows[done : done + MOST_ROWS_A_STEP]
            cursor.execute(self._for_rows(len(step)), [row[name] for row in step for name in self._names])

    def _for_rows(self, rows: int) -> str:
        if rows not in self._by_rows:
            head, group, tail = VALUES.split(self._by_mark["?"], maxsplit=1)
            self._by_rows[rows] = f"{head}VALUES {', '.join([group] * rows)}{tail}"
        return self._by_rows[rows]


def execute(session: Session, statement: str, values: Sequence[Any] = ()) -> DBAPICursor:
    """Run a statement in the driver's own words."""
    cursor, _ = _cursor(session)
    cursor.execute(statement, values)
    return cursor


def _cursor(session: Session) -> tuple[DBAPICursor, str]:
    mark, connection = _driver(session)
    return connection.cursor(), mark


def _driver(session: Session) -> tuple[str, Any]:
    """The mark and the driver's connection of a session's transaction, looked up once: a session here has only one."""
    known: tuple[str, Any] | None = session.info.get("driver")
    if known is None:
        connection = session.connection()
        known = session.info["driver"] = mark_for(connection.dialect.name), connection.connection
    return known


def one(cursor: DBAPICursor) -> tuple[Any, ...]:
    """The row of a statement that gives exactly one."""
    (row,) = cursor.fetchall()
    return tuple(row)


def mark_of(session: Session) -> str:
    """How the driver writes the place of a value."""
    return _driver(session)[0]


def mark_for(dialect: str) -> str:
    """The same, by the dialect's name."""
    return "?" if dialect == "sqlite" else "%s"


def insert(table: str, columns: Sequence[str], rest: str = "ON CONFLICT DO NOTHING") -> Raw:
    """An INSERT of one row with a parameter for each column; the names are ours."""
    values = ", ".join(f":{column}" for column in columns)
    return Raw(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values}) {rest}")  # noqa: S608

"""Many rows through one statement at the speed of the driver: SQLAlchemy's care would cost more than the row."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, TextClause

Rows = Sequence[Mapping[str, Any]]


def execute_all(connection: Connection, statement: TextClause, rows: Rows) -> None:
    """Execute a module's `text` statement once for each row of named values, with the driver's executemany."""
    sql, places = _compiled(statement, connection.dialect)
    if places is None:
        connection.exec_driver_sql(sql, [dict(row) for row in rows])
    else:
        connection.exec_driver_sql(sql, [tuple(row[name] for name in places) for row in rows])


@cache
def _compiled(statement: TextClause, dialect: Dialect) -> tuple[str, Sequence[str] | None]:
    """The SQL in the driver's own style, and the order of the values where it takes them by position."""
    compiled = statement.compile(dialect=dialect)
    return str(compiled), compiled.positiontup if compiled.positional else None

"""A part of a transaction that can be undone alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlmodel import Session


@contextmanager
def savepoint(session: Session) -> Iterator[Callable[[], None]]:
    """A savepoint around the block, which gets a function that undoes it. An exception leaves it to the transaction.

    In raw statements: SQLAlchemy's nested transactions cost as much as writing a hundred rows.
    """
    connection = session.connection()
    connection.exec_driver_sql("SAVEPOINT part")

    def undo() -> None:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT part")
        session.expunge_all()

    yield undo
    connection.exec_driver_sql("RELEASE SAVEPOINT part")

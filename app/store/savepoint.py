"""A part of a transaction that can be undone alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlmodel import Session

from app.store.raw import execute


@contextmanager
def savepoint(session: Session) -> Iterator[Callable[[], None]]:
    """A savepoint around the block, which gets a function that undoes it. An exception leaves it to the transaction.

    In raw statements: SQLAlchemy's nested transactions cost as much as writing a hundred rows.
    """
    execute(session, "SAVEPOINT part")

    def undo() -> None:
        execute(session, "ROLLBACK TO SAVEPOINT part")
        session.expunge_all()

    yield undo
    execute(session, "RELEASE SAVEPOINT part")

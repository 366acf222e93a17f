"""What the tables hold, for tests."""

from typing import TypeVar

from sqlmodel import SQLModel, select

from app.store.database import Database
from app.store.tables import Balance, LedgerEntry, ModelCallRow

Row = TypeVar("Row", bound=SQLModel)


def everything(database: Database, table: type[Row]) -> list[Row]:
    with database.reading() as session:
        return list(session.exec(select(table)))


def check_books(database: Database) -> int:
    """Every transaction sums to zero, balances are the entries' sums, and usage is what calls cost; returns that."""
    entries = everything(database, LedgerEntry)
    for transaction in {entry.transaction_id for entry in entries}:
        assert sum(e.amount_nano_usd for e in entries if e.transaction_id == transaction) == 0
    sums: dict[tuple[int, int, str, int, int], int] = {}
    for e in entries:
        place = e.account_id, e.repository_id, e.book, e.number, e.month
        sums[place] = sums.get(place, 0) + e.amount_nano_usd
    balances = everything(database, Balance)
    kept = {(b.account_id, b.repository_id, b.book, b.number, b.month): b.amount_nano_usd for b in balances}
    assert kept == sums
    cost = sum(call.cost_nano_usd or 0 for call in everything(database, ModelCallRow))
    assert sum(e.amount_nano_usd for e in entries if e.book == "usage") == -cost
    assert sum(e.amount_nano_usd for e in entries if e.book != "usage") == cost
    return cost

"""What the tables hold, for tests."""

import json
from typing import TypeVar

from sqlmodel import SQLModel, select

from app.store.database import Database
from app.store.tables import AgentRun, Balance, LedgerEntry, ModelCallRow

Row = TypeVar("Row", bound=SQLModel)


def everything(database: Database, table: type[Row]) -> list[Row]:
    with database.reading() as session:
        return list(session.exec(select(table)))


def check_books(database: Database) -> int:
    """Every transaction sums to zero, balances are the entries' sums, and usage is what calls cost; returns that.

    Agent runs say of each model what its calls cost.
    """
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
    calls = everything(database, ModelCallRow)
    told = {run.id: json.loads(run.models) for run in everything(database, AgentRun)}
    by_model: dict[str, dict[str, int]] = {run: {} for run in told}
    for call in calls:
        own = by_model[call.agent_run_id]
        own[call.model] = own.get(call.model, 0) + (call.cost_nano_usd or 0)
    assert told == by_model
    cost = sum(call.cost_nano_usd or 0 for call in calls)
    assert sum(e.amount_nano_usd for e in entries if e.book == "usage") == -cost
    assert sum(e.amount_nano_usd for e in entries if e.book != "usage") == cost
    return cost

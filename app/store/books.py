"""The ledger's tables: entries are only ever added, and the balances move with them in the same transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, select

from app.core.facts import AgentRunKey
from app.core.ledger import Book, Entry, Place, usage_entries
from app.core.money import NanoUsd
from app.core.month import Month
from app.store.keys import new_key, us
from app.store.raw import Raw
from app.store.rollups import mark
from app.store.tables import Balance

ADD_ENTRY = Raw(
    "INSERT INTO ledger_entry (id, account_id, transaction_id, book, repository_id, number, agent_run_id, month,"
    " amount_nano_usd, reason, posted_at_us) VALUES (:id, :account_id, :transaction_id, :book, :repository_id,"
    " :number, :agent_run_id, :month, :amount, :reason, :posted_at_us)"
)
ADD_TO_BALANCE = Raw(
    "INSERT INTO balance (account_id, repository_id, book, number, month, amount_nano_usd)"
    " VALUES (:account_id, :repository_id, :book, :number, :month, :amount)"
    " ON CONFLICT (account_id, repository_id, book, number, month)"
    " DO UPDATE SET amount_nano_usd = balance.amount_nano_usd + excluded.amount_nano_usd"
)

HOLDING = text(
    "SELECT book, number, repository_id, month, SUM(amount_nano_usd) FROM ledger_entry"
    " WHERE account_id = :account_id AND agent_run_id = :agent_run_id GROUP BY book, number, repository_id, month"
)


def post(session: Session, run: AgentRunKey, entries: Sequence[Entry], reason: str, now: datetime) -> None:
    """Add one transaction. No entries is no transaction; entries that do not sum to zero raise ValueError."""
    if off := sum(entry.amount for entry in entries):
        raise ValueError(f"a transaction must sum to zero, this one is off by {off} nano-USD")
    if not entries:
        return
    transaction_id = new_key()
    # Balances are locked in one order everywhere, so that two transactions never wait for each other.
    rows = [
        {
            "id": new_key(),
            "account_id": run.account_id,
            "transaction_id": transaction_id,
            "book": entry.place.book.value,
            "repository_id": entry.place.repository_id or run.repository_id,
            "number": entry.place.number,
            "agent_run_id": run.agent_run_id,
            "month": int(entry.month),
            "amount": entry.amount,
            "reason": reason,
            "posted_at_us": us(now),
        }
        for entry in sorted(entries, key=lambda entry: (entry.place, entry.month))
    ]
    for row in rows:
        ADD_ENTRY.run(session, row)
        ADD_TO_BALANCE.run(session, row)
    for repository_id in {run.repository_id, *(entry.place.repository_id or run.repository_id for entry in entries)}:
        mark(session, run.account_id, repository_id)


def post_usage(session: Session, run: AgentRunKey, by_month: Mapping[Month, NanoUsd], now: datetime) -> None:
    """Let an agent run's charges enter the books, as unattributed."""
    post(session, run, usage_entries(by_month), "recorded", now)


def holding(session: Session, run: AgentRunKey) -> dict[tuple[Place, Month], NanoUsd]:
    """Where an agent run's cost sits now, by place and charge month, from its entries; places at zero are left out."""
    rows = session.connection().execute(HOLDING, {"account_id": run.account_id, "agent_run_id": run.agent_run_id})
    return {
        (Place(Book(book), number, elsewhere(repository_id, run.repository_id)), Month.from_int(month)): NanoUsd(
            int(total)
        )
        for book, number, repository_id, month, total in rows
        if total
    }


def elsewhere(repository_id: int, home_id: int) -> int:
    """A pull's repository as places tell it: 0 where it is the one in which the agent ran."""
    return 0 if repository_id == home_id else repository_id


def balances(session: Session, account_id: int, repository_id: int | None = None) -> list[Balance]:
    """All balances of an account, or of one of its repositories."""
    query = select(Balance).where(Balance.account_id == account_id)
    if repository_id is not None:
        query = query.where(Balance.repository_id == repository_id)
    return list(session.exec(query))

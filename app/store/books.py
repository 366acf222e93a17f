"""The ledger's tables: entries are only ever added, and the balances move with them in the same transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, select

from app.core.facts import AgentRunKey
from app.core.ledger import Book, Entry, Place, usage_entries
from app.core.money import NanoUsd
from app.core.month import Month
from app.store.keys import new_key, us
from app.store.raw import Raw, execute, mark_of
from app.store.rollups import mark
from app.store.tables import Balance

ADD_ENTRY = Raw(
    "INSERT INTO ledger_entry (account_id, transaction_id, book, repository_id, number, agent_run_id, month,"
    " amount_nano_usd, reason, posted_at_us) VALUES (:account_id, :transaction_id, :book, :repository_id,"
    " :number, :agent_run_id, :month, :amount, :reason, :posted_at_us)"
)
ADD_TO_BALANCE = Raw(
    "INSERT INTO balance (account_id, repository_id, book, number, month, amount_nano_usd)"
    " VALUES (:account_id, :repository_id, :book, :number, :month, :amount)"
    " ON CONFLICT (account_id, repository_id, book, number, month)"
    " DO UPDATE SET amount_nano_usd = balance.amount_nano_usd + excluded.amount_nano_usd"
)

# Summed here and not by GROUP BY: for that SQLite would take the index of the books, and read all of the account's.
ENTRIES_OF_RUN = text(
    "SELECT book, number, repository_id, month, amount_nano_usd FROM ledger_entry"
    " WHERE account_id = :account_id AND agent_run_id = :agent_run_id"
)


def post(session: Session, run: AgentRunKey, entries: Sequence[Entry], reason: str, now: datetime) -> None:
    """Add one transaction. No entries is no transaction; entries that do not sum to zero raise ValueError."""
    if off := sum(entry.amount for entry in entries):
        raise ValueError(f"a transaction must sum to zero, this one is off by {off} nano-USD")
    if not entries:
        return
    lock_books(session, run.account_id, shared=True)
    transaction_id = new_key()
    # Balances are locked in one order everywhere, so that two transactions never wait for each other.
    rows = [
        {
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


def lock_books(session: Session, account_id: int, *, shared: bool) -> None:
    """Until the transaction ends: no month of an account begins to close while entries are being written.

    So every entry that a closing month does not see has a higher id than those it sees. SQLite has one writer anyway.
    """
    if mark_of(session) != "?":
        kind = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        execute(session, f"SELECT {kind}(hashtextextended('books', %s))", [account_id])


def post_usage(session: Session, run: AgentRunKey, by_month: Mapping[Month, NanoUsd], now: datetime) -> None:
    """Let an agent run's charges enter the books, as unattributed."""
    post(session, run, usage_entries(by_month), "recorded", now)


def holding(session: Session, run: AgentRunKey) -> dict[tuple[Place, Month], NanoUsd]:
    """Where an agent run's cost sits now, by place and charge month, from its entries; places at zero are left out."""
    values = {"account_id": run.account_id, "agent_run_id": run.agent_run_id}
    held = Counter[tuple[str, int, int, int]]()
    for book, number, repository_id, month, amount in session.connection().execute(ENTRIES_OF_RUN, values):
        held[book, number, repository_id, month] += amount
    return {
        (Place(Book(book), number, elsewhere(repository_id, run.repository_id)), Month.from_int(month)): NanoUsd(total)
        for (book, number, repository_id, month), total in sorted(held.items())
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

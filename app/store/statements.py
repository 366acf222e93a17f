"""Statements as they were issued, in one chain for each account; what happened to each. Documents are written once.

All functions work within the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session, col, select

from app.core.chargeback.periods import FOLLOWS, StatementState
from app.core.chargeback.statement import Statement, digest, linked, parsed
from app.core.month import Month
from app.store.chargeback_tables import StatementEvent, StatementRow
from app.store.compressed import compressed, decompressed
from app.store.keys import new_key, us


class WrongStateError(Exception):
    """What was asked cannot follow the state of a statement."""


def statements_of(session: Session, account_id: int, month: Month | None = None) -> list[StatementRow]:
    """All versions of an account's statements, or of one month's, in the order of the chain."""
    query = select(StatementRow).where(StatementRow.account_id == account_id).order_by(col(StatementRow.link))
    if month is not None:
        query = query.where(StatementRow.month == int(month))
    return list(session.exec(query))


def newest_statements(session: Session, account_id: int, month: Month) -> list[StatementRow]:
    """The version in force of each of a month's statements, by number."""
    by_number = {row.number: row for row in statements_of(session, account_id, month)}
    return [row for _, row in sorted(by_number.items())]


def statement_numbered(
    session: Session, account_id: int, number: str, version: int | None = None
) -> StatementRow | None:
    """A statement by its number: the version in force, or the one that is asked."""
    query = select(StatementRow).where(StatementRow.account_id == account_id, StatementRow.number == number)
    if version is not None:
        query = query.where(StatementRow.version == version)
    return session.exec(query.order_by(col(StatementRow.version).desc())).first()


def statement_in_force(session: Session, account_id: int, month: Month, cost_center: str) -> StatementRow | None:
    """The newest version of a cost center's statement for a month."""
    query = select(StatementRow).where(
        StatementRow.account_id == account_id,
        StatementRow.month == int(month),
        StatementRow.cost_center == cost_center,
    )
    return session.exec(query.order_by(col(StatementRow.version).desc())).first()


def document_of(row: StatementRow) -> Statement:
    """What a row's document says."""
    return parsed(decompressed(row.document))


def last_link(session: Session, account_id: int) -> tuple[int, str]:
    """The last place of an account's chain and its hash; 0 and "" for an empty one."""
    query = select(StatementRow.link, StatementRow.sha256).where(StatementRow.account_id == account_id)
    found = session.exec(query.order_by(col(StatementRow.link).desc()).limit(1)).first()
    return found or (0, "")


class Document(NamedTuple):
    """A statement's document as it is kept, with the hashes of what was written and of what is kept."""

    sha256: str
    kept: bytes
    kept_sha256: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """Statements with their documents, to be put behind a link of the chain."""

    link: int
    previous_sha256: str
    made: Sequence[tuple[Statement, Document]]


def prepare(session: Session, account_id: int, statements: Sequence[Statement]) -> Prepared:
    """Write the documents of statements that will be issued: nobody need wait for that."""
    link, previous = last_link(session, account_id)
    made = [(statement, _document(written)) for statement, written in linked(statements, previous)]
    return Prepared(link, previous, made)


def _document(written: bytes) -> Document:
    kept = compressed(written)
    return Document(digest(written), kept, digest(kept))


def issue(session: Session, statements: Sequence[Statement], source: str, now: datetime) -> list[StatementRow]:
    """Put statements at the end of their account's chain, in their order. `now` is when it happens, not in them."""
    if not statements:
        return []
    return issue_prepared(session, prepare(session, statements[0].account_id, statements), source, now)


def issue_prepared(session: Session, prepared: Prepared, source: str, now: datetime) -> list[StatementRow]:
    """The same of documents that are written already; they are written anew where the chain has grown meanwhile."""
    if not prepared.made:
        return []
    account_id = prepared.made[0][0].account_id
    if last_link(session, account_id) != (prepared.link, prepared.previous_sha256):
        prepared = prepare(session, account_id, [statement for statement, _ in prepared.made])
    rows = []
    for link, (statement, document) in enumerate(prepared.made, prepared.link + 1):
        row = StatementRow(
            account_id=statement.account_id,
            month=int(statement.month),
            cost_center=statement.cost_center,
            version=statement.version,
            number=statement.number,
            link=link,
            state=StatementState.ISSUED.value,
            chargeback=statement.chargeback,
            total_nano_usd=statement.total,
            total_cents=statement.total_cents,
            document=document.kept,
            sha256=document.sha256,
            kept_sha256=document.kept_sha256,
            previous_sha256=statement.previous_sha256,
            issued_at_us=us(statement.issued_at),
            state_at_us=us(now),
        )
        session.add(row)
        session.flush()
        note(session, row, "issued", source, now)
        rows.append(row)
    return rows


def settle(
    session: Session,
    row: StatementRow,
    state: StatementState,
    source: str,
    now: datetime,
    *,
    user_id: int = 0,
    login: str = "",
    reason: str = "",
) -> None:
    """Let a statement's next state begin. Raises WrongStateError where it cannot follow."""
    held = session.get(StatementRow, _key(row), with_for_update=True, populate_existing=True)
    if held is None or state not in FOLLOWS[StatementState(held.state)]:
        now_is = "gone" if held is None else held.state
        raise WrongStateError(f"Statement {row.number} v{row.version} is {now_is}; it cannot become {state.value} now.")
    event = "reversed" if held.state == StatementState.POSTED.value else EVENTS.get(state, state.value)
    held.state, held.state_at_us = state.value, us(now)
    session.add(held)
    session.flush()
    note(session, held, event, source, now, user_id=user_id, login=login, reason=reason)


EVENTS = {StatementState.REPLACED: "resolved"}


def note(
    session: Session,
    row: StatementRow,
    event: str,
    source: str,
    now: datetime,
    *,
    user_id: int = 0,
    login: str = "",
    reason: str = "",
) -> None:
    """Keep what happened to a statement."""
    session.add(
        StatementEvent(
            id=new_key(),
            account_id=row.account_id,
            month=row.month,
            cost_center=row.cost_center,
            version=row.version,
            event=event,
            user_id=user_id,
            login=login,
            reason=reason,
            source=source,
            at_us=us(now),
        )
    )
    session.flush()


def events_of(session: Session, row: StatementRow) -> list[StatementEvent]:
    """What happened to a statement, all versions, in order."""
    query = select(StatementEvent).where(
        StatementEvent.account_id == row.account_id,
        StatementEvent.month == row.month,
        StatementEvent.cost_center == row.cost_center,
    )
    return list(session.exec(query.order_by(col(StatementEvent.id))))


def all_events(session: Session, account_id: int) -> dict[tuple[int, str], list[StatementEvent]]:
    """The same of all statements of an account, by month and cost center."""
    query = select(StatementEvent).where(StatementEvent.account_id == account_id).order_by(col(StatementEvent.id))
    found: dict[tuple[int, str], list[StatementEvent]] = {}
    for event in session.exec(query):
        found.setdefault((event.month, event.cost_center), []).append(event)
    return found


def open_statements(session: Session, account_id: int) -> list[StatementRow]:
    """Statements in force that nobody has accepted or disputed yet."""
    query = select(StatementRow).where(
        StatementRow.account_id == account_id, StatementRow.state == StatementState.ISSUED.value
    )
    return list(session.exec(query.order_by(col(StatementRow.link))))


def _key(row: StatementRow) -> tuple[int, int, str, int]:
    return row.account_id, row.month, row.cost_center, row.version

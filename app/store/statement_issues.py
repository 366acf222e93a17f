"""Statements as they stand on GitHub: which issue is whose, when each version was shown, the jobs about it.

All functions work within the caller's transaction.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.core.chargeback.decisions import COMMAND_LINE, Standing, told_text
from app.core.chargeback.periods import StatementState
from app.core.config import Config
from app.core.month import Month
from app.core.report.marker import Kind, marker
from app.core.report.statement import paper
from app.core.report.statement.paper import SCHEDULE
from app.store.chargeback_tables import StatementEvent, StatementRow
from app.store.effect_tables import HAS_PLACE, Effect
from app.store.effects import effect_of
from app.store.keys import instant, us
from app.store.queue import NewJob
from app.store.statements import EVENTS, events_of, open_statements, statement_numbered

ISSUE = "statement:"
TRIED_FOR = timedelta(days=60)
SHOWN, CLOSED, REMINDED = "statement-shown", "statement-closed", "statement-reminded"


def issue_key(number: str) -> str:
    """Of the effect that is a statement's issue: one for all its versions."""
    return f"{ISSUE}{number}"


def effect_in(session: Session, account_id: int, key: str) -> Effect:
    """What is kept under a key, else an intent that nobody has written yet."""
    return effect_of(session, account_id, key) or Effect(
        account_id=account_id, key=key, state="intent", updated_at_us=0
    )


def version_effect(session: Session, row: StatementRow, kind: str, more: str = "") -> Effect:
    """Of something that is done once for a version: SHOWN, CLOSED, or REMINDED with its number of days."""
    return effect_in(session, row.account_id, f"{kind}:{row.number}:v{row.version}{more and f':{more}'}")


def statement_on(session: Session, account_id: int, repository_id: int, issue: int) -> str | None:
    """The number of the statement whose issue that is; None for any other issue."""
    query = select(Effect.key).where(
        Effect.account_id == account_id,
        col(Effect.key).startswith(ISSUE),
        Effect.repository_id == repository_id,
        Effect.github_id == issue,
        HAS_PLACE,
    )
    found = session.exec(query).first()
    return None if found is None else found.removeprefix(ISSUE)


def may_become_one(session: Session, account_id: int, repository_id: int, since: datetime) -> bool:
    """Whether an issue there may be a statement's whose number was not noted yet: whoever made it died, or waits."""
    query = select(Effect.key).where(
        Effect.account_id == account_id,
        col(Effect.key).startswith(ISSUE),
        Effect.repository_id == repository_id,
        col(Effect.github_id).is_(None),
        Effect.state == "intent",
        Effect.updated_at_us >= us(since),
        HAS_PLACE,
    )
    return session.exec(query).first() is not None


def refused_issues(session: Session, account_id: int) -> list[Effect]:
    """The statements that are not on GitHub because GitHub or the place does not allow it; `note` says why."""
    query = select(Effect).where(
        Effect.account_id == account_id, col(Effect.key).startswith(ISSUE), Effect.state == "refused"
    )
    return list(session.exec(query.order_by(col(Effect.key))))


def held(session: Session, account_id: int, number: str) -> StatementRow | None:
    """The version in force of a statement, which nobody else changes until the transaction ends."""
    while (row := statement_numbered(session, account_id, number)) is not None:
        key = (account_id, row.month, row.cost_center, row.version)
        session.get(StatementRow, key, with_for_update=True, populate_existing=True)
        newest = statement_numbered(session, account_id, number)
        if newest is not None and newest.version == row.version:  # else the next one came while we waited
            return row
    return None


def shown_at(session: Session, row: StatementRow) -> datetime | None:
    """When a version was put on its issue; None while it is not there."""
    effect = version_effect(session, row, SHOWN)
    return instant(effect.updated_at_us) if effect.state == "written" else None


def standing(session: Session, row: StatementRow, config: Config) -> Standing:
    """How a statement stands for whoever wants to decide on it now."""
    terms = config.chargeback
    center = terms.centers.get(row.cost_center)
    event = last_event(session, row)
    at = instant(event.at_us) if event is not None else None
    told = told_text(event.login, event.source, at, terms.close.time_zone) if event and at else ""
    owners = center.owners if center is not None else ()
    state = StatementState(row.state)
    return Standing(row.number, row.version, state, owners, shown_at(session, row), told)


def last_event(session: Session, row: StatementRow) -> StatementEvent | None:
    """What brought a version into its present state."""
    return _last(session, row, EVENTS.get(StatementState(row.state), row.state))


def _last(session: Session, row: StatementRow, name: str) -> StatementEvent | None:
    found = [event for event in events_of(session, row) if (event.version, event.event) == (row.version, name)]
    return found[-1] if found else None


def who(event: StatementEvent) -> str:
    """Whose doing it was, on paper."""
    if event.source == SCHEDULE:
        return SCHEDULE
    return f"{event.login} ({COMMAND_LINE})" if event.source == COMMAND_LINE else event.login


def on_paper(session: Session, row: StatementRow) -> paper.Standing:
    """How a version stands, as its pages say it."""
    state, event = StatementState(row.state), last_event(session, row)
    if event is None or state is StatementState.ISSUED:
        return paper.Standing(state)
    accepted = _last(session, row, StatementState.ACCEPTED.value) if state is StatementState.POSTED else None
    before = (who(accepted), instant(accepted.at_us)) if accepted is not None else None
    return paper.Standing(state, who(event), instant(event.at_us), event.reason, accepted=before)


def is_decided_by(session: Session, row: StatementRow, source: str) -> bool:
    """Whether what a source said is written down already."""
    return any(event.source == source for event in events_of(session, row))


def other_id(session: Session, account_id: int, login: str, user_id: int) -> int | None:
    """The id under which a login decided the last time on any statement of the account, if it was another account.

    An operator's word in its name says that it is known whose the login is now.
    """
    query = select(StatementEvent.login, StatementEvent.user_id).where(
        StatementEvent.account_id == account_id, StatementEvent.login != ""
    )
    known = [
        each for name, each in session.exec(query.order_by(col(StatementEvent.id))) if name.lower() == login.lower()
    ]
    return known[-1] if known and known[-1] not in (0, user_id) else None


# ---- jobs and marks -------------------------------------------------------------------------------------------------


def statement_lane(account_id: int, number: str) -> str:
    return f"{account_id}/statement/{number}"


def statement_job(row: StatementRow, due: datetime, kind: str = "statement") -> NewJob:
    """Have a statement's issue made, or brought up to what is in force. "statement-days": look at its deadlines."""
    args = {"month": str(Month.from_int(row.month)), "cost_center": row.cost_center, "version": row.version}
    lane = statement_lane(row.account_id, row.number)
    return NewJob(row.account_id, lane, kind, f"{kind}/{row.number}", args, due)


def daily_jobs(session: Session, accounts: Sequence[int], due: datetime) -> list[NewJob]:
    """For each statement that waits for an answer, its issue and its deadlines; for others, what was refused."""
    jobs: list[NewJob] = []
    for account_id in accounts:
        waiting = open_statements(session, account_id)
        jobs += [statement_job(row, due, kind) for row in waiting for kind in ("statement", "statement-days")]
        numbers = [effect.key.removeprefix(ISSUE) for effect in refused_issues(session, account_id)]
        refused = [statement_numbered(session, account_id, number) for number in numbers]
        jobs += [statement_job(row, due) for row in refused if row is not None and _is_worth_it(row, due)]
    return jobs


def _is_worth_it(row: StatementRow, now: datetime) -> bool:
    """Whether a statement that waits for nobody's answer is tried again: people may still look at it."""
    return row.state != StatementState.ISSUED.value and row.state_at_us >= us(now - TRIED_FOR)


def issue_mark(row: StatementRow) -> str:
    return marker(Kind.STATEMENT, *_target(row))


def notice_mark(row: StatementRow, days: int = 0) -> str:
    return marker(Kind.NOTICE, *_target(row), row.version, days)


def _target(row: StatementRow) -> tuple[int, int, int]:
    return row.account_id, row.month, int(row.number.rpartition("-")[2])

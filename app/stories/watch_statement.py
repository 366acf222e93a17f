"""What the days do to a statement that waits for an answer: owners are reminded, and in the end silence is consent.

Days count from when the version stood on its issue, in the configuration's time zone; weekends are days as well.
What is disputed is never accepted by the clock, and nothing is that its owners could not see.
"""

import logging
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from app.core.chargeback.decisions import counts_as_accepted, last_day, reminders_due, silence_text
from app.core.chargeback.periods import StatementState
from app.core.chargeback.terms import CloseTerms
from app.core.config import Config
from app.core.month import Month
from app.core.report.statement.paper import SCHEDULE
from app.core.report.statement_notices import reminder
from app.store.accounts import repository_of
from app.store.chargeback_tables import StatementRow
from app.store.configs import config_in_force
from app.store.effects import effect_of, once
from app.store.keys import instant
from app.store.queue import Job, enqueue
from app.store.statement_issues import (
    REMINDED,
    effect_in,
    held,
    issue_key,
    notice_mark,
    shown_at,
    standing,
    statement_job,
    version_effect,
)
from app.store.statements import note, settle, statement_in_force
from app.world import World

log = logging.getLogger(__name__)


def watch(job: Job, world: World) -> None:
    """Accept a statement whose deadline has passed, or remind its owners when that is due."""
    account_id, month, center = job.account_id, Month.parse(str(job.args["month"])), str(job.args["cost_center"])
    now = world.now()
    with world.db.transaction() as session:
        newest = statement_in_force(session, account_id, month, center)
        row = held(session, account_id, newest.number) if newest is not None else None
        if row is None or row.state != StatementState.ISSUED.value:
            return
        config = config_in_force(session, account_id)
        terms, since = config.chargeback.close, _since(session, row, config)
        if since is None or not standing(session, row, config).owners:  # nobody was asked, so nobody consents
            return
        if counts_as_accepted(terms, since, now):
            settle(session, row, StatementState.ACCEPTED, SCHEDULE, now, reason=silence_text(terms))
            enqueue(session, statement_job(row, now), now)
            return
    _remind(world, row, config, since)


def _since(session: Session, row: StatementRow, config: Config) -> datetime | None:
    """When the days began; None while its owners cannot see it.

    Without a repository for statements an operator hands them out, and they count from when they were issued.
    """
    if not config.chargeback.close.repository and effect_of(session, row.account_id, issue_key(row.number)) is None:
        return instant(row.issued_at_us)
    return shown_at(session, row)


def _remind(world: World, row: StatementRow, config: Config, since: datetime) -> None:
    """One comment that mentions the owners, for each number of days and version."""
    terms = config.chargeback.close
    days = reminders_due(terms, since, world.now())
    if days is None:
        return
    with world.db.reading() as session:
        issue = effect_in(session, row.account_id, issue_key(row.number))
        effect = version_effect(session, row, REMINDED, str(days))
        place = repository_of(session, row.account_id, issue.repository_id)
        owners = standing(session, row, config).owners
    if effect.state == "written" or place is None or issue.state != "written" or not owners:
        return
    github = world.client(row.account_id)
    if github is None:
        return
    mark = notice_mark(row, days)
    text = f"{_text(row, terms, owners, since)}\n\n{mark}"
    where = place.owner, place.name, issue.github_id or 0
    effect.location = f"{place.owner}/{place.name}#{where[2]}"

    def say() -> int | None:
        return github.put_comment(*where, text, mark, None).id

    def also(session: Session) -> None:
        note(session, row, "reminded", SCHEDULE, world.now(), reason=f"after {days} days")

    once(world.db, effect, say, world.now(), also)


def _text(row: StatementRow, terms: CloseTerms, owners: tuple[str, ...], since: datetime) -> str:
    shown = since.astimezone(ZoneInfo(terms.time_zone)).date()
    return reminder(owners, row.version, shown, last_day(terms, since))

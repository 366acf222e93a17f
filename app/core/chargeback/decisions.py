"""Who may accept or dispute a statement, when, and what is answered to whoever may not. Values in, a sentence out.

Days are those of a time zone for people. A statement that was shown on a day has the whole of the days after it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.core.chargeback.periods import StatementState
from app.core.chargeback.terms import CloseTerms
from app.core.commands import NAME, Accept, Dispute
from app.core.commands import Decision as Asked
from app.core.report.escape import code, codes
from app.core.report.statement.paper import SCHEDULE, day_text

COMMAND_LINE = "command line"
MOST_OWNERS = 20


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whoever wrote a comment: by name now, by id for good. `said_at`: GitHub's time, in whole seconds."""

    login: str
    user_id: int
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """The version in force of a statement. `owners`: who may decide on it now, as logins in lower case.

    `shown_at`: when it stood on its issue; None while it does not. `told` says who brought it into its state, and when.
    """

    number: str
    version: int
    state: StatementState
    owners: tuple[str, ...]
    shown_at: datetime | None
    told: str = ""


def refusal_of(asked: Asked, by: Speaker, now: Standing, other_id: int | None) -> str:
    """Why a decision is not followed, as one sentence or two for whoever gave it; "" where it is.

    `other_id`: the id under which this login decided the last time, if it was another one.
    """
    return (
        _not_an_owner(by, now, other_id)
        or _not_this_version(asked, by, now)
        or not_now(isinstance(asked, Accept), now)
        or _no_reason(asked)
    )


def _not_an_owner(by: Speaker, now: Standing, other_id: int | None) -> str:
    if not now.owners:
        return (
            "The configuration names no budget owner of this cost center, so nobody can accept or dispute here. "
            "Name one in `mergemeter.yml`, or ask an operator, who has `python -m app statement`."
        )
    if by.login.lower() not in now.owners:
        named = codes(tuple(f"@{owner}" for owner in now.owners), MOST_OWNERS)
        return f"Only a budget owner of this cost center can accept or dispute here: {named}. Nothing was changed."
    if other_id is not None:
        return (
            f"The login {code(by.login)} was another account's (id {code(str(other_id))}) when it decided before. An "
            "operator who knows you records your answer with `python -m app statement`; after that you can do so here."
        )
    return ""


def _not_this_version(asked: Asked, by: Speaker, now: Standing) -> str:
    named = asked.version if isinstance(asked, Accept) else None
    if named is not None and named > now.version:
        return f"There is no version {named} of this statement; version {now.version} is in force."
    if named is not None and named < now.version:
        return (
            f"Version {named} was replaced: version {now.version} is in force and stands above. "
            f"Read it, and write `{NAME} accept v{now.version}`."
        )
    # Who says no version means the one before their eyes. The first has been there as long as the issue.
    unseen = now.version > 1 and (now.shown_at is None or by.said_at < now.shown_at.replace(microsecond=0))
    if named is None and unseen:
        return (
            f"Version {now.version} came while this was written. Read it, and write `{NAME} accept v{now.version}`, or "
            f"`{NAME} dispute <reason>` in a new comment."
        )
    return ""


def not_now(accepts: bool, now: Standing) -> str:
    """Why a version's state does not allow a decision; "" where it does."""
    told = f" {now.told}" if now.told else ""
    version = f"Version {now.version}"
    if now.state is StatementState.ACCEPTED:
        after = "" if accepts else " What is wrong all the same becomes an adjustment: ask whoever closes the months."
        return f"{version} was accepted already{told}.{after}"
    if now.state is StatementState.DISPUTED:
        return f"{version} was disputed already{told}. The answer comes as the next version, which can be accepted."
    if now.state is StatementState.POSTED:
        after = "" if accepts else " What is wrong becomes an adjustment: ask whoever closes the months."
        return f"{version} was accepted and is booked.{after}"
    if now.state is StatementState.REPLACED:
        return f"{version} was replaced; look again in a moment."
    return ""


def _no_reason(asked: Asked) -> str:
    if isinstance(asked, Dispute) and not asked.reason:
        return f"A dispute needs its reason, in the same line: `{NAME} dispute <reason>`."
    return ""


def told_text(login: str, source: str, at: datetime, zone: str) -> str:
    """Who brought a statement into its state, and when: "by `@ada` on 4 November 2026"."""
    day = day_text(at.astimezone(ZoneInfo(zone)).date())
    known = {SCHEDULE: "by silence", COMMAND_LINE: f"by {code(login)} on the command line"}
    who = known.get(source) or "by " + code("@" + login)
    return f"{who} on {day}"


# ---- days -----------------------------------------------------------------------------------------------------------


def days_since(shown_at: datetime, now: datetime, zone: str) -> int:
    """How many midnights of a time zone lie between."""
    place = ZoneInfo(zone)
    return (now.astimezone(place).date() - shown_at.astimezone(place).date()).days


def reminders_due(terms: CloseTerms, shown_at: datetime, now: datetime) -> int | None:
    """The largest number of days after which a reminder is due by now; None for none.

    One that was missed is not made up for: only the latest is due.
    """
    passed = days_since(shown_at, now, terms.time_zone)
    return max((days for days in terms.remind_after_days if days <= passed), default=None)


def last_day(terms: CloseTerms, shown_at: datetime) -> date | None:
    """The last day on which an owner can still answer; None where silence is no consent."""
    if not terms.accept_after_days:
        return None
    return shown_at.astimezone(ZoneInfo(terms.time_zone)).date() + timedelta(days=terms.accept_after_days)


def counts_as_accepted(terms: CloseTerms, shown_at: datetime, now: datetime) -> bool:
    """Whether the deadline has passed: its last day is over."""
    last = last_day(terms, shown_at)
    return last is not None and now.astimezone(ZoneInfo(terms.time_zone)).date() > last


def silence_text(terms: CloseTerms) -> str:
    """Why a statement counts as accepted."""
    days = terms.accept_after_days
    return f"nobody objected within {days} {'day' if days == 1 else 'days'}"

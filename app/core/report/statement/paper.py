"""A statement as it lies on the table: the document that never changes, and how it stands today."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.core.chargeback.periods import StatementState
from app.core.chargeback.statement import Figures, Statement, canonical, digest
from app.core.chargeback.terms import is_nobodys
from app.core.report.words import MONTHS

SCHEDULE = "schedule"
FIRST_DIGITS = 12  # of a hash, for people
REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
GITHUB, WITHOUT_BACKLINKS = "https://github.com", "https://redirect.github.com"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a version stands, which its document cannot know. `later`: the versions that came after it.

    `by` is a login, "command line" or "schedule"; `reason` a dispute's, or the journal that booked it. `accepted`: who
    accepted what is booked now, and when.
    """

    state: StatementState = StatementState.ISSUED
    by: str = ""
    at: datetime | None = None
    reason: str = ""
    later: tuple[int, ...] = ()
    until: date | None = None  # the last day on which an owner can answer, where silence is consent
    accepted: tuple[str, datetime] | None = None

    @property
    def by_silence(self) -> bool:
        return self.state is StatementState.ACCEPTED and self.by == SCHEDULE


ISSUED = Standing()


def day_text(day: date) -> str:
    """ "4 November 2026"."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


@dataclass(frozen=True, slots=True)
class Paper:
    """What the pages are made of. `web_url`: where GitHub's pages are; `zone`: in which people read days."""

    statement: Statement
    standing: Standing
    sha256: str
    web_url: str = GITHUB
    zone: str = "UTC"

    @classmethod
    def of(cls, statement: Statement, standing: Standing = ISSUED, web_url: str = GITHUB, zone: str = "UTC") -> "Paper":
        return cls(statement, standing, digest(canonical(statement)), web_url, zone)

    @property
    def figures(self) -> Figures | None:
        """Those of the statement's month."""
        return next((each for each in self.statement.figures if each.month == self.statement.month), None)

    @property
    def owned(self) -> bool:
        """Whether it is a cost center's: nobody owns what is unassigned, or a pool before it is shared out."""
        return not is_nobodys(self.statement.cost_center)

    def pull_url(self, repository: str, number: int, *, quiet: bool = False) -> str:
        """A pull's page; "" where there is none. `quiet`: one that leaves no cross-reference on the pull."""
        if not number or not REPOSITORY.fullmatch(repository):
            return ""
        base = WITHOUT_BACKLINKS if quiet and self.web_url == GITHUB else self.web_url
        return f"{base}/{repository}/pull/{number}"

    def day(self, at: datetime) -> str:
        """ "4 November 2026"."""
        return day_text(at.astimezone(ZoneInfo(self.zone)).date())

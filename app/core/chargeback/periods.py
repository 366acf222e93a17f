"""A month's life, open → closing → closed, and a statement's. Which ledger entries a month's statements cover.

Months close in order. A month knows the ledger up to an entry, its mark. An entry is stated once, in

    the later of its charge month and the first month whose mark has reached it

so each entry is in exactly one month's statements, whatever comes late, and the answer never changes. What a month
states of charge months before its own are adjustments.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.core.month import Month

EVER = 2**62  # above the id of every ledger entry
FINAL_AFTER = timedelta(days=7)  # vendors' figures of a month still move so long


class PeriodState(StrEnum):
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class StatementState(StrEnum):
    ISSUED = "issued"
    ACCEPTED = "accepted"
    DISPUTED = "disputed"
    REPLACED = "replaced"  # by the next version
    POSTED = "posted"  # a journal has booked it


# From each state, what may follow.
FOLLOWS: Mapping[StatementState, frozenset[StatementState]] = {
    StatementState.ISSUED: frozenset({StatementState.ACCEPTED, StatementState.DISPUTED}),
    StatementState.ACCEPTED: frozenset({StatementState.POSTED}),
    StatementState.DISPUTED: frozenset({StatementState.REPLACED}),
    StatementState.REPLACED: frozenset(),
    StatementState.POSTED: frozenset({StatementState.ACCEPTED}),  # its journal was reversed
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A month that closes or has closed, and the last ledger entry that it knows."""

    month: Month
    ledger_until: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which ledger entries a month states: of its own charges all up to `until`; of earlier ones those behind `after`.

    `until` None: the month is open, and states what there is.
    """

    month: Month
    after: int
    until: int | None

    @property
    def last(self) -> int:
        """The last id that it can have: `until`, or what no entry reaches."""
        return EVER if self.until is None else self.until


def coverage(month: Month, marks: Sequence[Mark]) -> Coverage:
    """What a month states; `marks` are those of the account, in order of months."""
    before = [mark.ledger_until for mark in marks if mark.month < month]
    own = next((mark.ledger_until for mark in marks if mark.month == month), None)
    return Coverage(month, before[-1] if before else 0, own)


def stated_in(charge_month: Month, entry_id: int, marks: Sequence[Mark]) -> Month:
    """The month whose statements have a ledger entry; behind the last mark, the open month after it."""
    reached = bisect_left([mark.ledger_until for mark in marks], entry_id)
    if not marks:
        return charge_month
    first = marks[reached].month if reached < len(marks) else marks[-1].month.next
    return max(charge_month, first)


def next_to_close(first: Month | None, marks: Sequence[Mark]) -> Month | None:
    """The only month that can close now: the one after the last, else the first in which anything happened."""
    return marks[-1].month.next if marks else first


def is_over(month: Month, now: datetime, zone: str) -> bool:
    """Whether a month has ended in the books (UTC) and for people."""
    return now >= month.end and now >= month.end.replace(tzinfo=ZoneInfo(zone))


def is_early(month: Month, now: datetime) -> bool:
    """Whether vendors' figures of a month may still move."""
    return now < month.end + FINAL_AFTER


def closes_at(month: Month, day: int, zone: str) -> datetime:
    """When a month closes by itself: the day of the next month at 06:00 of that zone."""
    after = month.next
    return datetime(after.year, after.number, day, 6, tzinfo=ZoneInfo(zone))

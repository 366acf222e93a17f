"""Periods that metrics are asked for: whole UTC days, start inclusive, end exclusive."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.core.month import Month

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Whole days in UTC. `Period.of(month)`, `Period.between(first, last)`; `str` gives "2026-10" for a month."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end or any(at != _midnight(at.date()) for at in (self.start, self.end)):
            raise ValueError(f"a period is of whole days in UTC, one at least; got {self.start} to {self.end}")

    @classmethod
    def of(cls, month: Month) -> "Period":
        return cls(month.start, month.end)

    @classmethod
    def between(cls, first: date, last: date) -> "Period":
        """From the first day to the last one, both included."""
        return cls(_midnight(first), _midnight(last) + DAY)

    def __contains__(self, instant: datetime | None) -> bool:
        return instant is not None and self.start <= instant < self.end

    def __str__(self) -> str:
        month = Month.of(self.start)
        if self == Period.of(month):
            return str(month)
        return f"{self.start.date()} to {(self.end - DAY).date()}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)

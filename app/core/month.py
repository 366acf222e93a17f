"""Months as the books know them: UTC, start inclusive, end exclusive, written yyyymm."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in UTC. `Month.parse("2026-10")`, `Month.of(instant)`, `int(month) == 202610`."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Read "2026-10". Raises ValueError that says what a month looks like."""
        found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text)
        if not found or found[1] == "0000":
            raise ValueError(f"{text!r} is not a month: write it as 2026-10")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of(cls, instant: datetime) -> "Month":
        at = instant.astimezone(UTC)
        return cls(at.year, at.month)

    @classmethod
    def from_int(cls, yyyymm: int) -> "Month":
        return cls(yyyymm // 100, yyyymm % 100)

    def __int__(self) -> int:
        return self.year * 100 + self.number

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return self.next.start

    @property
    def next(self) -> "Month":
        return Month(self.year + 1, 1) if self.number == 12 else Month(self.year, self.number + 1)

    @property
    def previous(self) -> "Month":
        return Month(self.year - 1, 12) if self.number == 1 else Month(self.year, self.number - 1)

    def until(self, last: "Month") -> list["Month"]:
        """The months from this one to the last, both included; none where that is before."""
        months, at = [], self
        while at <= last:
            months.append(at)
            at = at.next
        return months

    def __contains__(self, instant: datetime | None) -> bool:
        return instant is not None and self.start <= instant < self.end

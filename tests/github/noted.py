"""Limits that let everything pass and note what they were told."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.core.outcomes import Later

if TYPE_CHECKING:
    from datetime import datetime


class Noted:
    def __init__(self) -> None:
        self.writes: list[bool] = []  # for each write whether it creates
        self.seen: list[tuple[int, str]] = []  # status and what remains
        self.not_before: datetime | None = None

    def before_write(self, creating: bool) -> None:
        if self.not_before is not None:
            raise Later(self.not_before, "writes are spaced")
        self.writes.append(creating)

    def saw(self, headers: Mapping[str, str], status: int) -> None:
        self.seen.append((status, headers.get("x-ratelimit-remaining", "")))

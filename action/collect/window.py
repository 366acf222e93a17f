"""Which lines were made by this job: those after its start that were not in a file when it started."""

from __future__ import annotations

from .calls import Refused, microseconds
from .files import LogFile, tail_digest

SKEW_US = 5_000_000  # a clock may be set back a little while a job runs
UNTOUCHED_US = 24 * 3600 * 1_000_000  # a file unchanged for this long before the job holds nothing of it
AHEAD_US = 3600 * 1_000_000
NEIGHBOUR_US = 60 * 1_000_000


class Window:
    """From the job's start to its end. Without a start everything counts."""

    def __init__(
        self, start_us: int | None = None, end_us: int = 0, known: dict[str, tuple[int, str]] | None = None
    ) -> None:
        self.start_us, self.end_us = start_us, end_us
        self.known = known or {}

    def settle(self, file: LogFile) -> None:
        """Find how much of a file is older than the job. A file that was replaced since counts as new."""
        size, tail = self.known.get(file.path, (0, ""))
        if size and file.size >= size and tail_digest(file.path, size) == tail:
            file.old_size = size

    def touched(self, file: LogFile) -> bool:
        """False when the file cannot hold anything of this job."""
        if self.start_us is None:
            return True
        if file.size == file.old_size:  # but what was written just before tells what a new file copied from it
            return file.changed_us >= self.start_us - NEIGHBOUR_US
        return file.changed_us >= self.start_us - UNTOUCHED_US

    def holds(self, at_us: int) -> bool:
        """True for an instant within the job."""
        return self.start_us is None or self.start_us - SKEW_US <= at_us <= self.end_us + AHEAD_US

    def may_hold(self, file: LogFile, offset: int, timestamp: object) -> bool:
        """True unless what stands at this offset is older than the job, or says so itself."""
        if offset < file.old_size:
            return False
        try:
            return self.holds(microseconds(timestamp))
        except Refused:
            return self.start_us is None or file.changed_us >= self.start_us - SKEW_US

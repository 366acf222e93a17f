"""What GitHub lets us do for one account, and when: a row that every process consults before it writes.

Refuses early with `Later`, never sleeps. Those who must wait are told distinct times, so that a hundred waiting
writers do not all come back for the same second. GitHub's own limits for content are 80 a minute and 500 an hour:
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from app.core.outcomes import Later
from app.store import lanes
from app.store.database import Database
from app.store.keys import instant, us
from app.store.queue_tables import Bucket

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
CREATES_PER_MINUTE = 60
CREATES_PER_HOUR = 400
# GitHub asks for a minute where a secondary limit comes without a time.
UNTOLD_WAIT_S = 60
LONGEST_WAIT_S = 2 * 3600


@dataclass(frozen=True)
class Allowance:
    """The limits of one account, as the GitHub client asks for them. Spacings are seconds.

    With a `hold` it is also the last place where a worker that lost its lane stops (LostLaneError). It opens
    transactions of its own: never call it inside one.
    """

    db: Database
    account_id: int
    write_spacing_s: float
    create_spacing_s: float
    now: Callable[[], datetime]
    hold: lanes.Hold | None = None

    def before_write(self, creating: bool) -> None:
        """Take the right to one write now, or raise Later with the time to come back. `creating` notifies people."""
        now_us = us(self.now())
        with self.db.transaction() as session:
            if self.hold is not None:
                lanes.check(session, self.hold)
            bucket = session.get(Bucket, self.account_id, with_for_update=True) or Bucket(account_id=self.account_id)
            wait_until_us = self._wait_until_us(bucket, now_us, creating)
            if not wait_until_us:
                self._take(bucket, now_us, creating)
            elif wait_until_us > bucket.blocked_until_us:
                wait_until_us = max(wait_until_us, bucket.offered_until_us + self._spacing_us(creating))
                bucket.offered_until_us = wait_until_us
            session.add(bucket)
        if wait_until_us:
            raise Later(instant(wait_until_us), "writes to GitHub are spaced")

    def saw(self, headers: Mapping[str, str], status: int) -> None:
        """Keep every process from asking again while GitHub says to wait (primary or secondary limit)."""
        told = {name.lower(): value for name, value in headers.items()}
        until_us = _blocked_until_us(told, status, us(self.now()))
        if not until_us:
            return
        with self.db.transaction() as session:
            bucket = session.get(Bucket, self.account_id, with_for_update=True) or Bucket(account_id=self.account_id)
            bucket.blocked_until_us = max(bucket.blocked_until_us, until_us)
            bucket.remaining = number_in(told, "x-ratelimit-remaining", -1)
            session.add(bucket)

    def _wait_until_us(self, bucket: Bucket, now_us: int, creating: bool) -> int:
        """When the write may be made; 0 for now."""
        times = [bucket.blocked_until_us, bucket.next_write_at_us]
        if creating:
            times.append(bucket.next_create_at_us)
            if bucket.creates_in_minute >= CREATES_PER_MINUTE:
                times.append(bucket.minute_us + MINUTE_US)
            if bucket.creates_in_hour >= CREATES_PER_HOUR:
                times.append(bucket.hour_us + HOUR_US)
        latest = max(times)
        return latest if latest > now_us else 0

    def _take(self, bucket: Bucket, now_us: int, creating: bool) -> None:
        bucket.next_write_at_us = now_us + self._spacing_us(False)
        if not creating:
            return
        bucket.next_create_at_us = now_us + self._spacing_us(True)
        if now_us >= bucket.minute_us + MINUTE_US:
            bucket.minute_us, bucket.creates_in_minute = now_us, 0
        if now_us >= bucket.hour_us + HOUR_US:
            bucket.hour_us, bucket.creates_in_hour = now_us, 0
        bucket.creates_in_minute += 1
        bucket.creates_in_hour += 1

    def _spacing_us(self, creating: bool) -> int:
        return int((self.create_spacing_s if creating else self.write_spacing_s) * SECOND_US)


def _blocked_until_us(headers: Mapping[str, str], status: int, now_us: int) -> int:
    retry_after_s = number_in(headers, "retry-after", 0)
    if status in (403, 429) and retry_after_s:
        return now_us + min(retry_after_s, LONGEST_WAIT_S) * SECOND_US
    if headers.get("x-ratelimit-remaining") == "0":
        reset_us = number_in(headers, "x-ratelimit-reset", 0) * SECOND_US
        return min(max(reset_us, now_us + SECOND_US), now_us + LONGEST_WAIT_S * SECOND_US)
    return now_us + UNTOLD_WAIT_S * SECOND_US if status == 429 else 0


def number_in(headers: Mapping[str, str], name: str, otherwise: int) -> int:
    """The number in a header (named in lower case), never below 0; `otherwise` where there is none."""
    with suppress(ValueError):
        return max(int(headers.get(name) or ""), 0)
    return otherwise

"""What is left of an account's requests for work that may wait: it stops at half of the hour's, the rest is for others.

The account's row keeps until when, so that no process takes such work up before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.core.outcomes import Later
from app.store.buckets import LONGEST_WAIT_S, SECOND_US, Allowance, number_in
from app.store.keys import instant, us
from app.store.queue_tables import Bucket

LEFT_TO_OTHERS = 0.5


@dataclass
class Spare:
    """The limits of one account for a client that works behind the others. `check` belongs before each request."""

    allowance: Allowance
    rests_until: datetime | None = field(default=None, init=False)

    def check(self) -> None:
        """Raise Later when what is left of the hour's requests is for others."""
        if self.rests_until is not None and self.rests_until > self.allowance.now():
            raise Later(self.rests_until, "the rest of the hour's requests is left to what cannot wait")

    def before_write(self, creating: bool) -> None:
        self.allowance.before_write(creating)

    def saw(self, headers: Mapping[str, str], status: int) -> None:
        """As the allowance; and take note when half of the hour's requests is gone."""
        self.allowance.saw(headers, status)
        told = {name.lower(): value for name, value in headers.items()}
        limit, remaining = number_in(told, "x-ratelimit-limit", 0), number_in(told, "x-ratelimit-remaining", 0)
        if limit and remaining < limit * LEFT_TO_OTHERS and self.rests_until is None:
            self._rest(number_in(told, "x-ratelimit-reset", 0) * SECOND_US)

    def _rest(self, reset_us: int) -> None:
        now_us = us(self.allowance.now())
        until_us = min(max(reset_us, now_us + SECOND_US), now_us + LONGEST_WAIT_S * SECOND_US)
        account_id = self.allowance.account_id
        with self.allowance.db.transaction() as session:
            bucket = session.get(Bucket, account_id, with_for_update=True) or Bucket(account_id=account_id)
            bucket.rests_until_us = until_us
            session.add(bucket)
        self.rests_until = instant(until_us)

"""Rate limits: the hourly budget of an installation, and the burst of content creation when that is switched on."""

import time
from collections import deque
from dataclasses import dataclass, field

HOUR_S = 3600


@dataclass
class Budget:
    limit: int
    used: int = 0
    resets_at: int = 0  # Unix seconds

    def spend(self) -> bool:
        """Count one request; False when nothing is left of this hour."""
        now = int(time.time())
        if now >= self.resets_at:
            self.used, self.resets_at = 0, now + HOUR_S
        if self.used >= self.limit:
            return False
        self.used += 1
        return True

    def headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.limit - self.used),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-reset": str(self.resets_at),
            "x-ratelimit-resource": "core",
        }


@dataclass
class Limits:
    """`creations_a_minute` None: bursts of new comments and issues are not refused."""

    hourly: int = 5000
    creations_a_minute: int | None = None
    budgets: dict[str, Budget] = field(default_factory=dict)
    created: dict[str, deque[float]] = field(default_factory=dict)

    def budget(self, who: str) -> Budget:
        return self.budgets.setdefault(who, Budget(self.hourly))

    def may_create(self, who: str) -> bool:
        """Count one new comment or issue; False when there were too many in the last minute."""
        recent, now = self.created.setdefault(who, deque()), time.monotonic()
        while recent and recent[0] < now - 60:
            recent.popleft()
        if self.creations_a_minute is not None and len(recent) >= self.creations_a_minute:
            return False
        recent.append(now)
        return True

"""How often something happened in this process since it started, for `/metrics`. Owns no tenant's data: only outcomes.

Counted on the event loop alone, so nothing is locked.
"""

from collections import Counter

# A metric's name, and an outcome or a refusal's code: both are words of ours, so there are few.
DELIVERIES, RECORDS, TELEMETRY = "deliveries", "records", "telemetry"


class Counts:
    """Counts by metric and outcome."""

    def __init__(self) -> None:
        self._counted: Counter[tuple[str, str]] = Counter()

    def add(self, metric: str, outcome: str, number: int = 1) -> None:
        self._counted[metric, outcome] += number

    def of(self, metric: str) -> dict[str, int]:
        """By outcome, in its order."""
        return {outcome: number for (name, outcome), number in sorted(self._counted.items()) if name == metric}

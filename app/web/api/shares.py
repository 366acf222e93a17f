"""`GET /v1/shares.csv`: each agent run's share in each pull in a month, and what is in none."""

from collections.abc import Iterator

from app.core.report.shares import csv_lines
from app.stories.shares import shares
from app.stories.walk import repository_step
from app.web.api.door import Asked, Operation


def shares_csv(asked: Asked) -> Iterator[str] | None:
    """Every share of the month, of the account or of one repository; the column of costs sums to the charges."""
    month, repository_id = asked.values["month"], asked.values.get("repository_id")
    if repository_id is not None and repository_step(asked.world, asked.account_id, repository_id, month) is None:
        return None
    return csv_lines(shares(asked.world, asked.account_id, month, repository_id))


ABOUT = "Each agent run's share in each pull in a month, as CSV"
OPERATIONS = (Operation("/v1/shares.csv", "shares", ABOUT, "", shares_csv, ("month", "repository_id")),)

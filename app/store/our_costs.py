"""What model calls of a month cost, by provider, model and UTC day, to hold against what vendors bill. Reads only."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlmodel import Session

from app.core.month import Month
from app.store.keys import instant, us

DAY_US = 86_400_000_000
FROM_CALLS = """
    FROM agent_run JOIN model_call ON model_call.agent_run_id = agent_run.id
"""
OF_MONTH = """
    WHERE agent_run.account_id = :account_id AND agent_run.started_at_us < :end AND agent_run.ended_at_us >= :start
        AND model_call.at_us >= :start AND model_call.at_us < :end
"""
SUMS = """
    model_call.provider, model_call.model, model_call.at_us / 86400000000 AS day,
    SUM(COALESCE(model_call.cost_nano_usd, 0)) AS cost, COUNT(*) AS calls,
    SUM(CASE WHEN model_call.cost_nano_usd IS NULL THEN 1 ELSE 0 END) AS unpriced
"""
BY_DAY = text(f"SELECT {SUMS} {FROM_CALLS} {OF_MONTH} GROUP BY 1, 2, 3")
# Summed up before anything wide is joined.
BY_RUN = text(f"""
    SELECT summed.provider, summed.model, summed.day, summed.cost, summed.calls, summed.unpriced,
           run.repository_id, COALESCE(repository.name, ''), job.workflow_ref, run.agent, run.team,
           job.repository_properties, run.started_at_us
    FROM (SELECT agent_run.id AS run_id, {SUMS} {FROM_CALLS} {OF_MONTH} GROUP BY 1, 2, 3, 4) AS summed
        JOIN agent_run AS run ON run.id = summed.run_id
        JOIN workflow_job AS job ON job.id = run.workflow_job_id
        LEFT JOIN repository ON repository.account_id = run.account_id
            AND repository.repository_id = run.repository_id
""")  # noqa: S608 - constants of this file
# repository's id and name, workflow_ref, agent, team, properties, when it began: as ownership.run_facts takes them
RunRow = tuple[int, str, str, str, str, str, int]


class CallSum(NamedTuple):
    """Calls of a provider's model on a day of the month."""

    provider: str
    model: str
    day: int
    cost: int
    calls: int
    unpriced_calls: int


def by_day(session: Session, account_id: int, month: Month) -> list[CallSum]:
    """The sums of all agent runs together."""
    return [_sum(row) for row in session.connection().execute(BY_DAY, _asked(account_id, month))]


def by_run(session: Session, account_id: int, month: Month) -> Iterator[tuple[CallSum, RunRow]]:
    """The same of each agent run, with what tells who pays for it."""
    for row in session.connection().execute(BY_RUN, _asked(account_id, month)):
        yield _sum(row), tuple(row[6:])


def _asked(account_id: int, month: Month) -> dict[str, int]:
    return {"account_id": account_id, "start": us(month.start), "end": us(month.end)}


def _sum(row: Sequence[Any]) -> CallSum:
    provider, model, day, cost, calls, unpriced = row[:6]
    return CallSum(provider, model, instant(day * DAY_US).day, int(cost), calls, int(unpriced))

"""The job's record priced by the App's own code, as lines for its comment and as the answer that the App would give."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.core.costing import Costs
from app.core.facts import PullState
from app.core.money import nano_usd
from app.core.pricing import PriceList
from app.core.report.marker import Kind, marker
from app.core.report.one_job import Origin, one_job
from app.core.report.values import AgentRunLine, PullCost
from app.core.reported_calls import instant, read_call
from app.core.tally import tally
from app.core.usage import Completeness, Purpose

# As the App's: app/core/reported.py.
OLDEST, CLOCK_SKEW = timedelta(days=400), timedelta(days=1)


def priced(request: Mapping[str, Any]) -> PullCost:
    """The agent runs of a closing record. Raises ReportRefusedError for an impossible one."""
    prices, record = PriceList.load(), request["record"]
    lines = [_line(request, prices, run, number) for number, run in enumerate(record["agent_runs"])]
    return PullCost(
        repository=request["repository"],
        number=request["job"]["pull_number"],
        state=PullState.MERGED,  # whatever it is: the job is over, so its cost is not "so far"
        head_sha="",
        lines=tuple(lines),
        price_lists=(prices.version,),
        money=request["money"],
    )


def text(request: Mapping[str, Any], job: PullCost) -> str:
    """The comment."""
    name = str(request["job"]["name"])
    origin = Origin(request["workflow"], name, request["run_id"], request["run_attempt"], request["run_url"])
    return one_job(job, origin, mark(request))


def mark(request: Mapping[str, Any]) -> str:
    """What the comment of this workflow's job is found by."""
    return marker(Kind.JOB, request["repository_id"], request["job"]["pull_number"], request["key"])


def answer(request: Mapping[str, Any], job: PullCost, status: str) -> dict[str, Any]:
    """What the App answers to a record, in the fields that the Action reads. No amount where none may be shown."""
    runs = [
        {"agent": run["agent"], "session": run["session"], "cost_nano_usd": _shown(line) if job.money else None}
        for run, line in zip(request["record"]["agent_runs"], job.lines, strict=True)
    ]
    return {
        "status": status,
        "agent_runs": runs,
        "cost_nano_usd": job.cost if job.money else None,
        "unpriced_calls": sum(line.unpriced_calls for line in job.lines),
        "price_list": job.price_lists[0],
        "at_list_prices": True,  # nobody says here what was agreed
        "show_money": job.money,
    }


def _shown(line: AgentRunLine) -> int | None:
    return line.cost if line.cost_known else None


def _line(request: Mapping[str, Any], prices: PriceList, run: Mapping[str, Any], number: int) -> AgentRunLine:
    now = datetime.now(UTC)
    bounds = now - OLDEST, now + CLOCK_SKEW
    calls = [read_call(call, bounds, f"/agent_runs/{number}", place) for place, call in enumerate(run["calls"])]
    costs = prices.costs(calls)
    sums = tally(calls, Costs(costs, costs, [prices.version] * len(calls)))
    told = run.get("reported_cost_usd")
    tags = request["record"]["tags"]
    return AgentRunLine(
        agent=run["agent"],
        purpose=Purpose(tags["purpose"]),
        run_id=request["run_id"],
        run_attempt=request["run_attempt"],
        started_at=instant(request["job"]["started_at"], bounds, "/job/started_at"),
        model_calls=sums.calls,
        tokens=sums.tokens,
        cost=sums.cost,
        evidence="",
        completeness=Completeness(run["completeness"]),
        completeness_reason=run.get("completeness_reason", ""),
        models=tuple(sums.models),
        unpriced_calls=sums.unpriced_calls,
        unpriced_models=tuple(sums.unpriced_models),
        reported_cost=None if told is None else nano_usd(Decimal(told)),
        list_cost=None if sums.unlisted_calls else sums.list_cost,
    )

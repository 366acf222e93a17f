"""What Prometheus is told: how the work goes, and to a token of scope `metrics` what its account's month costs."""

from collections.abc import Iterable, Mapping

from app.core.exposition import Metric
from app.core.month import Month
from app.store.accounts import repositories_of
from app.store.operation import jobs_by_kind, limits
from app.store.rolled_up import busy_in
from app.world import World


def operation(world: World, counted: Mapping[str, Mapping[str, int]]) -> list[Metric]:
    """How the work goes, over all accounts. `counted`: of this process, by metric and outcome."""
    with world.db.reading() as session:
        kinds, allowed = jobs_by_kind(session, world.now()), limits(session, world.now())
    remaining = allowed.least_remaining
    return [
        _by_kind("jobs_waiting", "Jobs that wait, those of later included", ((k.kind, k.waiting) for k in kinds)),
        _by_kind("jobs_due", "Jobs that wait and could be done now", ((k.kind, k.due) for k in kinds)),
        _by_kind("jobs_running", "Jobs that are being done", ((k.kind, k.running) for k in kinds)),
        _by_kind("jobs_dead", "Jobs that failed for good (inbox list)", ((k.kind, k.dead) for k in kinds)),
        _by_kind(
            "job_oldest_due_seconds", "How long the oldest due job waits", ((k.kind, k.oldest_due_s) for k in kinds)
        ),
        *(_by_outcome(name, outcomes) for name, outcomes in counted.items()),
        Metric(
            "mergemeter_github_requests_remaining", "gauge", "Of the account with the fewest left, when last told",
            () if remaining is None else (({}, remaining),),
        ),
        Metric(
            "mergemeter_github_accounts_blocked", "gauge", "Accounts for which GitHub's limits make us wait",
            (({}, allowed.blocked_accounts),),
        ),
    ]  # fmt: skip


def _by_kind(name: str, about: str, values: Iterable[tuple[str, int]]) -> Metric:
    return Metric(f"mergemeter_{name}", "gauge", about, tuple(({"kind": kind}, value) for kind, value in values))


def _by_outcome(name: str, outcomes: Mapping[str, int]) -> Metric:
    samples = tuple(({"outcome": outcome}, number) for outcome, number in outcomes.items())
    about = f"What became of {name} at this process since it started: taken, or why not"
    return Metric(f"mergemeter_{name}_total", "counter", about, samples)


def cost(world: World, account_id: int) -> list[Metric]:
    """What an account's present month costs by repository. A cost that nobody knows has no sample: it is not 0."""
    month = Month.of(world.now())
    with world.db.reading() as session:
        ids = busy_in(session, account_id, month, world.now())
        known = {each.repository_id: f"{each.owner}/{each.name}" for each in repositories_of(session, account_id)}
    names = {each: known.get(each, f"({each})") for each in ids}
    of = {each: sums.tied + sums.loose for each, sums in ids.items()}
    total = {each: sum(sums.books.values()) for each, sums in ids.items()}
    return [
        Metric(
            "mergemeter_cost_nano_usd", "gauge", "Contracted cost of the present month (UTC), an estimate",
            tuple(({"repository": names[each]}, total[each]) for each in ids if total[each] or of[each].cost_known),
        ),
        Metric(
            "mergemeter_unpriced_calls", "gauge", "Model calls without a price in the month's agent runs: in no cost",
            tuple(({"repository": names[each]}, of[each].unpriced_calls) for each in ids),
        ),
        Metric(
            "mergemeter_incomplete_agent_runs", "gauge", "The month's agent runs whose record is not whole",
            tuple(({"repository": names[each]}, of[each].incomplete) for each in ids),
        ),
    ]  # fmt: skip

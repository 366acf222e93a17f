"""`GET /v1/months/{month}/metrics`: what became of a month's work, of the account or of each scope of a kind.

Ratios are decimal strings of six digits, null of nothing or where too little is known. There is no scope of a person.
"""

from fractions import Fraction

from app.core.money import NanoUsd
from app.core.period import Period
from app.core.scope_metrics import Metrics
from app.core.shares import Dimension
from app.core.yields import ShareClass, Yields
from app.stories.measure import metrics_by
from app.web.api import shapes
from app.web.api.door import Asked, Operation
from app.web.api.shapes import Json, link, money


def metrics(asked: Asked) -> Json:
    """The metrics of each scope, in the order of its key."""
    of, by = asked.values["month"], asked.values.get("by", Dimension.ORGANISATION)
    found = sorted(metrics_by(asked.world, asked.account_id, Period.of(of), by).items())
    first = asked.values.get("cursor", 0)
    last = first + asked.most
    cursor = str(last) if last < len(found) else None
    path = f"/v1/months/{of}/metrics"
    return {
        "month": str(of),
        "by": by.value,
        "scopes": [_scope(key, each) for key, each in found[first:last]],
        "next": cursor,
        "_links": {
            "self": link(path, by=by.value),
            "next": shapes.next_link(cursor, path, by=by.value, limit=asked.most),
            "month": link(f"/v1/months/{of}"),
        },
    }


def _scope(key: str, told: Metrics) -> Json:
    unknown = told.unpriced_calls or told.yields.classes[ShareClass.UNKNOWN].agent_runs
    known, cost = bool(told.cost.cost) or not unknown, told.cost
    return {
        "key": key,
        "provisional": told.provisional,
        "spend": money(cost.cost, known),
        "released": money(cost.released, known),
        "period": money(cost.period, known),
        "cohort": money(cost.cohort, known),
        "direct": money(cost.direct, known),
        "load_factor": None if cost.load_factor is None else f"{cost.load_factor:.6f}",
        "merged_pulls": cost.merged,
        "agent_pulls_merged": cost.agent_merged,
        "survived": cost.survived,
        "agent_runs": told.agent_runs,
        "unpriced_calls": told.unpriced_calls,
        "tokens": shapes.tokens(told.tokens),
        "dead": {why.value: money(amount, known) for why, amount in told.dead.items()},
        "dead_total": money(told.dead_total, known),
        "yields": _yields(told.yields, known),
        "cache_read_share": _ratio(told.cache_read_share),
        "retry_tax": _ratio(told.retry_tax),
        "support_share": _ratio(told.support_share),
        "by_size": [
            {"band": each.band, "pulls": each.pulls, "median": money(each.median), "p90": money(each.p90)}
            for each in told.by_size
        ],
    }


def _yields(told: Yields, known: bool) -> Json:
    return {
        "coverage": _ratio(told.coverage),
        "insufficient": told.insufficient,
        "generated": _ratio(told.generated),
        "consumed": _ratio(told.consumed),
        "cost": _ratio(told.cost),
        "classes": {
            kind.value: {
                "agent_runs": part.agent_runs,
                "output_tokens": part.output_tokens,
                "tokens": part.tokens,
                "cost": money(NanoUsd(part.cost), known),
            }
            for kind, part in told.classes.items()
        },
    }


def _ratio(exact: Fraction | None) -> str | None:
    if exact is None:
        return None
    millionths = round(exact * 1_000_000)
    return f"{millionths // 1_000_000}.{millionths % 1_000_000:06}"


ABOUT = "What became of a month's work: yield, dead spend, retry tax, support, size bands, by any scope"
OPERATIONS = (Operation("/v1/months/{month}/metrics", "metrics", ABOUT, "Metrics", metrics, ("by", "limit", "cursor")),)

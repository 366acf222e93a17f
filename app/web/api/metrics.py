"""Metrics: of a month or of other days, of the account or of each scope of a kind; a month's trend; what they mean.

Ratios are decimal strings of six digits, null of nothing or where too little is known. There is no scope of a person.
"""

from fractions import Fraction

from app.core.definitions import DEFINITIONS
from app.core.money import NanoUsd
from app.core.period import Period
from app.core.scope_metrics import Metrics
from app.core.shares import Dimension
from app.core.yields import ShareClass, Yields
from app.stories.measure import metrics_by, trend_of
from app.web.api import shapes
from app.web.api.door import Asked, Operation
from app.web.api.shapes import Json, link, money

MOST_DAYS = 366


def metrics(asked: Asked) -> Json:
    """A month's metrics of each scope, in the order of its key."""
    of = asked.values["month"]
    return {"month": str(of), **_page(asked, Period.of(of), f"/v1/months/{of}/metrics", month=link(f"/v1/months/{of}"))}


def metrics_of_days(asked: Asked) -> Json | None:
    """The same of other days; None for none or too many of them."""
    first, last = asked.values["first"], asked.values["last"]
    if not 0 <= (last - first).days < MOST_DAYS:
        return None
    period = Period.between(first, last)
    return {"first": f"{first}", "last": f"{last}", **_page(asked, period, f"/v1/periods/{first}/{last}/metrics")}


def _page(asked: Asked, period: Period, path: str, **links: Json) -> Json:
    by = asked.values.get("by", Dimension.ORGANISATION)
    found = sorted(metrics_by(asked.world, asked.account_id, period, by).items())
    begin = asked.values.get("cursor", 0)
    end = begin + asked.most
    cursor = str(end) if end < len(found) else None
    return {
        "by": by.value,
        "scopes": [_scope(key, each) for key, each in found[begin:end]],
        "next": cursor,
        "_links": {
            "self": link(path, by=by.value),
            "next": shapes.next_link(cursor, path, by=by.value, limit=asked.most),
            **links,
            "definitions": link("/v1/definitions"),
        },
    }


def trend(asked: Asked) -> Json:
    """The account's metrics of six months, the asked one last."""
    of = asked.values["month"]
    return {
        "months": [
            {
                "month": str(each.period),
                "metrics": _scope("", each),
                "_links": {"month": link(f"/v1/months/{each.period}")},
            }
            for each in trend_of(asked.world, asked.account_id, of)
        ],
        "_links": {"self": link(f"/v1/months/{of}/trend")},
    }


def definitions(_asked: Asked) -> Json:
    """What each metric means, and which version of it is computed here."""
    return {
        "definitions": [
            {"id": each.id, "name": each.name, "formula": each.formula, "unit": each.unit, "version": each.version}
            for each in DEFINITIONS
        ],
        "_links": {"self": link("/v1/definitions")},
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


WHAT = "yield, dead spend, retry tax, support, size bands, by any scope"
PAGED = ("by", "limit", "cursor")
OPERATIONS = (
    Operation(
        "/v1/months/{month}/metrics", "metrics", f"What became of a month's work: {WHAT}", "Metrics", metrics, PAGED
    ),
    Operation(
        "/v1/periods/{first}/{last}/metrics", "metrics_of_days", f"The same of up to {MOST_DAYS} other days: {WHAT}",
        "MetricsOfDays", metrics_of_days, PAGED,
    ),
    Operation("/v1/months/{month}/trend", "trend", "The account's metrics of six months", "Trend", trend),
    Operation("/v1/definitions", "definitions", "What each metric means", "Definitions", definitions),
)  # fmt: skip

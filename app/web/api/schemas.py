"""What answers look like, as JSON Schema: every property is always there, and none that is not named.

Money is exact twice. Null means that nobody knows, or that there is no such thing; 0 means 0.
"""

from typing import Any

from app.core.shares import Dimension
from app.core.yields import Dead, ShareClass

Schema = dict[str, Any]


def one(**properties: Schema) -> Schema:
    """An object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def many(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def whole(properties: Schema, **more: Schema) -> Schema:
    """The object with more properties."""
    return one(**properties["properties"], **more)


def links(**names: Schema) -> Schema:
    return one(**names)


TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TRUTH: Schema = {"type": "boolean"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
MONTH: Schema = {"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])$"}
CURSOR = maybe(TEXT)
MONEY = maybe(ref("Money"))
LINK = ref("Link")
RATIO = maybe({"type": "string", "pattern": r"^[01]\.[0-9]{6}$"})
PULL_STATE: Schema = {"type": "string", "enum": ["open", "closed", "merged"]}
RECORD: Schema = {"type": "string", "enum": ["complete", "lower_bound", "estimated", "missing"]}
BOOK: Schema = {"type": "string", "enum": ["pull", "unattributed", "abandoned", "overhead"]}
TOKEN_CLASSES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other", "output", "reasoning")

KNOWN = one(
    complete=TRUTH, agent_runs=COUNT, incomplete_agent_runs=COUNT, model_calls=COUNT, unpriced_calls=COUNT
)  # fmt: skip
REPOSITORY = one(id=COUNT, name=maybe(TEXT), visibility=maybe(TEXT))
PULL_HEAD = one(
    number=COUNT, title=TEXT, state=PULL_STATE, base_branch=TEXT, created_at=INSTANT, closed_at=maybe(INSTANT),
    merged_at=maybe(INSTANT), reverts=maybe(COUNT),
)  # fmt: skip
RUN_LINKS = links(self=LINK, calls=LINK)
RUN = one(
    id=TEXT, agent=TEXT, models=many(TEXT), purpose=TEXT, team=maybe(TEXT),
    provenance={"type": "string", "enum": ["job", "relayed", "token", "vendor"]}, started_at=INSTANT, cost=MONEY,
    completeness=whole(KNOWN, record=RECORD, reason=maybe(TEXT)), _links=RUN_LINKS,
)  # fmt: skip
MONTH_HEAD = one(month=MONTH, repository=ref("Repository"), spend=MONEY, parts=ref("Parts"))
IN_REPOSITORY = links(
    self=LINK, next=maybe(LINK), month=LINK, pulls=LINK, without_pull=LINK, shares=LINK
)  # fmt: skip

ANY_MONTH = {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}  # those before the asked one, too
DIMENSION = {"type": "string", "enum": [*Dimension]}
DAY = {"type": "string", "format": "date"}

SCHEMAS: dict[str, Schema] = {
    "Refusal": one(code=TEXT, message=TEXT),
    "Money": one(nano_usd={"type": "integer"}, usd={"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{9}$"}),
    "Link": one(href=TEXT),
    "Tokens": one(**dict.fromkeys(TOKEN_CLASSES, COUNT)),
    "Known": KNOWN,
    "Repository": REPOSITORY,
    "Parts": one(pulls=MONEY, unattributed=MONEY, abandoned=MONEY, overhead=MONEY),
    "OfMonth": one(month=MONTH, cost=MONEY, _links=links(month=LINK)),
    "Evidence": one(level=TEXT, label=TEXT, meaning=TEXT, note=TEXT),
    "Figures": one(
        spend=MONEY, released=MONEY, period=MONEY, cohort=MONEY, direct=MONEY, load_factor=maybe(TEXT),
        merged_pulls=COUNT, agent_pulls_merged=COUNT, survived=COUNT, unattributed_agent_runs=COUNT,
        untagged_agent_runs=COUNT, agent_runs_by_token=COUNT, cost_by_token=MONEY, tokens=ref("Tokens"),
        unpriced_models=many(TEXT), completeness=ref("Known"),
    ),
    "Month": one(
        month=MONTH, account=one(id=COUNT, login=TEXT), provisional_until=maybe({"type": "string", "format": "date"}),
        figures=ref("Figures"), parts=ref("Parts"),
        repositories=many(
            one(
                repository=ref("Repository"), figures=ref("Figures"), parts=ref("Parts"),
                _links=links(pulls=LINK, without_pull=LINK),
            )
        ),
        price_lists=many(TEXT), discounted=TRUTH, own_prices=TRUTH, next=CURSOR,
        _links=links(self=LINK, next=maybe(LINK), metrics=LINK, trend=LINK, shares=LINK, repositories=LINK),
    ),
    "Metrics": one(
        month=MONTH, by=DIMENSION, scopes=many(ref("Scope")), next=CURSOR,
        _links=links(self=LINK, next=maybe(LINK), month=LINK, definitions=LINK),
    ),
    "MetricsOfDays": one(
        first=DAY, last=DAY, by=DIMENSION, scopes=many(ref("Scope")), next=CURSOR,
        _links=links(self=LINK, next=maybe(LINK), definitions=LINK),
    ),
    "Trend": one(
        months=many(one(month=ANY_MONTH, metrics=ref("Scope"), _links=links(month=LINK))), _links=links(self=LINK)
    ),
    "Definitions": one(
        definitions=many(one(id=TEXT, name=TEXT, formula=TEXT, unit=TEXT, version=COUNT)), _links=links(self=LINK)
    ),
    "Scope": one(
        key=TEXT, provisional=TRUTH, spend=MONEY, released=MONEY, period=MONEY, cohort=MONEY, direct=MONEY,
        load_factor=maybe(TEXT), merged_pulls=COUNT, agent_pulls_merged=COUNT, survived=COUNT, agent_runs=COUNT,
        unpriced_calls=COUNT, tokens=ref("Tokens"), dead=one(**{each.value: MONEY for each in Dead}), dead_total=MONEY,
        yields=one(
            coverage=RATIO, insufficient=TRUTH, generated=RATIO, consumed=RATIO, cost=RATIO,
            classes=one(**{each.value: ref("ClassOfWork") for each in ShareClass}),
        ),
        cache_read_share=RATIO, retry_tax=RATIO, support_share=RATIO,
        by_size=many(one(band=TEXT, pulls=COUNT, median=MONEY, p90=MONEY)),
    ),
    "ClassOfWork": one(agent_runs=COUNT, output_tokens=COUNT, tokens=COUNT, cost=MONEY),
    "Repositories": one(
        repositories=many(
            whole(
                REPOSITORY, default_branch=maybe(TEXT), archived=maybe(TRUTH), state=maybe(TEXT),
                _links=links(pulls=LINK, without_pull=LINK),
            )
        ),
        next=CURSOR, _links=links(self=LINK, next=maybe(LINK), month=LINK),
    ),
    "PullsOfMonth": whole(
        MONTH_HEAD,
        pulls=many(whole(PULL_HEAD, in_month=MONEY, cost=MONEY, completeness=ref("Known"), _links=links(self=LINK))),
        next=CURSOR, _links=IN_REPOSITORY,
    ),
    "WithoutPull": whole(
        MONTH_HEAD,
        agent_runs=many(one(agent_run=RUN, in_month=MONEY, unattributed=MONEY, abandoned=MONEY, overhead=MONEY)),
        next=CURSOR, _links=IN_REPOSITORY,
    ),
    "Pull": whole(
        one(repository=ref("Repository"), **PULL_HEAD["properties"]),
        cost=MONEY, by_month=many(ref("OfMonth")), completeness=ref("Known"), jobs_not_reported=COUNT,
        agent_runs_in_doubt=COUNT,
        agent_runs=many(
            one(
                agent_run=RUN, share=MONEY, by_month=many(ref("OfMonth")), pulls_served=COUNT,
                evidence=ref("Evidence"),
            )
        ),
        next=CURSOR, _links=links(self=LINK, next=maybe(LINK), months=many(LINK)),
    ),
    "AgentRun": whole(
        RUN,
        repository=ref("Repository"), agent_version=maybe(TEXT), session=TEXT,
        labels={"type": "object", "additionalProperties": TEXT}, ended_at=INSTANT, tokens=ref("Tokens"),
        list_cost=MONEY, reported_cost=MONEY, price_list=TEXT, calls_counted_elsewhere=COUNT,
        later_records_not_counted=COUNT,
        job=maybe(one(workflow=TEXT, name=TEXT, event=TEXT, run_id=COUNT, run_attempt=COUNT)),
        evidence_note=maybe(TEXT), candidates=many(COUNT),
        places=many(
            one(
                book=BOOK, pull=maybe(COUNT), cost=MONEY, by_month=many(ref("OfMonth")),
                evidence=maybe(ref("Evidence")),
                _links=links(pull=maybe(LINK)),
            )
        ),
    ),
    "Calls": one(
        agent_run=TEXT, cost=MONEY, completeness=ref("Known"), calls=many(ref("Call")), next=CURSOR,
        _links=links(self=LINK, next=maybe(LINK), agent_run=LINK),
    ),
    "Call": one(
        position=COUNT, at=INSTANT, provider=TEXT, model=TEXT, response_id=TEXT, service_tier=TEXT, speed=TEXT,
        subagent=TRUTH, web_searches=COUNT, tokens=ref("Tokens"), cost=MONEY, list_cost=MONEY, price_list=TEXT,
        arithmetic=maybe(ref("Arithmetic")), without_arithmetic=maybe(TEXT),
    ),
    "Arithmetic": one(
        own_price=TRUTH, discount=TEXT,
        charges=many(one(charge=TEXT, units=COUNT, nano_usd_each=TEXT, amount=ref("Money"))),
    ),
}  # fmt: skip

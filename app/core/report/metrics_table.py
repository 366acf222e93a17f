"""Metrics in columns, for a terminal: a row for each scope, or for each month of a trend."""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from app.core.report.escape import plain
from app.core.report.figures_table import amount_text, columns
from app.core.report.numbers import factor_text, percent, tokens_text
from app.core.scope_metrics import Metrics
from app.core.shares import Dimension
from app.core.yields import ShareClass

HEAD = (
    "charges", "released", "merged", "survived", "period", "cohort", "direct", "load", "dead", "yield", "known",
    "cached", "retried", "support", "runs", "output",
)  # fmt: skip
LEGEND = (
    "period, cohort, direct: cost per merged PR. dead: charges for work that came to nothing. –: no merged PR.",
    "yield: of decided output tokens, those of merged work that stayed; known: how much usage is, below 80 % no yield.",
    "cached: of all input. retried: of the charges. support: reviews, triage, CI fixes, of what counts as yield.",
    "An estimate, not an invoice. Calls without a price are in no amount.",
)
NO_NAME = {Dimension.TEAM: "(no team)", Dimension.MODEL: "(unknown)", Dimension.ORGANISATION: "all"}


def metrics_lines(
    title: str, dimension: Dimension, found: Mapping[str, Metrics], names: Mapping[int, str]
) -> list[str]:
    """The table of some scopes, the dearest first. `names`: of the repositories, by id."""
    ordered = sorted(found.items(), key=lambda each: (-each[1].cost.cost, each[0]))
    rows = [(plain(scope_name(dimension, key, names), 50), each) for key, each in ordered]
    return [title, "", *_table(dimension.value, rows), "", *LEGEND]


def trend_lines(title: str, months: Iterable[Metrics]) -> list[str]:
    """The table of some months, one below the other."""
    return [title, "", *_table("month", [(str(each.period), each) for each in months]), "", *LEGEND]


def scope_name(dimension: Dimension, key: str, names: Mapping[int, str]) -> str:
    """A scope as people call it; its key where it has no name."""
    if dimension is Dimension.REPOSITORY:
        return names.get(int(key), f"({key})")
    if dimension is Dimension.WORKFLOW:
        repository, _, workflow = key.partition("/")
        return f"{names.get(int(repository), f'({repository})')} {workflow or '(no workflow)'}"
    return key or NO_NAME.get(dimension, "(none)")


def _table(first: str, rows: Iterable[tuple[str, Metrics]]) -> list[str]:
    return columns((first, *HEAD), [(name, *_cells(each)) for name, each in rows])


def _cells(told: Metrics) -> tuple[str, ...]:
    cost, yields = told.cost, told.yields
    known = bool(cost.cost) or not (told.unpriced_calls or yields.classes[ShareClass.UNKNOWN].agent_runs)
    return (
        amount_text(cost.cost, known),
        amount_text(cost.released, known),
        f"{cost.agent_merged:,}",
        f"{cost.survived:,}",
        *(amount_text(each, known) for each in (cost.period, cost.cohort, cost.direct)),
        "–" if cost.load_factor is None else factor_text(cost.load_factor),
        amount_text(told.dead_total, known),
        *(_share(each) for each in (yields.generated, yields.coverage, told.cache_read_share, told.retry_tax)),
        _share(told.support_share),
        f"{told.agent_runs:,}",
        tokens_text(sum(part.output_tokens for part in yields.classes.values())),
    )


def _share(of: Fraction | None) -> str:
    return "–" if of is None else percent(of.numerator, of.denominator)

"""A month's figures in columns, for a terminal. Amounts as people read them; what is not known is said in words."""

from collections.abc import Iterable, Sequence

from app.core.money import NanoUsd, dollars_text
from app.core.report.escape import plain
from app.core.report.numbers import factor_text, tokens_text
from app.core.report.values import MonthFigures, MonthReport

HEAD = (
    "repository", "charges", "released", "merged", "survived", "period", "cohort", "direct", "load",
    "no pull", "abandoned", "runs", "tokens", "unpriced",
)  # fmt: skip
LEGEND = (
    "period, cohort, direct: cost per merged PR. no pull: charges that no evidence ties to one. –: no merged PR.",
    "An estimate, not an invoice. Calls without a price are in no amount; runs are agent runs, (n) of them not whole.",
)


def month_lines(report: MonthReport, names: frozenset[str] | None = None) -> list[str]:
    """The table of a month, its total last. `names`: those repositories alone, and no total."""
    rows = [
        _row(plain(each.name, 40), each.figures)
        for each in report.repositories
        if names is None or each.name.lower() in names
    ]
    if names is None:
        rows.append(_row("all", report.total))
    state = f"provisional until {report.provisional_until}" if report.provisional_until else "final"
    title = f"{plain(report.account)}, {report.month} ({state})"
    lists = ", ".join(plain(each) for each in report.price_lists[:3]) or "no agent run yet"
    return [title, "", *columns(HEAD, rows), "", *LEGEND, f"Prices: {lists}"]


def columns(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """Rows under their heads; the first `left` columns are text, the others are numbers and stand to the right."""
    table = [list(head), *map(list, rows)]
    widths = [max(len(row[n]) for row in table) for n in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if n < left else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def _row(name: str, told: MonthFigures) -> list[str]:
    incomplete = f" ({told.incomplete_agent_runs:,})" if told.incomplete_agent_runs else ""
    return [
        name,
        amount_text(told.spend, told.spend_known),
        amount_text(told.released, told.spend_known),
        f"{told.agent_pulls_merged:,}",
        f"{told.survived:,}",
        *(amount_text(each, told.spend_known) for each in (told.period, told.cohort, told.direct)),
        "–" if told.load_factor is None else factor_text(told.load_factor),
        amount_text(told.unattributed, told.spend_known),
        amount_text(told.abandoned, told.spend_known),
        f"{told.agent_runs:,}{incomplete}",
        tokens_text(told.tokens.total),
        f"{told.unpriced_calls:,}",
    ]


def amount_text(amount: NanoUsd | None, known: bool = True) -> str:
    """ "$3.20"; "–" where there is no such figure, "unknown" where it is 0 because nobody knows."""
    if amount is None:
        return "–"
    return dollars_text(amount) if amount or known else "unknown"

"""The tables and the chart of a month. Names of private repositories never reach a public issue from here."""

from collections.abc import Sequence

from app.core.money import NanoUsd, dollars_text, usd
from app.core.report import mermaid
from app.core.report.coverage import PRIVATE
from app.core.report.escape import NOTHING, code, label
from app.core.report.numbers import Amounts, count, factor_text, from_cache, tokens_text
from app.core.report.tables import table
from app.core.report.values import MonthFigures, MonthReport, PullInMonth, RepositoryMonth
from app.core.report.words import month_text

ROWS_LONGEST = 30_000  # characters of the repositories' table; what does not fit is summed up in one row
BARS = 10
DEAREST = 10
NO_MERGE = "no merged PR"

MONEY_HEAD = [
    *("Repository", "Spend", "Agent pulls merged", "Period", "Cohort", "Direct"),
    *("Load factor", "Unattributed", "Abandoned"),
]
TOKENS_HEAD = ["Repository", "Tokens", "From cache", "Agent runs", "Agent pulls merged", "Unattributed"]


def repositories(report: MonthReport, active: Sequence[RepositoryMonth]) -> str:
    """One row for each repository, those that do not fit in one, and the total."""
    amounts = Amounts.of([each.figures.spend for each in active])
    rows: list[list[str]] = []
    size = 0
    for number, each in enumerate(active):
        row = _row(report, _name(report, each.name, each.public), each.figures, amounts.text([number]))
        size += sum(map(len, row)) + 3 * len(row)
        if size > ROWS_LONGEST:
            break
        rows.append(row)
    if rest := range(len(rows), len(active)):
        rows.append(_rest_row(report, [active[number].figures for number in rest], amounts.text(rest)))
    if len(active) > 1:
        total = _row(report, "Total", report.total, dollars_text(report.total.spend))
        rows.append([f"**{cell}**" for cell in total])
    return table(MONEY_HEAD, "lrrrrrrrr", rows) if report.money else table(TOKENS_HEAD, "lrrrrr", rows)


def chart(report: MonthReport, active: Sequence[RepositoryMonth]) -> str:
    """A Mermaid bar chart of the dearest repositories; nothing for fewer than two."""
    if len(active) < 2:
        return ""
    bars = [(_label(report, each), _height(report, each.figures)) for each in active[:BARS]]
    if rest := active[BARS:]:
        bars.append((f"{len(rest)} more", sum(_height(report, each.figures) for each in rest)))
    what, unit = ("Spend", "USD") if report.money else ("Tokens", "million tokens")
    title = f"{what} by repository, {month_text(report.month)}"
    return mermaid.bars(title, [name for name, _ in bars], [height for _, height in bars], mermaid.Axis(unit))


def dearest(report: MonthReport) -> str:
    """The ten dearest pulls, as code and not as links."""
    head = ["Pull", "Title", "State", "Agent runs", "Cost" if report.money else "Tokens"]
    return table(head, "lllrr", [_pull_row(report, pull) for pull in report.dearest[:DEAREST]])


def at_least(figures: MonthFigures) -> str:
    """ "at least " where the month's spend is known in part."""
    return "at least " if figures.incomplete_agent_runs or figures.unpriced_calls else ""


def _row(report: MonthReport, name: str, of: MonthFigures, spend: str) -> list[str]:
    merged = f"{of.agent_pulls_merged:,} of {of.merged_pulls:,}"
    if not report.money:
        loose = count(of.unattributed_agent_runs, "agent run")
        return [name, tokens_text(of.tokens.total), from_cache(of.tokens), f"{of.agent_runs:,}", merged, loose]
    period = dollars_text(of.period) if of.period is not None else NO_MERGE
    three = [period, *(dollars_text(each) if each is not None else NOTHING for each in (of.cohort, of.direct))]
    factor = factor_text(of.load_factor) if of.load_factor is not None else NOTHING
    return [
        *(name, f"{at_least(of)}{spend}", merged, *three, factor),
        *(dollars_text(of.unattributed), dollars_text(of.abandoned)),
    ]


def _rest_row(report: MonthReport, rest: Sequence[MonthFigures], spend: str) -> list[str]:
    """What adds up is added up; a figure per merged PR does not, and is left out."""
    name = f"… and {len(rest):,} more"
    merged = f"{sum(of.agent_pulls_merged for of in rest):,} of {sum(of.merged_pulls for of in rest):,}"
    if not report.money:
        loose = count(sum(of.unattributed_agent_runs for of in rest), "agent run")
        tokens = tokens_text(sum(of.tokens.total for of in rest))
        return [name, tokens, "", f"{sum(of.agent_runs for of in rest):,}", merged, loose]
    bound = "at least " if any(at_least(of) for of in rest) else ""
    loose = dollars_text(NanoUsd(sum(of.unattributed for of in rest)))
    dead = dollars_text(NanoUsd(sum(of.abandoned for of in rest)))
    return [name, f"{bound}{spend}", merged, *[""] * 4, loose, dead]


def _pull_row(report: MonthReport, pull: PullInMonth) -> list[str]:
    name, title = PRIVATE, NOTHING
    if report.names(pull.public):
        name, title = code(f"{pull.repository}#{pull.number}", 110), code(pull.title, 70)
    return [name, title, pull.state, f"{pull.agent_runs:,}", _pull_cost(report, pull)]


def _pull_cost(report: MonthReport, pull: PullInMonth) -> str:
    if not report.money:
        return tokens_text(pull.tokens.total)
    if not pull.cost_known:
        return "unknown"
    return f"{'' if pull.cost_complete else 'at least '}{dollars_text(pull.cost)}"


def _name(report: MonthReport, name: str, public: bool) -> str:
    return code(name, 100) if report.names(public) else PRIVATE


def _label(report: MonthReport, each: RepositoryMonth) -> str:
    return label(each.name) if report.names(each.public) else "private"


def _height(report: MonthReport, figures: MonthFigures) -> int:
    """Hundredths of the chart's unit; nothing below zero."""
    if report.money:
        return max(0, int((usd(figures.spend) * 100).to_integral_value()))
    return figures.tokens.total // 10_000

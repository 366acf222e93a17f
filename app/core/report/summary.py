"""The monthly summary: an issue of its own for each account and month, created once and edited in place.

Never links a pull: a link would leave a cross-reference on each of them, every month. In a public repository
private repositories are not named, and amounts appear only where the configuration allows them.
"""

from collections.abc import Iterator
from datetime import date

from app.core.money import dollars_text
from app.core.report import coverage, month_tables
from app.core.report.comment import bullets, within
from app.core.report.escape import code, codes, prose
from app.core.report.month_tables import NO_MERGE, at_least
from app.core.report.numbers import count, tokens_text
from app.core.report.tables import folded
from app.core.report.values import MonthFigures, MonthReport, RepositoryMonth
from app.core.report.words import MONTHS, basis, month_text

LONGEST = 60_000
PROBLEMS = 20
GONE_MANY = "were reverted (or are reverts)"
MEANING = [
    "**Merged PR**: an agent pull that merged in the month and was not reverted within 14 days.",
    "**Period**: (the month's spend + cost of pulls open at its start − cost of pulls open at its end) ÷ merged PRs.",
    "**Cohort**: whole cost of all agent pulls that merged in the month, reverted ones included, ÷ merged PRs.",
    "**Direct**: whole cost of the merged PRs alone ÷ merged PRs.",
    "**Load factor**: period ÷ direct. What unmerged, reverted and unattributed work adds.",
    "**Unattributed**: agent runs tied to no pull. **Abandoned**: those that still had no pull after 14 days.",
    "Months are UTC. Pulls without agent runs are counted beside, never mixed in.",
]


def title(report: MonthReport) -> str:
    """The issue's title: "AI agent costs: October 2026"."""
    return f"AI agent {'costs' if report.money else 'usage'}: {month_text(report.month)}"


def summary(report: MonthReport, marker: str) -> str:
    """The issue's Markdown with the hidden `marker` at its end; the same report gives the same text."""
    parts = [_headline(report), _provisional(report), _mistakes(report), *_repositories(report), *_dearest(report)]
    parts += ["### What to know", bullets([*_to_know(report)])]
    if report.silent_workflows:
        parts += ["### Workflows that left no record", coverage.silent_table(report)]
    if report.money:
        parts += [folded("What the figures mean", bullets(MEANING))]
    parts += [f"<sub>{basis(report.money, report.discounted, report.own_prices, report.price_lists)}</sub>"]
    return within("\n\n".join(part for part in parts if part), marker, LONGEST)


def _headline(report: MonthReport) -> str:
    total, month = report.total, month_text(report.month)
    pulls = f"{count(total.agent_pulls_merged, 'agent pull')} of {total.merged_pulls:,} merged"
    if not report.money:
        runs = count(total.agent_runs, "agent run")
        return f"**{tokens_text(total.tokens.total)} tokens** in {month} · {runs} · {pulls}"
    per = f"**{dollars_text(total.period)}** per merged PR" if total.period is not None else NO_MERGE
    return f"**{at_least(total)}{dollars_text(total.spend)}** in {month} · {per} · {pulls}"


def _provisional(report: MonthReport) -> str:
    if report.provisional_until is None:
        return "Final: reverts no longer change these figures."
    return f"Provisional until {_day(report.provisional_until)}: reverts and late records still change it."


def _mistakes(report: MonthReport) -> str:
    """What is wrong in the configuration; in a public issue only that something is."""
    problems = report.config_problems
    if not problems:
        return ""
    number = count(len(problems), "mistake")
    source = "" if report.public_issue or not report.config_source else f" ({code(report.config_source, 120)})"
    told = f"**The configuration has {number}**{source}. Its last good version stays in force."
    if report.public_issue:
        return told
    shown = [prose(problem) for problem in problems[:PROBLEMS]]
    more = [f"… and {len(problems) - PROBLEMS} more"] if len(problems) > PROBLEMS else []
    return f"{told}\n\n{bullets([*shown, *more])}"


def _repositories(report: MonthReport) -> Iterator[str]:
    active = sorted((each for each in report.repositories if _active(each.figures)), key=_by_spend)
    yield "### Repositories"
    if not active:
        yield f"No agent run was recorded in {month_text(report.month)}."
        return
    if report.money:
        yield "Period, cohort and direct are three views of the cost per merged PR."
    yield month_tables.repositories(report, active)
    if idle := len(report.repositories) - len(active):
        listed = "is not listed" if idle == 1 else "are not listed"
        yield f"{count(idle, 'repository', 'repositories')} without agent runs {listed}."
    yield month_tables.chart(report, active)


def _dearest(report: MonthReport) -> Iterator[str]:
    number = min(len(report.dearest), month_tables.DEAREST)
    if number:
        which = "dearest" if report.money else "largest"
        yield f"### The {which} pull" if number == 1 else f"### The {number} {which} pulls"
        yield month_tables.dearest(report)


def _to_know(report: MonthReport) -> Iterator[str]:
    """What the figures lack, a sentence each; what is unattributed always."""
    total = report.total
    loose = f"{total.unattributed_agent_runs:,} of {count(total.agent_runs, 'agent run')}"
    amount = f", {dollars_text(total.unattributed)}" if report.money else ""
    yield f"Tied to no pull (unattributed): {loose}{amount}."
    yield from filter(None, (coverage.untagged(report), coverage.silent(report)))
    if number := total.unrecorded_agent_pulls:
        whose = ", ".join(map(prose, total.unrecorded_agents))
        were = "was" if number == 1 else "were"
        yield (
            f"{count(number, 'merged pull')} {were} opened by an agent's own account ({whose}) and left no record: "
            "agent-made, cost unknown. In no figure here."
        )
    if number := total.told_agent_runs:
        amount = f", {dollars_text(total.told_cost)}" if report.money else ""
        yield (
            f"Told by telemetry with an access token: {number:,} of {count(total.agent_runs, 'agent run')}{amount}. "
            "Where they ran is claimed, not signed."
        )
    if number := total.incomplete_agent_runs:
        runs = f"{count(number, 'agent run')} {'has' if number == 1 else 'have'} no whole record"
        yield f"{runs} (cut short, lost or estimated): there may have been more."
    if report.money and total.unpriced_calls:
        models = f" ({codes(total.unpriced_models, most=5)})" if total.unpriced_models else ""
        have = "has no price and is" if total.unpriced_calls == 1 else "have no price and are"
        yield f"{count(total.unpriced_calls, 'model call')}{models} {have} in no figure here."
    if gone := total.agent_pulls_merged - total.survived:
        was, counts = ("was reverted (or is a revert)", "it does") if gone == 1 else (GONE_MANY, "they do")
        yield f"{count(gone, 'agent pull')} merged but {was}: {counts} not count as merged PR, what was spent does."


def _active(figures: MonthFigures) -> bool:
    """Whether there is anything to tell: agent runs, money, or agent pulls that merged."""
    return bool(figures.agent_runs or figures.spend or figures.released or figures.agent_pulls_merged)


def _by_spend(each: RepositoryMonth) -> tuple[int, int, str]:
    return (-each.figures.spend, -each.figures.tokens.total, each.name)


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"

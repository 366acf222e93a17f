"""The statement as an issue: one glance, what to do, pictures, every line that fits, how to check it.

The same document and standing give the same text. Every text from outside passes `escape`; owners alone are mentioned,
as they are asked for an answer. Pulls are linked so that no cross-reference stands on them.
"""

from collections.abc import Iterator

from app.core.chargeback.periods import StatementState
from app.core.report import mermaid
from app.core.report.comment import bullets, within
from app.core.report.escape import code, label, mention, plain, prose
from app.core.report.numbers import count
from app.core.report.statement import pictures, said
from app.core.report.statement.markdown_tables import (
    adjustments,
    compared,
    composed,
    fees,
    lines,
    repositories,
    shared,
)
from app.core.report.statement.paper import FIRST_DIGITS, Paper, day_text
from app.core.report.statement.parts import composition
from app.core.report.tables import folded
from app.core.report.words import month_text

LONGEST = 60_000  # characters; GitHub refuses above 65,536
LEAST_FOR_LINES = 4_000
MOST_SAID = 20  # findings, answers


def title(paper: Paper) -> str:
    """The issue's title, where GitHub renders no Markdown."""
    return said.title(paper.statement, plain(paper.statement.label, 60))


def issue(paper: Paper, marker: str) -> str:
    """The issue's Markdown with the hidden `marker` at its end."""
    before, after = [*_above(paper)], [*_below(paper)]
    room = LONGEST - sum(len(part) + 2 for part in (*before, *after, marker)) - 200
    parts = [*before, *lines(paper, max(room, LEAST_FOR_LINES)), *after]
    return within("\n\n".join(part for part in parts if part), marker, LONGEST)


def _above(paper: Paper) -> Iterator[str]:
    yield _glance(paper)
    yield _whose(paper)
    yield standing(paper)
    yield f"{said.what_it_does(paper.statement)} {said.WHICH_NUMBER}"
    if composition(paper.statement):
        yield "### What it is made of"
        yield composed(paper)
    if paper.statement.figures:
        yield f"### {said.compared_title(paper.statement)}"
        yield compared(paper)
        yield from _trends(paper)
    if paper.statement.lines:
        yield "### By repository"
        yield repositories(paper)
        yield from _spend(paper)


def _below(paper: Paper) -> Iterator[str]:
    statement = paper.statement
    if statement.fees:
        yield from ("### Subscription fees", fees(paper))
    if statement.shared:
        yield from ("### Shared costs", shared(paper))
    if statement.distributed:
        given = said.cents_text(-statement.distributed_cents)
        yield f"Of what was spent here, {given} is shared out: it stands on the statements of those who pay it."
    if statement.adjustments:
        yield from ("### Adjustments of earlier months", adjustments(paper))
    if statement.answers:
        yield from ("### Answers to disputes", bullets(_cut(statement.answers)))
    if statement.findings:
        yield from ("### Found before closing", bullets(_cut(statement.findings)))
    yield folded("What the figures mean", bullets(_meaning(paper)))
    yield _verify(paper)


def _glance(paper: Paper) -> str:
    statement, figures = paper.statement, paper.figures
    parts = [f"**{said.cents_text(statement.total_cents)}** {said.mode(statement)} for {month_text(statement.month)}"]
    if figures is not None:
        per = figures.per_merged_pr
        parts.append(said.NO_MERGE if per is None else f"**{said.nano_text(per)}** per merged PR")
        parts.append(f"token yield {said.yield_text(figures)}")
        parts.append(f"{count(figures.agent_merged, 'agent pull')} of {figures.merged:,} merged")
    return " · ".join(parts)


def _whose(paper: Paper) -> str:
    statement = paper.statement
    name = code(statement.label) if statement.label == statement.cost_center else _named(paper)
    owners = ", ".join(map(mention, statement.owners)) if statement.owners else "nobody"
    number = f"statement **{code(statement.number)}** version {statement.version}"
    return f"Cost center {name} · budget owner {owners} · {number} · issued {paper.day(statement.issued_at)}"


def _named(paper: Paper) -> str:
    return f"{code(paper.statement.label)} ({code(paper.statement.cost_center)})"


def standing(paper: Paper) -> str:
    """How the statement stands and what there is to do, in bold and a sentence."""
    now = paper.standing
    by = f" by {code(now.by)}" if now.by else ""
    on = f" on {paper.day(now.at)}" if now.at is not None else ""
    because = f": {prose(now.reason, 600)}" if now.reason else ""
    if now.state is StatementState.REPLACED or now.later:
        newest = f" by version {max(now.later)}" if now.later else ""
        return f"**Replaced{newest}.** Do not book this version."
    if now.state is StatementState.ISSUED:
        return _asked(paper)
    if now.state is StatementState.DISPUTED:
        return f"**Disputed{by}{on}**{because}\n\nThe answer comes as the next version. Nobody else has to wait."
    if now.by_silence:
        return f"**Counts as accepted since {on.removeprefix(' on ')}**{because}"
    word = "Booked" if now.state is StatementState.POSTED else "Accepted"
    return f"**{word}{by}{on}**{because}{said.accepted_text(paper, code)}" if because else f"**{word}{by}{on}.**"


def _asked(paper: Paper) -> str:
    if not paper.owned:
        return "**Nobody owns this.** Say in `mergemeter.yml` who does; until then it stays on this statement."
    if not paper.statement.owners:
        return "**Awaiting an answer, and nobody is named who may give it.** `mergemeter.yml` says who the owners are."
    until = paper.standing.until
    silence = f" Without an answer until the end of {day_text(until)} it counts as accepted." if until else ""
    return f"**Awaiting an answer.** The budget owner comments {code(said.ACCEPT)} or {code(said.DISPUTE)}.{silence}"


def _trends(paper: Paper) -> Iterator[str]:
    if trend := pictures.trend(paper.statement):
        heights, axis = mermaid.money(trend.heights)
        yield mermaid.columns(f"{trend.title}, {axis.unit}", trend.names, heights, axis)
        yield trend.beside
    if (both := pictures.yields(paper.statement)) and len(both.names) > 1:
        axis = mermaid.Axis("percent", 10_000)
        named = f"{both.title}: bars {both.legend[0]}, line {both.legend[1].replace('÷', 'of')}"
        yield mermaid.columns(named, both.names, both.heights, axis, both.others)
        yield both.beside


def _spend(paper: Paper) -> Iterator[str]:
    if drawn := pictures.spend(paper.statement):
        names = [label(name.rpartition("/")[2]) for name in drawn.names]
        yield spend_chart(drawn, names)
        yield drawn.beside


def spend_chart(drawn: pictures.Picture, names: list[str]) -> str:
    """Amounts as bars; `names` are harmless already."""
    rest = [f"{drawn.more:,} more"] if drawn.more else []
    heights, axis = mermaid.money(drawn.heights)
    return mermaid.bars(f"{drawn.title}, {axis.unit}", [*names, *rest], heights, axis)


def _cut(sentences: tuple[str, ...]) -> list[str]:
    shown = [prose(each, 400) for each in sentences[:MOST_SAID]]
    rest = len(sentences) - MOST_SAID
    return [*shown, *([f"… and {rest:,} more, all in the other forms"] if rest > 0 else [])]


def _meaning(paper: Paper) -> list[str]:
    covered = [said.WHICH_COVERED] if paper.statement.covered else []
    provisional = paper.figures is not None and paper.figures.provisional
    early = [said.PROVISIONAL] if provisional else []
    return [*said.MEANING, *covered, said.WHICH_FEES, *early]


def _verify(paper: Paper) -> str:
    statement = paper.statement
    previous = f", behind {code(statement.previous_sha256[:FIRST_DIGITS])}" if statement.previous_sha256 else ""
    return (
        f"<sub>SHA-256 {code(paper.sha256[:FIRST_DIGITS])}{previous} · {code(said.VERIFY)} proves that nothing was "
        f"altered · {code(f'{said.WHY} {statement.number} <line>')} shows what a line is made of</sub>"
    )

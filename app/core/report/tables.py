"""The tables about a pull: by agent and purpose, agent run by agent run, and what ties each of them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.core.report.escape import code, codes, link, prose
from app.core.report.numbers import Amounts, count, from_cache, tokens_text
from app.core.report.values import AgentRunLine, PullCost
from app.core.report.words import MONTHS, evidence_text, ordered, purpose_text
from app.core.usage import Completeness, Tokens

GROUP_ROWS = 8  # with the total
RUN_ROWS = 40
NOTES = 8


@dataclass(frozen=True, slots=True)
class Sheet:
    """A pull's agent runs in reading order, and their amounts rounded once for the whole page."""

    pull: PullCost
    lines: tuple[AgentRunLine, ...]
    amounts: Amounts

    @classmethod
    def of(cls, pull: PullCost) -> "Sheet":
        lines = tuple(ordered(pull.lines))
        return cls(pull, lines, Amounts.of([line.cost for line in lines]))

    def cost(self, rows: Iterable[int]) -> str:
        """ "$3.20", "at least $3.20", "no price", "unknown"."""
        chosen = list(rows)
        lines = [self.lines[row] for row in chosen]
        if not any(line.cost_known for line in lines):
            return "no price" if any(line.unpriced_calls for line in lines) else "unknown"
        short = any(not line.cost_complete and line.completeness is not Completeness.ESTIMATED for line in lines)
        about = any(line.completeness is Completeness.ESTIMATED for line in lines)
        return f"{'at least ' if short else ''}{'about ' if about else ''}{self.amounts.text(chosen)}"


def table(head: Sequence[str], align: str, rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; `align` has one letter for each column, "l" or "r". Cells are Markdown already."""
    rules = ["---:" if letter == "r" else "---" for letter in align]
    # A number keeps its unit beside it in a narrow column.
    lines = [head, rules, *([re.sub(r"(?<=\d) (?=[KMB%])", "\u00a0", cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def folded(summary: str, content: str) -> str:
    """A folded part. `summary` is a word of ours; GitHub needs the blank lines to read Markdown inside."""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


def by_agent(sheet: Sheet) -> str:
    """One row for each agent and purpose, at most eight rows with the total."""
    groups: dict[tuple[str, str], list[int]] = {}
    for row, line in enumerate(sheet.lines):
        groups.setdefault((line.agent, line.purpose), []).append(row)
    # A dict keeps the order of the lines; the dearest group goes first.
    dearest = sorted(groups.values(), key=lambda rows: -sum(sheet.lines[row].cost for row in rows))
    most = GROUP_ROWS if len(dearest) == 1 else GROUP_ROWS - 1
    shown = dearest if len(dearest) <= most else dearest[: most - 1]
    rows = [_group_row(sheet, rows, *_group_name(sheet.lines[rows[0]])) for rows in shown]
    if rest := dearest[len(shown) :]:
        rows.append(_group_row(sheet, [row for rows in rest for row in rows], f"… and {len(rest)} more", ""))
    if len(dearest) > 1:
        rows.append(_group_row(sheet, range(len(sheet.lines)), "**Total**", ""))
    head = ["Agent", "Model", "For", "Agent runs", "Tokens", "From cache", "Cost"]
    return _with_money(sheet, head, "lllrrrr", rows)


def runs(sheet: Sheet) -> str:
    """One row for each agent run, the dearest first."""
    shown = [_run_row(sheet, row) for row in range(min(len(sheet.lines), RUN_ROWS))]
    rest = range(RUN_ROWS, len(sheet.lines))
    if rest:
        shown.append([f"… and {len(rest)} more", *[""] * 8, sheet.cost(rest)])
    head = [
        "Agent run",
        "Job",
        "For",
        "Started (UTC)",
        "Calls",
        "Input",
        "From cache",
        "Output",
        "Tied",
        "Cost",
    ]
    return _with_money(sheet, head, "llllrrrrlr", shown)


def ties(sheet: Sheet) -> str:
    """How each agent run came to this pull: a line for each level of evidence, then single notes."""
    said = []
    for level in sorted({line.evidence for line in sheet.lines}):
        name, meaning = evidence_text(level)
        of_level = [line for line in sheet.lines if line.evidence == level]
        said.append(f"- **{name}** ({code(level, 4)}), {count(len(of_level), 'agent run')}: {meaning}.")
        noted = [line for line in of_level if line.evidence_note]
        said += [f"  - {_name(line)}: {prose(line.evidence_note)}" for line in noted[:NOTES]]
        said += [f"  - … and {len(noted) - NOTES} more"] if len(noted) > NOTES else []
    return "\n".join(said)


def _with_money(sheet: Sheet, head: list[str], align: str, rows: list[list[str]]) -> str:
    """The table, without its last column where no amount may appear."""
    if sheet.pull.money:
        return table(head, align, rows)
    return table(head[:-1], align[:-1], [row[:-1] for row in rows])


def _group_name(line: AgentRunLine) -> tuple[str, str]:
    return code(line.agent, 40) if line.agent else "unknown agent", purpose_text(line.purpose)


def _group_row(sheet: Sheet, rows: Sequence[int], name: str, purpose: str) -> list[str]:
    lines = [sheet.lines[row] for row in rows]
    tokens = sum((line.tokens for line in lines), Tokens())
    models = tuple(dict.fromkeys(model for line in lines for model in line.models)) if purpose else ()
    bold = "**" if name == "**Total**" else ""
    cells = [str(len(lines)), tokens_text(tokens.total) if tokens.total else "–", from_cache(tokens), sheet.cost(rows)]
    return [name, codes(models) if purpose else "", purpose, *(f"{bold}{cell}{bold}" for cell in cells)]


def _where(line: AgentRunLine) -> str:
    if line.told or line.by_vendor:
        return "by token" if line.told else "by GitHub"
    attempt = f" (attempt {line.run_attempt})" if line.run_attempt > 1 else ""
    return code(line.job_name or line.workflow, 40) + attempt + (", relayed" if line.relayed else "")


def _run_row(sheet: Sheet, row: int) -> list[str]:
    line = sheet.lines[row]
    team = f", {code(line.team, 40)}" if line.team else ""
    used, counted = line.tokens, line.model_calls and not line.by_vendor  # which tells no calls
    return [
        _name(line) + (f" {code(line.agent_version, 20)}" if line.agent_version else ""),
        _where(line),
        purpose_text(line.purpose) + team,
        f"{line.started_at.day} {MONTHS[line.started_at.month - 1][:3]}, {line.started_at:%H:%M}",
        f"{line.model_calls:,}" if counted else "–",
        tokens_text(used.prompt) if counted else "–",
        from_cache(used),
        tokens_text(used.output) if counted else "–",
        code(line.evidence, 4),
        sheet.cost([row]),
    ]


def _name(line: AgentRunLine) -> str:
    return link(code(line.agent, 40) if line.agent else "unknown agent", line.run_url)

"""Annotations on the workflow lines that spent the money: few, calm, the dearest first."""

from collections.abc import Mapping
from datetime import UTC, datetime

from app.core.report.escape import plain
from app.core.report.numbers import count, from_cache, tokens_text
from app.core.report.tables import Sheet
from app.core.report.values import AgentRunLine, Annotation, PullCost
from app.core.usage import Tokens
from app.core.workflow_lines import Place, agent_line

MOST = 3


def workflow_paths(pull: PullCost) -> list[str]:
    """The files to read at the head, those of the dearest agent runs first."""
    return list(dict.fromkeys(line.workflow_path for line in Sheet.of(pull).lines if line.workflow_path))


def annotations(pull: PullCost, files: Mapping[str, str], most: int, as_of: datetime) -> tuple[Annotation, ...]:
    """At most `most` (0 to 3) notices; `files` holds the text of workflow files by path, as they are at the head.

    They say when they were true (`as_of`, UTC), because GitHub lets nobody change an annotation. Agent runs are
    gathered by the line that ran them. One without a file, a line or a model call gives nothing.
    """
    sheet = Sheet.of(pull)
    places: dict[tuple[str, str, str], Place | None] = {}
    gathered: dict[tuple[str, Place], list[int]] = {}
    for row, line in enumerate(sheet.lines):
        key = (line.workflow_path, line.job_name, line.agent)
        if not line.workflow_path or line.workflow_path not in files or not line.model_calls:
            continue
        if key not in places:
            places[key] = agent_line(files[line.workflow_path], line.job_name, line.agent)
        if place := places[key]:
            gathered.setdefault((line.workflow_path, place), []).append(row)
    # Lines come dearest first and the sort is stable: equal sums keep the order of their dearest agent run.
    dearest = sorted(gathered.items(), key=lambda item: -sum(sheet.lines[row].cost for row in item[1]))
    return tuple(_annotation(sheet, *where, rows, as_of) for where, rows in dearest[: min(max(most, 0), MOST)])


def _annotation(sheet: Sheet, path: str, place: Place, rows: list[int], as_of: datetime) -> Annotation:
    lines = [sheet.lines[row] for row in rows]
    tokens = sum((line.tokens for line in lines), Tokens())
    runs = "agent run" if len(rows) == 1 else f"{len(rows):,} agent runs"
    who = f"This {'step' if place.step else 'job'}'s {runs}"
    cached = f"; {from_cache(tokens)} of input came from cache" if tokens.prompt else ""
    when = f"As of {as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC; the check's summary has the present figure."
    message = f"{who} {_did(sheet, rows, lines, tokens)}{cached}. {when}"
    return Annotation(path, place.line, _title(sheet, rows), message)


def _did(sheet: Sheet, rows: list[int], lines: list[AgentRunLine], tokens: Tokens) -> str:
    if sheet.pull.money and any(line.cost_known for line in lines):
        return f"cost {sheet.cost(rows)} on this pull"
    unpriced = ", which have no price" if sheet.pull.money else ""
    return f"used {tokens_text(tokens.total)} tokens on this pull{unpriced}"


def _title(sheet: Sheet, rows: list[int]) -> str:
    names = list(dict.fromkeys(plain(sheet.lines[row].agent, 40) for row in rows))
    what = "Agent cost" if sheet.pull.money else "Agent usage"
    return f"{what}: {', '.join(names[:2])}{' …' if len(names) > 2 else ''}, {count(len(rows), 'agent run')}"

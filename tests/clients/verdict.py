"""Holds what the App has in its books against what the stand-in charged."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text

from tests.clients.script import CANARIES
from tests.clients.truth import CLASSES, Served, Usage, by_model
from tests.e2e.stage import Organisation, Stage

WRITES = ("cache_write_5m", "cache_write_1h", "cache_write_other")
JOB = "SELECT id FROM workflow_job WHERE account_id = :account AND run_id = {run_id}"
RUNS = (
    "SELECT id, session, agent_version, completeness, completeness_reason, unpriced_calls FROM agent_run"
    " WHERE account_id = :account AND workflow_job_id IN (" + JOB + ")"
)
CALLS = (
    "SELECT model, count(*), " + ", ".join(f"sum({name}_tokens)" for name in CLASSES) + " FROM model_call"
    " WHERE account_id = :account AND agent_run_id IN (SELECT id FROM ({runs})) GROUP BY 1"
)


@dataclass(frozen=True)
class Verdict:
    """`outcome`: "exact", "marked" or "WRONG". `note` says what differs, `marks` how the agent runs are marked."""

    outcome: str
    note: str
    marks: Sequence[str] = field(default_factory=tuple)
    truth: Usage = field(default_factory=dict)
    found: Usage = field(default_factory=dict)

    @property
    def wrong(self) -> bool:
        return self.outcome == "WRONG"


def booked(org: Organisation, run_id: int) -> tuple[Usage, list[str], list[str]]:
    """(sums by model, completeness of each agent run, the reasons) of a workflow run in the App's database."""
    runs = RUNS.format(run_id=run_id)
    sums: Usage = defaultdict(lambda: dict.fromkeys(["responses", *CLASSES], 0))
    for model, responses, *counts in org.rows(CALLS.format(runs=runs)):
        sums[model] = {"responses": responses, **dict(zip(CLASSES, map(int, counts), strict=True))}
    rows = org.rows(runs)
    return dict(sums), [row[3] for row in rows], [row[4] for row in rows if row[4]]


def judge(served: Iterable[Served], found: Usage, completeness: Sequence[str], reasons: Sequence[str]) -> Verdict:
    """Exact in every class of every model, or marked; more than was charged is never right, whatever the mark."""
    truth = by_model(served)
    marks = sorted({f"{mark}" for mark in completeness})
    why = "; ".join(sorted(set(reasons)))
    complete = bool(marks) and marks == ["complete"]
    if found == truth:
        return Verdict("exact", why, marks, truth, found)
    differences = list(_differences(truth, found))
    note = ", ".join(differences) + (f" [{why}]" if why else "")
    too_much = [one for one in differences if one.split(" ")[-1].startswith("+")]
    if complete or not marks:
        return Verdict("WRONG", f"not marked: {note}" if marks else f"no agent run: {note}", marks, truth, found)
    if too_much and not _moved(truth, found) and "estimated" not in marks:
        return Verdict("WRONG", f"too much: {note}", marks, truth, found)
    return Verdict("marked", note, marks, truth, found)


def _differences(truth: Usage, found: Usage) -> Iterable[str]:
    for model in sorted(truth.keys() | found.keys()):
        for name in ("responses", *CLASSES):
            change = found.get(model, {}).get(name, 0) - truth.get(model, {}).get(name, 0)
            if change:
                yield f"{model} {name} {change:+}"


def _moved(truth: Usage, found: Usage) -> bool:
    """Whether nothing is too much once prompt tokens may stand in another class of the prompt: a log that does not
    tell cache writes, or their lifetime, has them elsewhere, and its agent run is marked.
    """

    def prompt(usage: dict[str, int]) -> int:
        return sum(usage.get(name, 0) for name in ("input", "cache_read", *WRITES))

    return all(
        prompt(usage) <= prompt(truth.get(model, {}))
        and all(usage[name] <= truth.get(model, {}).get(name, 0) for name in ("responses", "output", "reasoning"))
        for model, usage in found.items()
    )


def leaks(stage: Stage) -> list[str]:
    """`table: kind of word` for each place in the App's database that holds a word which must not leave the runner.

    What is stored compressed, the records among it, is looked at as it was sent.
    """
    found = set()
    with stage.database.reading() as session:
        connection = session.connection()
        tables = [name for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))]
        for table in tables:
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                content = b"\0".join(map(_bytes, row))
                found |= {f"{table}: {kind}" for kind, word in CANARIES.items() if word.encode() in content}
    return sorted(found)


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value

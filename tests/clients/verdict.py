"""Holds what the App has in its books against what the stand-in charged."""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from sqlalchemy import text

from tests.clients.script import CANARIES
from tests.clients.truth import CLASSES, Served, Usage, by_model
from tests.e2e.stage import Organisation, Stage

WRITES = ("cache_write_5m", "cache_write_1h", "cache_write_other")
RUNS = "SELECT id, session, completeness, completeness_reason FROM agent_run WHERE account_id = :account"
OF_JOB = " AND workflow_job_id IN (SELECT id FROM workflow_job WHERE account_id = :account AND run_id = {run_id})"
FROM_CALLS = " FROM model_call WHERE account_id = :account AND agent_run_id IN (SELECT id FROM ({runs}))"
CALLS = "SELECT model, count(*), " + ", ".join(f"sum({name}_tokens)" for name in CLASSES) + FROM_CALLS + " GROUP BY 1"
CHILDREN = "SELECT count(*)" + FROM_CALLS + " AND subagent"


@dataclass(frozen=True)
class Booked:
    """What the App has: sums by model, and of each agent run its session, mark and reason."""

    usage: Usage
    sessions: Sequence[str] = ()
    marks: Sequence[str] = ()
    reasons: Sequence[str] = ()
    children: int = 0  # calls that are marked as a sub-agent's


@dataclass(frozen=True)
class Verdict:
    """`outcome`: "exact", "marked", "unknown" or "WRONG". `lacks`: what differs; `marks`: how agent runs are marked."""

    outcome: str
    lacks: str
    marks: Sequence[str]
    reasons: Sequence[str]

    @property
    def wrong(self) -> bool:
        return self.outcome == "WRONG"


def booked(org: Organisation, run_id: int | None) -> Booked:
    """What is booked for a workflow run, or with None for the whole account."""
    runs = RUNS + (OF_JOB.format(run_id=run_id) if run_id is not None else "")
    sums: Usage = {}
    for model, responses, *counts in org.rows(CALLS.format(runs=runs)):
        sums[model] = {"responses": responses, **dict(zip(CLASSES, map(int, counts), strict=True))}
    rows = org.rows(runs)
    _, sessions, marks, reasons = zip(*rows, strict=True) if rows else ((),) * 4
    ((children,),) = org.rows(CHILDREN.format(runs=runs))
    return Booked(sums, sessions, marks, reasons, children)


# ---- is it right? --------------------------------------------------------------------------------------------------


def judge(served: Sequence[Served], found: Booked) -> Verdict:
    """Exact in every class of every model, or marked. More than was charged is never right, whatever the mark.

    Reasoning is a part of the output and never charged for: a log that does not tell it apart is exact all the same,
    and the verdict says so.
    """
    marks, reasons = sorted(set(found.marks)), sorted(set(filter(None, found.reasons)))
    lacks = described(served, found.usage)
    if lacks in {"", NO_REASONING}:
        return Verdict("exact", lacks, marks, reasons)
    if marks in ([], ["complete"]) or _too_much(served, found):
        return Verdict("WRONG", lacks, marks, reasons)
    return Verdict("marked", lacks, marks, reasons)


def _too_much(served: Sequence[Served], found: Booked) -> bool:
    """Whether more is booked than was charged. Prompt tokens may stand in another class of the prompt than in truth:
    a log that does not tell cache writes, or their lifetime, has them elsewhere.
    """
    if "estimated" in found.marks:
        return False
    truth = by_model(served)
    return any(
        _prompt(usage) > _prompt(truth.get(model, {}))
        or any(usage[name] > truth.get(model, {}).get(name, 0) for name in ("responses", "output", "reasoning"))
        for model, usage in found.usage.items()
    )


def _prompt(usage: Mapping[str, int]) -> int:
    return sum(usage.get(name, 0) for name in ("input", "cache_read", *WRITES))


# ---- what differs, in words ----------------------------------------------------------------------------------------

NO_REASONING = "reasoning is not told apart"
Change = Callable[[Sequence[Served]], Sequence[Served]]
CHANGES: Mapping[str, Change] = {
    "without the answer in flight": lambda served: [one for one in served if one.whole],
    "without side calls": lambda served: [one for one in served if one.kind != "side"],
    "cache writes without their lifetime": lambda served: [_lumped(one) for one in served],
    NO_REASONING: lambda served: [replace(one, tokens=replace(one.tokens, reasoning=0)) for one in served],
}


def _lumped(served: Served) -> Served:
    tokens = served.tokens
    written = tokens.cache_write_5m + tokens.cache_write_1h + tokens.cache_write_other
    return replace(served, tokens=replace(tokens, cache_write_5m=0, cache_write_1h=0, cache_write_other=written))


def described(served: Sequence[Served], found: Usage) -> str:
    """What is booked in terms of what was charged: the fewest changes that give just that, else the differences."""
    for chosen in sorted(product((False, True), repeat=len(CHANGES)), key=sum):
        names = [name for name, wanted in zip(CHANGES, chosen, strict=True) if wanted]
        changed = served
        for name in names:
            changed = CHANGES[name](changed)
        if by_model(changed) == found:
            return ", ".join(names)
    return ", ".join(_differences(by_model(served), found))


def _differences(truth: Usage, found: Usage) -> Iterator[str]:
    for model in sorted(truth.keys() | found.keys()):
        for name in ("responses", *CLASSES):
            change = found.get(model, {}).get(name, 0) - truth.get(model, {}).get(name, 0)
            if change:
                yield f"{model} {name} {change:+}"


# ---- does it leak? -------------------------------------------------------------------------------------------------


def leaks(stage: Stage) -> Iterator[str]:
    """Where the App has a word that must not leave the runner, in its database or its log."""
    for place in holders(stage, CANARIES):
        yield f"a word of a runner is in the database: {place}"
    log = stage.server.log()
    for kind in (kind for kind, word in CANARIES.items() if word in log):
        yield f"a word of a runner is in the App's log: {kind}"
    if "record: team" not in holders(stage, {"team": "payments"}):
        yield "the search for words finds nothing, not even what is there"


def holders(stage: Stage, words: Mapping[str, str]) -> list[str]:
    """`table: name of the word` for each place in the database that holds one.

    What is stored compressed, the records among it, is looked at as it was sent.
    """
    found: dict[str, set[str]] = defaultdict(set)
    with stage.database.reading() as session:
        connection = session.connection()
        tables = [name for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))]
        for table in tables:
            rows = connection.execute(text(f'SELECT * FROM "{table}"'))
            found[table] |= set(_held((b"\0".join(map(_bytes, row)) for row in rows), words))
    return sorted(f"{table}: {name}" for table, names in found.items() for name in names)


def _held(contents: Iterable[bytes], words: Mapping[str, str]) -> Iterator[str]:
    for content in contents:
        yield from (name for name, word in words.items() if word.encode() in content)


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value

"""The execution file of claude-code-action and the agent SDK: a JSON array of the messages of one run.

Read with the agent SDK 0.3.330. Where: `claude-execution-output*.json` in the runner's temporary folder.

What its fields mean, and why the transcript is preferred:

* `assistant` events carry the usage of a response's beginning: input and cache counts are final, `output_tokens` is
  a placeholder. Their output is never used.
* `result.model_usage_since_last_result` (from 2.1.318) is this run's totals by model, sub-agents and side calls
  included. `result.modelUsage` is this run's up to 2.1.276 and the whole session's from 2.1.277.

Rules:

* A session that has a transcript is counted from it. The totals here are a cross-check only: more tokens here mean
  that the transcript lacks side calls, so the run is a lower bound.
* A session without one (`--no-session-persistence`) is counted from here: each response with its own input and
  cache counts, and one more call for each model with what its totals have beyond that, mostly output. Sums are
  exact, but which call had how much output is not known, so the run is marked as estimated.
* Without totals that are surely this run's own, only what the events say counts, as a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from .calls import ESTIMATED, LOWER_BOUND, Call, Refused, content_id, count, digest, label, mapping, text, word
from .calls import microseconds as read_instant
from .claude_message import call_of, provider_of, tokens_of, tokens_of_calls
from .claude_transcript import MORE_THAN_LOGGED, Session
from .costs import decimal_text, money
from .files import LogFile, elements, open_regular
from .places import Place, Surroundings
from .sources import BROKEN, Gathered

AGENT = "claude-code"
NAME = "claude-code execution file"
SUFFIXES: tuple[str, ...] = (".json",)
VARIABLES: tuple[str, ...] = ()
FILE_LIMIT = 64 << 20
BY_TOTALS = "output is known for each model, not for each call"
NO_TOTALS = "the run's own totals are missing"
TOTALS_BECAME_CUMULATIVE = (2, 1, 277)


def places(where: Surroundings) -> Iterator[Place]:
    """The runner's temporary folder itself."""
    return where.in_temporary(prefix="claude-execution-output", deep=False)


def recognises(record: dict[str, object]) -> bool:
    """True for an event of such a file."""
    return isinstance(record.get("session_id"), str) and record.get("type") in ("system", "assistant", "user", "result")


class Execution:
    """One file, read."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.session = self.version = self.workdir = ""
        self.calls: dict[str, Call] = {}
        self.results: list[dict[str, object]] = []
        self.broken = False


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Cross-check the sessions that have a transcript, add those that have none."""
    for file in files:
        if gathered.window.touched(file) and file.changed_us >= (gathered.window.start_us or 0):
            _tell(_execution(file), gathered)


def _execution(file: LogFile) -> Execution:
    made = Execution(file)
    try:
        with open_regular(file.path) as opened:
            content = opened.read(FILE_LIMIT).decode("utf-8", "replace")
    except OSError:
        content = ""
    for event in elements(content):
        _take(made, event)
    made.broken = made.broken or not made.results or not content.rstrip().endswith("]")
    return made


def _take(made: Execution, event: dict[str, object]) -> None:
    made.session = made.session or text(event.get("session_id"), 128)
    kind = event.get("type")
    if kind == "system" and event.get("subtype") == "init":
        made.version = label(event.get("claude_code_version"))
        made.workdir = text(event.get("cwd"), 4096)
    elif kind == "assistant":
        _take_answer(made, event)
    elif kind == "result":
        names = ("modelUsage", "model_usage_since_last_result", "total_cost_usd", "uuid")
        made.results.append({name: event[name] for name in names if name in event})


def _take_answer(made: Execution, event: dict[str, object]) -> None:
    message = mapping(event.get("message"))
    if message.get("model") == "<synthetic>":
        return
    try:
        at_us = read_instant(event.get("timestamp"))
    except Refused:  # older versions give no times
        at_us = made.file.changed_us
    try:
        call = call_of(message, at_us)
    except Refused:
        made.broken = True
        return
    call.subagent = bool(event.get("parent_tool_use_id"))
    call.output = call.reasoning = 0
    made.calls.setdefault(call.id, call)


def _tell(made: Execution, gathered: Gathered) -> None:
    session = gathered.sessions.get(word(made.session))
    if isinstance(session, Session) and _in_transcript(made, session):
        _cross_check(made, session, gathered)
    elif made.calls or made.results:
        _count(made, gathered)
    elif made.broken:
        gathered.unreadable(AGENT, made.file, BROKEN)


def _in_transcript(made: Execution, session: Session) -> bool:
    """False for a run that went on with a session without writing to its transcript."""
    logged = {message for message, _ in session.calls}
    return bool(logged) and (not made.calls or not logged.isdisjoint(made.calls))


def _cross_check(made: Execution, session: Session, gathered: Gathered) -> None:
    run = gathered.runs.get((AGENT, word(made.session)))
    if not run:
        return
    try:
        told = [tokens_of(totals) for totals in _totals(made)]
        reported = _reported(made)
    except Refused:
        return
    summed = [sum(column) for column in zip(*told)] if told else [0, 0, 0, 0]
    if session.comparable and any(a > b for a, b in zip(summed, tokens_of_calls(session.known.values()))):
        run.doubt(LOWER_BOUND, MORE_THAN_LOGGED)
    ids = {call.alias for call in run.calls if not call.subagent}
    if not run.reported_cost_usd and ids and ids <= made.calls.keys():
        run.reported_cost_usd = reported


def _totals(made: Execution) -> list[object]:
    """Totals by model of each result that are surely of this run alone."""
    since = [result.get("model_usage_since_last_result") for result in made.results]
    if since and all(isinstance(totals, dict) for totals in since):
        return since
    if made.results and _version(made.version) < TOTALS_BECAME_CUMULATIVE:
        return [made.results[-1].get("modelUsage")]
    return []


def _version(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else TOTALS_BECAME_CUMULATIVE


def _reported(made: Execution) -> str:
    costs = [mapping(model).get("costUSD") for totals in _totals(made) for model in mapping(totals).values()]
    return decimal_text(sum((money(cost) for cost in costs), Decimal(0))) if costs else ""


def _count(made: Execution, gathered: Gathered) -> None:
    if not all(gathered.window.holds(call.at_us) for call in made.calls.values()):
        return
    run = gathered.run(AGENT, made.session)
    run.version = made.version
    run.workdir_sha256 = digest(made.workdir) if made.workdir else ""
    run.calls += made.calls.values()
    try:
        totals = _totals(made)
        remainders = list(_remainders(made, totals))
        run.reported_cost_usd = _reported(made)
    except Refused:
        totals, remainders = [], []
    run.calls += remainders
    if totals:
        run.doubt(ESTIMATED, BY_TOTALS)
    else:
        run.doubt(LOWER_BOUND, NO_TOTALS)
    if made.broken:
        run.doubt(LOWER_BOUND, BROKEN)


def _remainders(made: Execution, totals: list[object]) -> Iterator[Call]:
    """For each model one call with what the totals have beyond the events."""
    at_us = max((call.at_us for call in made.calls.values()), default=made.file.changed_us)
    models = list(dict.fromkeys(name for each in totals for name in mapping(each)))
    for name in models:
        told = [mapping(mapping(each).get(name)) for each in totals]
        call = Call(content_id("claude-code", made.session, at_us, name), provider_of(name), text(name), at_us)
        _fill(call, told, [held for held in made.calls.values() if held.model == name])
        if call.prompt or call.output or call.searches:
            yield call


def _fill(call: Call, told: list[dict[str, object]], held: list[Call]) -> None:
    def beyond(field: str, have: int) -> int:
        return max(0, sum(count(totals, field, 0) for totals in told) - have)

    call.input = beyond("inputTokens", sum(each.input for each in held))
    call.output = beyond("outputTokens", 0)
    call.reasoning = min(call.output, beyond("thinkingTokens", 0))
    call.cache_read = beyond("cacheReadInputTokens", sum(each.cache_read for each in held))
    call.cache_write_5m = beyond("cacheCreationEphemeral5mInputTokens", sum(each.cache_write_5m for each in held))
    call.cache_write_1h = beyond("cacheCreationEphemeral1hInputTokens", sum(each.cache_write_1h for each in held))
    written = beyond("cacheCreationInputTokens", sum(tokens_of_calls([each])[2] for each in held))
    call.cache_write_other = max(0, written - call.cache_write_5m - call.cache_write_1h)
    call.searches = beyond("webSearchRequests", sum(each.searches for each in held))

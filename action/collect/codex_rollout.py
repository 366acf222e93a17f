"""Codex's rollouts: one JSON line for each thing that happened in a thread.

Read with versions 0.63.0, 0.118.0 and 0.169.0. Where: `sessions/<date>/rollout-<time>-<thread>.jsonl` below
`~/.codex` or `CODEX_HOME`, and `archived_sessions`; sub-agents have rollouts of their own in the same tree.

What the token fields mean:

* `input_tokens` includes `cached_input_tokens` (cache reads) and `cache_write_input_tokens`; both are taken out.
  The lifetime of a cache write is not told. Up to 0.118 writes are not logged: they stand in the input, so these
  runs are a lower bound.
* `output_tokens` includes `reasoning_output_tokens`.
* A `token_usage_record` (0.169) is one response with its id. A `token_count` event is a running display:
  `total_token_usage` is the thread's total, `last_token_usage` the last response.

Rules:

* Where a file has `token_usage_record` lines they alone count, one call for each response id. `token_count` lines
  count only before the first of them.
* A `token_count` counts its `last_token_usage` only when the total differs from the one before it in the file: old
  versions repeat the event, also after a resume and under another model. A smaller total is a counter reset.
* A fork starts at its parent's total, so totals are never used as usage. Events that a fork or a sub-agent copied
  from its parent (same total and same last usage) belong to the parent.
* The model is that of the latest `turn_context`.
* Calls without a response id get a hash of thread, time and counts: the same rollout read again gives the same id.
* A turn that began and did not end, totals that grow by more than the responses, and lines that cannot be read make
  the run a lower bound. `--ephemeral` writes nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from . import codex_steps
from .calls import LOWER_BOUND, Call, Refused, content_id, count, digest, label, mapping, microseconds, text, word
from .files import LINE_LIMIT, LogFile, decode
from .places import Place, Surroundings
from .shape import Shape, Step, Steps, fresh_steps
from .sources import BROKEN, CUT, LONG, Gathered, lines_until_broken, session_of_path, timestamp_of

AGENT = "codex"
NAME = "codex rollout"
SUFFIXES: tuple[str, ...] = (".jsonl", ".jsonl.zst")
VARIABLES: tuple[str, ...] = ("CODEX_HOME",)
NO_CACHE_WRITES = "this version of Codex does not log cache writes; they are counted as input"
UNANSWERED = "a turn in the log has no end"
LOST = "Codex counted more tokens than its log holds"

_OPENAI = re.compile(r"(gpt|chatgpt|codex|o[1-9])([-.\d]|$)", re.IGNORECASE)
_HEAD = 240
_MARKS = (
    b'"session_meta"', b'"turn_context"', b'"task_started"', b'"task_complete"', b'"turn_aborted"',
    *codex_steps.MARKS,
)  # fmt: skip
_FIELDS = (
    "input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens", "reasoning_output_tokens",
)  # fmt: skip
Usage = tuple[int, ...]


def places(where: Surroundings) -> Iterator[Place]:
    """The `sessions` and `archived_sessions` folders."""
    for name in ("sessions", "archived_sessions"):
        yield from where.in_homes(".codex", name)
        yield from where.named_by("CODEX_HOME", name)
        yield from where.in_temporary_folders(name)


def recognises(record: dict[str, object]) -> bool:
    """True for a line that only a rollout has."""
    return isinstance(record.get("payload"), dict) and record.get("type") in (
        "session_meta", "turn_context", "response_item", "event_msg", "token_usage_record", "world_state", "compacted",
    )  # fmt: skip


class Rollout:
    """One file, read."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.thread = self.session = self.parent = ""
        self.version = self.workdir = self.provider = self.model = ""
        self.subagent = False
        self.calls: list[tuple[int, Call, tuple[Usage, Usage] | None]] = []  # offset, call, total and last usage
        self.total: Usage | None = None
        self.recorded: Usage | None = None  # the thread's total after the latest token_usage_record
        self.problems: list[tuple[int, bytes, str]] = []
        self.open_turn: tuple[int, bytes] | None = None
        self.lacks_writes = False
        self.steps = Steps()


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Add the agent runs of these rollouts to what was gathered."""
    paths = {session_of_path(file.path): file for file in files if not file.path.endswith(".zst")}
    rollouts: dict[str, Rollout] = {}
    touched = []
    for file in files:
        if gathered.window.touched(file):
            touched += _open(file, rollouts, gathered)
    for rollout in touched:
        _ancestors(rollout, paths, rollouts)
    _tell_all(touched, rollouts, gathered)


def _open(file: LogFile, rollouts: dict[str, Rollout], gathered: Gathered) -> list[Rollout]:
    if file.path.endswith(".zst"):
        if gathered.window.start_us is None or file.changed_us >= gathered.window.start_us:
            gathered.run(AGENT, session_of_path(file.path)).doubt(LOWER_BOUND, "a compressed log cannot be read")
        return []
    rollout = _rollout(file)
    known = rollouts.setdefault(rollout.thread, rollout)
    return [rollout] if known is rollout or file.size != known.file.size else []


def _ancestors(rollout: Rollout, paths: dict[str, LogFile], rollouts: dict[str, Rollout]) -> None:
    """Read the rollouts that this one came from, so that what it copied can be told."""
    for _ in range(32):
        if not rollout.parent or rollout.parent in rollouts or rollout.parent not in paths:
            return
        rollouts[rollout.parent] = _rollout(paths[rollout.parent])
        rollout = rollouts[rollout.parent]


def _rollout(file: LogFile) -> Rollout:
    made = Rollout(file)
    for offset, line, whole in lines_until_broken(file):
        if not whole:
            _take_broken(made, offset, line)
        elif _matters(line):
            _take(made, offset, line)
        elif codex_steps.OUTPUT in line[:_HEAD]:
            codex_steps.take_output(made.steps, line)
    codex_steps.settle_turns(made.steps, made.subagent)
    made.thread = made.thread or session_of_path(file.path)
    return made


def _matters(line: bytes) -> bool:
    if b"token_count" in line or b"token_usage_record" in line:
        return True
    head = line[:_HEAD]
    return any(mark in head for mark in _MARKS)


def _take_broken(made: Rollout, offset: int, line: bytes) -> None:
    try:
        decode(line)
    except Refused:
        if len(line) < LINE_LIMIT:
            made.problems.append((offset, line[:4096], CUT))
        elif _matters(line):
            made.problems.append((offset, line[:4096], LONG))
    else:
        _take(made, offset, line)


def _take(made: Rollout, offset: int, line: bytes) -> None:
    try:
        record = mapping(decode(line))
        payload = mapping(record.get("payload"))
        kind = record.get("type")
        if kind == "event_msg":
            kind = payload.get("type")
        _dispatch(made, offset, line, str(kind), record, payload)
        codex_steps.take(made.steps, offset, str(kind), record, payload)
    except Refused:
        made.problems.append((offset, line[:4096], BROKEN))


def _dispatch(
    made: Rollout, offset: int, line: bytes, kind: str, record: dict[str, object], payload: dict[str, object]
) -> None:
    if kind == "session_meta" and not made.thread:
        _take_meta(made, payload)
    elif kind == "turn_context":
        made.model = text(payload.get("model"))
    elif kind == "task_started":
        made.open_turn = (offset, line[:4096])
    elif kind == "task_complete":
        made.open_turn = None
    elif kind == "turn_aborted":
        made.problems.append((offset, line[:4096], UNANSWERED))
        made.open_turn = None
    elif kind == "token_usage_record":
        _take_usage_record(made, offset, record, payload)
    elif kind == "token_count" and payload.get("info") is not None:
        _take_token_count(made, offset, record, mapping(payload["info"]))


def _take_meta(made: Rollout, meta: dict[str, object]) -> None:
    source = mapping(mapping(mapping(meta.get("source")).get("subagent")).get("thread_spawn"))
    made.thread = text(meta.get("id"), 128)
    made.subagent = meta.get("thread_source") == "subagent" or bool(mapping(meta.get("source")).get("subagent"))
    spawned_by = text(source.get("parent_thread_id"), 128) or text(meta.get("parent_thread_id"), 128)
    made.parent = spawned_by or text(meta.get("forked_from_id"), 128)
    made.session = text(meta.get("session_id"), 128) or spawned_by or made.thread
    made.version = label(meta.get("cli_version"))
    made.workdir = text(meta.get("cwd"), 4096)
    made.provider = label(meta.get("model_provider"), 128)


def _usage(value: object) -> Usage:
    fields = mapping(value)
    optional = {"cached_input_tokens", "cache_write_input_tokens", "reasoning_output_tokens"}
    return tuple(count(fields, name, 0 if name in optional else None) for name in _FIELDS)


def _take_usage_record(made: Rollout, offset: int, record: dict[str, object], payload: dict[str, object]) -> None:
    if not isinstance(payload.get("response_id"), str):
        raise Refused("response_id")
    identity = word(payload["response_id"])
    made.calls.append((offset, _call(made, identity, record, mapping(payload.get("usage"))), None))
    made.recorded = _usage(payload["thread_token_usage"]) if "thread_token_usage" in payload else ()


def _take_token_count(made: Rollout, offset: int, record: dict[str, object], info: dict[str, object]) -> None:
    total, last = _usage(info.get("total_token_usage")), _usage(info.get("last_token_usage"))
    previous, made.total = made.total, total
    if made.recorded is not None:
        if made.recorded and total[0] + total[3] > made.recorded[0] + made.recorded[3]:
            made.problems.append((offset, _stamp(record), LOST))
        return
    if total == previous:
        return
    if previous and any(now - then > used for now, then, used in zip(total, previous, last)):
        made.problems.append((offset, _stamp(record), LOST))
    identity = content_id(AGENT, made.thread, record.get("timestamp"), total, last)
    made.calls.append((offset, _call(made, identity, record, mapping(info.get("last_token_usage"))), (total, last)))


def _stamp(record: dict[str, object]) -> bytes:
    return b'"timestamp":"' + text(record.get("timestamp"), 40).encode("ascii", "replace") + b'"'


def _call(made: Rollout, identity: str, record: dict[str, object], fields: dict[str, object]) -> Call:
    entered, cached, written, produced, reasoned = _usage(fields)
    if cached + written > entered or reasoned > produced:
        raise Refused("usage")
    call = Call(identity, provider_of(made.provider, made.model), made.model, microseconds(record.get("timestamp")))
    call.input, call.cache_read, call.cache_write_other = entered - cached - written, cached, written
    call.output, call.reasoning = produced, reasoned
    call.subagent = made.subagent
    made.lacks_writes = made.lacks_writes or "cache_write_input_tokens" not in fields
    return call


def provider_of(logged: str, model: str) -> str:
    """Who serves the model: what the log says, but OpenAI for its own models behind a proxy with a name of its own."""
    if logged in {"", "openai"}:
        return "openai"
    if logged.startswith("azure"):
        return "azure"
    return "openai" if _OPENAI.match(model) else logged


def _tell_all(touched: list[Rollout], rollouts: dict[str, Rollout], gathered: Gathered) -> None:
    """Parents come before what was copied from them, so that a call is counted where it was made."""
    taken = {
        call.id
        for rollout in rollouts.values()
        for offset, call, _ in rollout.calls
        if offset < rollout.file.old_size or rollout not in touched
    }
    everything = {id(each): each for each in (*rollouts.values(), *touched)}.values()
    ordered = sorted(everything, key=lambda each: (_depth(each, rollouts), each.file.path))
    steps = fresh_steps([(each.steps, each.file) for each in ordered], gathered.window)
    for rollout, done in zip(ordered, steps):
        if rollout not in touched:
            continue
        copied = _pairs_of_ancestors(rollout, rollouts)
        calls = []
        for offset, call, pair in rollout.calls:
            new = offset >= rollout.file.old_size and gathered.window.holds(call.at_us)
            if new and call.id not in taken and pair not in copied:
                calls.append(call)
            if pair not in copied:
                taken.add(call.id)
        _tell(rollout, calls, done, gathered)


def _lineage(rollout: Rollout, rollouts: dict[str, Rollout]) -> Iterator[Rollout]:
    seen = {rollout.thread}
    while rollout.parent in rollouts and rollout.parent not in seen:
        rollout = rollouts[rollout.parent]
        seen.add(rollout.thread)
        yield rollout


def _depth(rollout: Rollout, rollouts: dict[str, Rollout]) -> int:
    return sum(1 for _ in _lineage(rollout, rollouts))


def _pairs_of_ancestors(rollout: Rollout, rollouts: dict[str, Rollout]) -> set[tuple[Usage, Usage] | None]:
    return {pair for each in _lineage(rollout, rollouts) for _, _, pair in each.calls if pair}


def _tell(rollout: Rollout, calls: list[Call], steps: list[Step], gathered: Gathered) -> None:
    doubts = list(dict.fromkeys(_doubts(rollout, gathered)))
    if not calls and not doubts:
        return
    run = gathered.run(AGENT, rollout.session or rollout.thread)
    run.calls += calls
    if calls or steps:
        run.shape = run.shape or Shape(reads=False, retries=False)
        run.shape.add(steps, rollout.steps.failed, int(rollout.subagent and bool(calls)))
    for reason in doubts:
        run.lacks(reason)
    if calls and rollout.lacks_writes:
        run.doubt(LOWER_BOUND, NO_CACHE_WRITES)
    run.version = run.version or rollout.version
    run.workdir_sha256 = run.workdir_sha256 or (digest(rollout.workdir) if rollout.workdir else "")


def _doubts(rollout: Rollout, gathered: Gathered) -> Iterator[str]:
    for offset, line, sentence in rollout.problems:
        if gathered.window.may_hold(rollout.file, offset, timestamp_of(line)):
            yield sentence
    if rollout.open_turn:
        offset, line = rollout.open_turn
        if gathered.window.may_hold(rollout.file, offset, timestamp_of(line)):
            yield UNANSWERED

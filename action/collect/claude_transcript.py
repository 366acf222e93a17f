"""Claude Code's own transcripts: one JSON line for each thing that happened in a session.

Read with versions 2.1.197 and 2.1.330. Where: `projects/<folder>/<session>.jsonl` below `~/.claude`,
`~/.config/claude` or `CLAUDE_CONFIG_DIR`, sub-agents in `<session>/subagents/agent-*.jsonl`.

What the token fields of an `assistant` line's `message.usage` mean:

* `input_tokens` excludes cache reads and cache writes. `output_tokens` includes thinking.
* `cache_creation_input_tokens` is all cache writes; `cache_creation.ephemeral_5m/1h_input_tokens` split it.
  Old logs lack the split: then the writes have no known lifetime.
* `output_tokens_details.thinking_tokens` is a part of the output. `server_tool_use.web_search_requests` costs extra.
* `iterations` and `toolUseResult.usage` repeat parts of what is counted already and are ignored.

Rules:

* A response is written once for each content block: one call for each (message.id, requestId) over all files,
  the last line's usage counts, at the first line's time. Model `<synthetic>` is no call. A call's id in the record
  is its requestId, as Claude Code's telemetry tells no other; calls without one have their message's.
* `--fork-session` copies earlier lines into a new file: a call belongs to the session whose file began first.
* `cost-state` lines hold the session's totals so far, forks include their parent. They give the reported cost of
  this job (last minus what stood there before) and a cross-check: more tokens there than in the lines means that
  side calls (such as a title) are not in the transcript, so the run is a lower bound.
* An `ai-title` line tells that a model made the session's title, in a call that no line holds: without a `cost-state`
  to compare with, the run is a lower bound.
* A request or a message to the model without an answer after it, an answer without a stop reason, or a line that
  cannot be read: the process was killed or the log cut. What is there counts, as a lower bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from . import claude_steps
from .calls import Call, Refused, count, digest, label, mapping, microseconds, text, word
from .files import LINE_LIMIT, LogFile, decode
from .places import Place, Surroundings
from .shape import Shape, Step, Steps, fresh_steps
from .sources import BROKEN, CUT, LONG, Gathered, is_json, lines_until_broken, session_of_path

AGENT = "claude-code"
NAME = "claude-code transcript"
SUFFIXES: tuple[str, ...] = (".jsonl",)
VARIABLES: tuple[str, ...] = ("CLAUDE_CONFIG_DIR",)
UNANSWERED = "the log ends before the model's last answer"
UNFINISHED = "an answer in the log has no end"
TITLED = "this version of Claude Code does not log the model call that makes a title"
MORE_THAN_LOGGED = "Claude Code counted more tokens than its log holds"

Key = tuple[str, str]
# What `_take` may do something about.
_MARKED = re.compile(rb'"(?:usage"|cost-state"|ai-title"|api-request"|api_error"|type": ?"user")')
# A line that says early, behind plain values, that it is a user's. No writer names a key twice.
_OF_USER = re.compile(rb'\{(?:"\w{1,40}": ?(?:null|true|false|"[^"\\]{0,100}"), ?){0,9}"type": ?"user",')
_HEAD = 300  # of a line, where its type stands
_TIMESTAMP = re.compile(rb'"timestamp":\s*"([^"]{1,40})"')
_MARKS = ("sessionId", "parentUuid", "leafUuid", "messageId")


def places(where: Surroundings) -> Iterator[Place]:
    """The `projects` folders."""
    yield from where.in_homes(".claude", "projects")
    yield from where.in_homes(".config", "claude", "projects")
    yield from where.named_by("CLAUDE_CONFIG_DIR", "projects")
    yield from where.in_temporary_folders("projects")


def recognises(record: dict[str, object]) -> bool:
    """True for a line that only a transcript has."""
    if "payload" in record or "session_id" in record or not isinstance(record.get("type"), str):
        return False
    if "systemPayload" in record or "provenance" in record or "parts" in mapping(record.get("message")):
        return False  # Qwen Code's chats look alike
    return any(isinstance(record.get(mark), str) for mark in _MARKS)


class CostState:
    """The session's totals at the end of a process, and the latest call before it."""

    def __init__(self, after_us: int, offset: int, total: Decimal, tokens: list[int]) -> None:
        self.after_us, self.offset, self.total, self.tokens = after_us, offset, total, tokens


class Transcript:
    """One file, read."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.session = ""
        self.version = ""
        self.workdir = ""
        self.began_us: int | None = None
        self.last_us = 0
        self.calls: dict[Key, Call] = {}
        self.old: set[Key] = set()  # calls that stood in the file when the job started
        self.costs: list[CostState] = []
        self.problems: list[tuple[int, bytes, str]] = []  # offset, of the line its time, sentence
        self.open_turn: tuple[int, bytes] | None = None
        self.titled_at: int | None = None  # the offset of the first title
        self.unfinished: dict[Key, int] = {}
        self.steps = Steps()
        self.subagent_of: dict[str, str] = {}  # which sub-agent made a call, by the call's id
        self.latest: tuple[object, Key, object] = (None, ("", ""), None)  # the response that the last line was of

    @property
    def order(self) -> tuple[int, int, str]:
        """Earlier files own what later ones copied. A fork's first line tells its own beginning."""
        return (self.last_us if self.began_us is None else self.began_us, self.last_us, self.file.path)

    @property
    def copied_history(self) -> bool:
        return self.began_us is not None and any(call.at_us < self.began_us for call in self.calls.values())


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Add the agent runs of these transcripts to what was gathered."""
    transcripts = [_transcript(file) for file in _whole_sessions(list(files), gathered)]
    transcripts.sort(key=lambda transcript: transcript.order)
    owners = _owners(transcripts)
    owning: dict[str, list[Transcript]] = {}
    for owner in dict.fromkeys(owners.values()):
        owning.setdefault(owner.session, []).append(owner)
    sessions: dict[str, list[Transcript]] = {}
    for transcript in transcripts:
        sessions.setdefault(transcript.session, []).append(transcript)
    before = {key for transcript in transcripts for key in transcript.old}
    fresh = fresh_steps([(transcript.steps, transcript.file) for transcript in transcripts], gathered.window)
    done = {id(transcript): steps for transcript, steps in zip(transcripts, fresh)}
    for session, parts in sessions.items():
        _tell(Session(session, parts, owners, owning), owners, before, gathered)
        _tell_shape(session, parts, [step for part in parts for step in done[id(part)]], gathered)


def _whole_sessions(files: list[LogFile], gathered: Gathered) -> Iterator[LogFile]:
    """The files of every session of which any file may hold something new: totals are compared over all of them."""

    def group(file: LogFile) -> str:
        return re.split(r"[\\/]subagents[\\/]", file.path)[0].removesuffix(".jsonl")

    touched = {group(file) for file in files if gathered.window.touched(file)}
    return (file for file in files if group(file) in touched)


def _transcript(file: LogFile) -> Transcript:
    made = Transcript(file)
    made.began_us = _began_in(file)
    for offset, line, whole in lines_until_broken(file, _MARKED):
        _take(made, offset, line, whole)
    if made.open_turn:
        made.open_turn = (made.open_turn[0], _stamp(made.open_turn[1]))
    made.session = made.session or session_of_path(file.path)
    return made


def _began_in(file: LogFile) -> int | None:
    """The time of the first line that has one."""
    for _, line, whole in lines_until_broken(file):
        began_us = _began(line)
        if began_us is not None and (whole or is_json(line)):
            return began_us
    return None


def _stamp(line: bytes) -> bytes:
    """What of a line is kept for later: the part with its time."""
    found = _TIMESTAMP.search(line)
    return found.group() if found else b""


def _take(made: Transcript, offset: int, line: bytes, whole: bool) -> None:
    """One line. Only those that may hold usage are decoded; the others are looked at as bytes."""
    if not whole:
        _take_broken(made, offset, line)
        return
    if not _OF_USER.match(line) and _may_hold_usage(line):
        try:
            _take_record(made, offset, line, decode(line))
        except Refused:
            made.problems.append((offset, _stamp(line), BROKEN))
    elif _asks(line):
        made.open_turn = (offset, line)
        claude_steps.take_line(made.steps, offset, line)
    elif b'"api_error"' in line[:_HEAD]:
        claude_steps.take_retry(made.steps, offset, line)
    elif made.titled_at is None and line.startswith((b'{"type":"ai-title",', b'{"type": "ai-title",')):
        made.titled_at = offset


def _may_hold_usage(line: bytes) -> bool:
    return (b'"usage"' in line and b'"assistant"' in line) or b'"cost-state"' in line


def _take_broken(made: Transcript, offset: int, line: bytes) -> None:
    """A last line without a line break may be whole all the same; one that is too long may be no answer at all."""
    try:
        decode(line)
    except Refused:
        long = len(line) >= LINE_LIMIT
        if not long or (b'"usage"' in line and b'"assistant"' in line):
            made.problems.append((offset, _stamp(line[:4096]), LONG if long else CUT))
    else:
        _take(made, offset, line, True)


def _began(line: bytes) -> int | None:
    found = _TIMESTAMP.search(line)
    try:
        return microseconds(found.group(1).decode("ascii", "replace")) if found else None
    except Refused:
        return None


def _asks(line: bytes) -> bool:
    """True for a line after which the model answers. Quotes inside of text are escaped, so this finds real keys."""
    if line.startswith((b'{"type":"api-request",', b'{"type": "api-request",')):
        return True
    colon = line.find(b'":') + 2
    if line[colon : colon + 1] == b" ":  # who wrote the line puts a space after each colon, or after none
        return b'"type": "user"' in line and b'"isMeta": true' not in line
    return b'"type":"user"' in line and b'"isMeta":true' not in line


def _take_record(made: Transcript, offset: int, line: bytes, found: object) -> None:
    record = mapping(found)
    if record.get("type") == "cost-state":
        made.costs.append(_cost_state(made, offset, record))
    elif record.get("type") == "user":  # a tool's result may hold usage too
        claude_steps.take_line(made.steps, offset, line)
        if record.get("isMeta") is not True:
            made.open_turn = (offset, line)
    elif record.get("type") == "assistant":
        made.open_turn = None
        if not made.session:
            made.session = text(record.get("sessionId"), 128)
            made.workdir = text(record.get("cwd"), 4096)
        if record.get("version") != made.version:
            made.version = label(record.get("version")) or made.version
        message = mapping(record.get("message"))
        _take_answer(made, offset, record, message)
        if made.latest[1] in made.calls:
            claude_steps.take_answer(made.steps, offset, made.calls[made.latest[1]].at_us, message)


def _take_answer(made: Transcript, offset: int, record: dict[str, object], message: dict[str, object]) -> None:
    if message.get("model") == "<synthetic>":
        return
    if message.get("id") != made.latest[0] or message.get("usage") != made.latest[2]:
        made.latest = (message.get("id"), _take_call(made, record, message), message.get("usage"))
    key = made.latest[1]
    if message.get("stop_reason"):
        made.unfinished.pop(key, None)
    else:
        made.unfinished[key] = offset
    if offset < made.file.old_size:
        made.old.add(key)


def _take_call(made: Transcript, record: dict[str, object], message: dict[str, object]) -> Key:
    """Count a response, or replace what an earlier block of it said; the earliest block tells its time."""
    call = call_of(message, microseconds(record.get("timestamp")))
    call.subagent = record.get("isSidechain") is True
    if call.subagent:
        made.subagent_of[call.id] = text(record.get("agentId"), 128)
    key = (call.id, text(record.get("requestId"), 128))
    earlier = made.calls.get(key)
    if earlier:
        call.at_us = min(call.at_us, earlier.at_us)
    made.calls[key] = call
    made.last_us = max(made.last_us, call.at_us)
    return key


def call_of(message: dict[str, object], at_us: int) -> Call:
    """A call from an API message. Refused without an id, an input and an output count."""
    if not isinstance(message.get("id"), str):
        raise Refused("id")
    usage = mapping(message.get("usage"))
    model = text(message.get("model"))
    call = Call(word(message["id"]), provider_of(model), model, at_us)
    call.input = count(usage, "input_tokens")
    call.output = count(usage, "output_tokens")
    call.reasoning = min(call.output, count(mapping(usage.get("output_tokens_details")), "thinking_tokens", 0))
    call.cache_read = count(usage, "cache_read_input_tokens", 0)
    split = mapping(usage.get("cache_creation"))
    call.cache_write_5m = count(split, "ephemeral_5m_input_tokens", 0)
    call.cache_write_1h = count(split, "ephemeral_1h_input_tokens", 0)
    written = count(usage, "cache_creation_input_tokens", 0)
    call.cache_write_other = max(0, written - call.cache_write_5m - call.cache_write_1h)
    call.searches = count(mapping(usage.get("server_tool_use")), "web_search_requests", 0)
    call.tier = label(usage.get("service_tier"))
    call.speed = label(usage.get("speed"))
    return call


@lru_cache(maxsize=100)
def provider_of(model: str) -> str:
    """Who serves a model, as far as its name alone tells: Bedrock and Vertex have their own forms of Claude's names."""
    if model.startswith("arn:aws") or re.match(r"([a-z]{2,6}\.)?anthropic\.", model):
        return "aws"
    if re.match(r"claude-[\w.-]+@", model):
        return "google"
    return "anthropic"


def _cost_state(made: Transcript, offset: int, record: dict[str, object]) -> CostState:
    return CostState(made.last_us, offset, money(record.get("totalCostUSD")), tokens_of(record.get("modelUsage")))


def money(value: object) -> Decimal:
    """An amount in USD that the agent reports, or a refusal."""
    try:
        amount = Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else Decimal(-1)
    except InvalidOperation as problem:
        raise Refused("cost") from problem
    if not 0 <= amount < 10**9:
        raise Refused("cost")
    return amount


def tokens_of(usage: object) -> list[int]:
    """Input, cache reads, cache writes and output of a `modelUsage` object, over all its models."""
    names = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens", "outputTokens")
    models = [mapping(model) for model in mapping(usage).values()]
    return [sum(count(model, name, 0) for model in models) for name in names]


def tokens_of_calls(calls: Iterable[Call]) -> list[int]:
    """The same four sums over calls."""
    sums = [0, 0, 0, 0]
    for call in calls:
        written = call.cache_write_5m + call.cache_write_1h + call.cache_write_other
        for index, tokens in enumerate((call.input, call.cache_read, written, call.output)):
            sums[index] += tokens
    return sums


def _owners(transcripts: list[Transcript]) -> dict[Key, Transcript]:
    """The file that each call belongs to: the earliest that holds it."""
    owners: dict[Key, Transcript] = {}
    for transcript in transcripts:
        for key in transcript.calls:
            owners.setdefault(key, transcript)
    return owners


class Session:
    """A session's files together, as cross-checks need them."""

    def __init__(
        self, name: str, parts: list[Transcript], owners: dict[Key, Transcript], owning: dict[str, list[Transcript]]
    ) -> None:
        self.name, self.parts = name, parts
        self.calls = {key: call for part in parts for key, call in part.calls.items()}
        self.parents = {owners[key].session: owners[key] for key in self.calls if owners[key] not in parts}
        family = [owner for session in {name, *self.parents} for owner in owning.get(session, ())]
        family.sort(key=lambda owner: owner.order)
        self.known = {key: call for owner in family for key, call in owner.calls.items()}
        # A fork whose parent is not here includes what cannot be seen.
        self.comparable = bool(self.parents) or not any(part.copied_history for part in parts)


def _tell(session: Session, owners: dict[Key, Transcript], before: set[Key], gathered: Gathered) -> None:
    name, parts = session.name, session.parts
    gathered.sessions[word(name)] = session
    own = {key: call for key, call in session.calls.items() if owners[key] in parts}
    new = {key: call for key, call in own.items() if key not in before and gathered.window.holds(call.at_us)}
    doubts = list(dict.fromkeys(_doubts(session, new, gathered)))
    if not new and not doubts:
        return
    run = gathered.run(AGENT, name)
    run.calls += _with_own_ids(new)
    for reason in doubts:
        run.lacks(reason)
    run.version = next((part.version for part in reversed(parts) if part.version), "")
    workdir = next((part.workdir for part in parts if part.workdir), "")
    run.workdir_sha256 = digest(workdir) if workdir else ""
    if new and session.comparable:
        run.reported_cost_usd = _reported(session, new)


def _tell_shape(name: str, parts: list[Transcript], steps: list[Step], gathered: Gathered) -> None:
    """What the session's agents did in this job, where it made a call."""
    run = gathered.runs.get((AGENT, word(name)))
    if run and (run.calls or steps):
        agents = {part.subagent_of.get(call.alias) for part in parts for call in run.calls if call.subagent}
        run.shape = run.shape or Shape(reads=True, retries=True)
        run.shape.add(steps, (key for part in parts for key in part.steps.failed), len(agents - {None, ""}))


def _with_own_ids(calls: dict[Key, Call]) -> list[Call]:
    """Calls with the id of their request, by which Claude Code's telemetry knows them, else with that of the message.

    A proxy may repeat an id: then the other one tells the later call apart.
    """
    seen: set[str] = set()
    for (message, request), call in sorted(calls.items(), key=lambda item: item[1].at_us):
        call.alias = message
        call.id = word(request) if request else message
        if call.id in seen:
            call.id = word(f"{message}:{request}")
        seen.add(call.id)
    return list(calls.values())


def _doubts(session: Session, new: dict[Key, Call], gathered: Gathered) -> Iterator[str]:
    window = gathered.window
    for part in session.parts:
        for offset, line, sentence in part.problems:
            found = _TIMESTAMP.search(line)
            if window.may_hold(part.file, offset, found.group(1).decode("ascii", "replace") if found else None):
                yield sentence
        if part.open_turn:
            offset, line = part.open_turn
            found = _TIMESTAMP.search(line)
            if found and window.may_hold(part.file, offset, found.group(1).decode("ascii", "replace")):
                yield UNANSWERED
        if any(key in new for key in part.unfinished):
            yield UNFINISHED
    if new and any(_titled_unseen(part) for part in session.parts):
        yield TITLED
    if new and session.comparable and _more_than_logged(session):
        yield MORE_THAN_LOGGED


def _titled_unseen(part: Transcript) -> bool:
    """Whether a title was made in this job, and nothing tells what it cost. A resumed session keeps its old line."""
    return part.titled_at is not None and part.titled_at >= part.file.old_size and not part.costs


def _more_than_logged(session: Session) -> bool:
    logged = tokens_of_calls(session.known.values())
    totals = [cost.tokens for part in session.parts for cost in part.costs[-1:]]
    return any(told > held for tokens in totals for told, held in zip(tokens, logged))


def _reported(session: Session, new: dict[Key, Call]) -> str:
    """Claude Code's own cost of the new calls: its last total minus the total before the first of them."""
    states = [cost for part in session.parts for cost in part.costs]
    first, last = min(call.at_us for call in new.values()), max(call.at_us for call in new.values())
    if not states or states[-1].after_us < max((call.at_us for call in session.parts[0].calls.values()), default=last):
        return ""
    earlier = [cost for cost in states if cost.after_us < first]
    if not earlier:
        owners = (cost for parent in session.parents.values() for cost in parent.costs)
        earlier = [cost for cost in owners if cost.after_us < first]
    seen_before = any(key not in new for key in session.calls)
    if seen_before and not earlier:
        return ""
    base = earlier[-1].total if earlier else Decimal(0)
    return decimal_text(states[-1].total - base)


def decimal_text(amount: Decimal) -> str:
    """A non-negative amount as plain digits with at most twelve decimals, or nothing."""
    if amount < 0:
        return ""
    plain = format(amount.quantize(Decimal("1e-12")), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain

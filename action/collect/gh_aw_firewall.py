"""GitHub Agentic Workflows (gh-aw): what its firewall saw of the calls that the agent inside made.

Written after the source of gh-aw and of its firewall (`token-usage/v0.25` to `v0.28`). The firewall's API proxy adds a
line to `token-usage.jsonl` for each answer. Where: `api-proxy-logs` in `sandbox/firewall/logs`,
`sandbox/firewall/audit` and `sandbox/firewall-audit-logs`, each below `gh-aw` and `gh-aw/threat-detection` in the
machine's or the runner's temporary folder, and the file that `AWF_TOKEN_USAGE_LOG` names. Two of these may be copies.

What its fields mean:

* `request_id` is the proxy's own (or the client's `x-request-id`), **not** the API's response id. `timestamp` is the
  answer's end, `duration_ms` before it the request was made.
* `input_tokens` is as the vendor tells it: for Anthropic it leaves cache reads and writes out, for OpenAI and Gemini
  it includes them. For Copilot both exist: `input_tokens_include_cache` tells, or a cache write (only the precise
  split has one), or more cached than input; else it is read as including them, as a lower bound.
* `cache_write_tokens` has no lifetime. OpenAI's are not seen: they stand in the input, a lower bound.
* `output_tokens` includes reasoning, but Gemini's thinking is extra, and mostly not logged: a lower bound.
* `status` 101 is a WebSocket with many answers, of which the last alone is kept: a lower bound.
* `purpose` marks calls that the firewall made for itself. `ai_credits_*` and `effective_tokens_*` are derived.
* `token-tracker-audit.jsonl`, beside it in newer versions, has `TRACK_START` and `TRACK_END` for each request. An
  answer whose usage the proxy could not see is told nowhere else; without this file the run is a lower bound.

Rules:

* One call for each `request_id` and `timestamp`, wherever copies lie. The session is the file's first `request_id`.
* The agent inside (Claude Code, Codex, Copilot, ...) keeps a log of its own, and a call must count once. Ids cannot
  tell: the firewall has no response id. So, as both see the same calls at the same time: where another agent's log
  holds calls between the first request here and the last answer (a minute to each side), **that log alone counts**,
  as it has the API's ids, sessions and sub-agents; when the firewall saw more tokens, those runs are a lower bound.
  Where no other log holds calls of that time, the firewall's count.
* Calls of the firewall's own purpose are in no other log and always count.
* This format is read last, when all others are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .calls import LOWER_BOUND, MISSING, AgentRun, Call, Refused, content_id, count, label, mapping, microseconds, text
from .calls import word as as_word
from .files import LogFile, decode
from .places import Place, Surroundings
from .sources import BROKEN, CUT, Gathered, lines_until_broken

AGENT = "gh-aw"
NAME = "gh-aw firewall"
SUFFIXES: tuple[str, ...] = ("token-usage.jsonl", "token-tracker-audit.jsonl")
VARIABLES: tuple[str, ...] = ("AWF_TOKEN_USAGE_LOG",)
NOT_SEEN = "the firewall could not see the usage of an answer"
NO_AUDIT = "this firewall does not tell of answers whose usage it did not see"
LAST_ONLY = "the firewall keeps the last usage of a connection only"
NO_CACHE_WRITES = "the firewall does not see OpenAI's cache writes; they are counted as input"
CACHE_UNCLEAR = "the firewall does not tell whether the input includes what was read from a cache"
NO_THINKING = "the firewall does not see what Gemini thought"
SAW_MORE = "the firewall saw more tokens than the agent's log holds"

MARGIN_US = 60 * 1_000_000
DURATION_LIMIT_MS = 6 * 3600 * 1000
MILLISECONDS_LIMIT = 8 * 10**12
_FOLDERS = (("sandbox", "firewall", "logs"), ("sandbox", "firewall", "audit"), ("sandbox", "firewall-audit-logs"))
_PROVIDERS = {"copilot": "github-copilot", "gemini": "google", "vertex": "google"}
_COMPLETION = re.compile(r"/(messages|responses|completions)$|:(stream)?generateContent$", re.IGNORECASE)


def places(where: Surroundings) -> Iterator[Place]:
    """The proxy's log folders, and the file that the firewall's variable names, with what lies beside it."""
    for top in ((), ("threat-detection",)):
        for folder in _FOLDERS:
            yield from where.in_machines_temporary("gh-aw", *top, *folder, "api-proxy-logs")
            yield from where.in_temporary("gh-aw", *top, *folder, "api-proxy-logs")
    for place in where.files_named_by("AWF_TOKEN_USAGE_LOG"):
        yield Place(place.path, prefix="token-", deep=False)


def recognises(record: dict[str, object]) -> bool:
    """True for a line of either file."""
    if isinstance(record.get("rid"), str) and str(record.get("event")).startswith("TRACK_"):
        return True
    return str(record.get("_schema")).startswith("token-usage/") and "request_id" in record


class Seen:
    """One answer that the firewall saw."""

    def __init__(self, call: Call, started_us: int, own: bool, doubts: list[str]) -> None:
        self.call, self.started_us, self.own, self.doubts = call, started_us, own, doubts


class Session:
    """What one proxy saw."""

    def __init__(self) -> None:
        self.version = ""
        self.seen: list[Seen] = []
        self.doubts: list[str] = []


class Audit:
    """What the proxies tell of requests."""

    def __init__(self) -> None:
        self.started: set[str] = set()
        self.fruitless: set[str] = set()  # requests that no model answered


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Add what the firewall saw and no other log holds."""
    sessions: dict[str, Session] = {}
    audit, requests = Audit(), set[tuple[str, str]]()
    for file in files:
        if not gathered.window.touched(file):
            continue
        if file.path.endswith("audit.jsonl"):
            _read_audit(file, audit, gathered)
        else:
            _read_usage(file, sessions, requests, gathered)
    lost = audit.started - audit.fruitless - {identity for identity, _ in requests}
    for name, session in sessions.items():
        _add_doubts(session, audit, lost)
        _tell(name, session, gathered)
    if lost and not sessions and not _anyone_else(gathered):
        gathered.run(AGENT, content_id(*sorted(lost))).doubt(MISSING, NOT_SEEN)


def _read_usage(
    file: LogFile, sessions: dict[str, Session], requests: set[tuple[str, str]], gathered: Gathered
) -> None:
    session = Session()
    for offset, line, whole in lines_until_broken(file):
        new = offset >= file.old_size
        try:
            record = _record(line)
            request = as_word(record["request_id"]), text(record.get("timestamp"))
            if session not in sessions.values():
                session = sessions.setdefault(request[0], session)
            known = request in requests
            requests.add(request)
            seen = _seen(record, request[0])
            if new and not known and gathered.window.holds(seen.call.at_us):
                session.version = label(str(record.get("_schema"))[len("token-usage/v") :])
                session.seen.append(seen)
        except Refused:
            if new and line.strip() and gathered.window.may_hold(file, offset, None):
                session.doubts.append(BROKEN if whole else CUT)
    if session.doubts and session not in sessions.values():
        sessions[content_id(AGENT, file.path)] = session


def _record(line: bytes) -> dict[str, object]:
    record = mapping(decode(line))
    if record.get("event", "token_usage") != "token_usage" or not isinstance(record.get("request_id"), str):
        raise Refused("event")
    return record


def _seen(record: dict[str, object], identity: str) -> Seen:
    provider, model = text(record.get("provider"), 64), text(record.get("model"))
    call = Call(
        identity,
        as_word(_PROVIDERS.get(provider, provider) or "unknown"),
        "" if model in {"unknown", provider} else model,
        microseconds(record.get("timestamp")),
    )
    doubts = list(_fill(call, record, provider))
    if record.get("status") == 101:
        doubts.append(LAST_ONLY)
    duration = record.get("duration_ms")
    known = isinstance(duration, (int, float)) and 0 <= duration <= DURATION_LIMIT_MS
    started_us = call.at_us - int(duration * 1000) if known else call.at_us  # type: ignore[operator]
    return Seen(call, started_us, "purpose" in record, doubts)


def _fill(call: Call, record: dict[str, object], provider: str) -> Iterator[str]:
    """Put in the counts, and tell what they leave open."""
    entered, call.output = count(record, "input_tokens"), count(record, "output_tokens")
    call.cache_read = count(record, "cache_read_tokens", 0)
    call.cache_write_other = count(record, "cache_write_tokens", 0)
    call.reasoning = count(record, "reasoning_tokens", 0)
    cached = call.cache_read + call.cache_write_other
    included = _includes_cache(record, provider, entered, cached, call.cache_write_other)
    if included is None and cached:
        yield CACHE_UNCLEAR
    call.input = entered if included is False else max(0, entered - cached)
    if call.provider == "google":
        call.output += call.reasoning
        if not call.reasoning:
            yield NO_THINKING
    if call.reasoning > call.output:
        raise Refused("reasoning_tokens")
    if provider == "openai" and not call.cache_write_other:
        yield NO_CACHE_WRITES


def _includes_cache(record: dict[str, object], provider: str, entered: int, cached: int, written: int) -> bool | None:
    """Whether the input includes what was cached; None when nothing tells."""
    told = record.get("input_tokens_include_cache")
    if isinstance(told, bool):
        return told
    if provider == "anthropic" or cached > entered:
        return False
    if provider in {"openai", "gemini", "vertex"}:
        return True
    return False if written or str(record.get("path")).endswith("/messages") else None


def _read_audit(file: LogFile, audit: Audit, gathered: Gathered) -> None:
    for offset, line, _ in lines_until_broken(file):
        try:
            record = mapping(decode(line))
        except Refused:
            continue
        at_ms, request = record.get("ts"), as_word(record.get("rid"))
        if type(at_ms) is not int or not 0 <= at_ms <= MILLISECONDS_LIMIT:
            continue
        if offset < file.old_size or not gathered.window.holds(at_ms * 1000):
            continue
        if record.get("event") == "TRACK_START":
            audit.started.add(request)
            if not _COMPLETION.search(str(record.get("path")).partition("?")[0]):
                audit.fruitless.add(request)
        elif record.get("result") == "skip_status":
            audit.fruitless.add(request)


def _add_doubts(session: Session, audit: Audit, lost: set[str]) -> None:
    if lost:
        session.doubts.append(NOT_SEEN)
    if any(seen.call.id not in audit.started and NO_AUDIT not in session.doubts for seen in session.seen):
        session.doubts.append(NO_AUDIT)


def _tell(name: str, session: Session, gathered: Gathered) -> None:
    others = _others(session, gathered)
    _cross_check(session, others)
    ids = {call.id for _, calls in others for call in calls}
    seen = [each for each in session.seen if (each.own or not others) and each.call.id not in ids]
    if not seen and (session.seen or not session.doubts or _anyone_else(gathered)):
        return
    run = gathered.run(AGENT, name)
    run.version = session.version
    taken: set[str] = set()
    for each in seen:
        if each.call.id in taken:  # a client that names its requests used a name again
            each.call.id = content_id(AGENT, each.call.id, each.call.at_us)
        taken.add(each.call.id)
        run.calls.append(each.call)
    for reason in dict.fromkeys([*session.doubts, *(reason for each in seen for reason in each.doubts)]):
        run.doubt(LOWER_BOUND if run.calls else MISSING, reason)


def _anyone_else(gathered: Gathered) -> bool:
    return any(run.calls for run in gathered.runs.values() if run.agent != AGENT)


def _others(session: Session, gathered: Gathered) -> list[tuple[AgentRun, list[Call]]]:
    """Other agents' runs with their calls of the time in which this proxy saw any."""
    if not session.seen:
        return []
    first = min(each.started_us for each in session.seen) - MARGIN_US
    last = max(each.call.at_us for each in session.seen) + MARGIN_US
    found = []
    for run in gathered.runs.values():
        calls = [call for call in run.calls if first <= call.at_us <= last]
        if calls and run.agent != AGENT:
            found.append((run, calls))
    return found


def _cross_check(session: Session, others: list[tuple[AgentRun, list[Call]]]) -> None:
    saw = sum(each.call.prompt + each.call.output for each in session.seen if not each.own)
    if saw > sum(call.prompt + call.output for _, calls in others for call in calls):
        for run, _ in others:
            run.doubt(LOWER_BOUND, SAW_MORE)

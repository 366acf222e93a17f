"""Qwen Code's chats: one JSON line for each thing that happened in a session.

Read with versions 0.15.10 and 0.24.4. Where: `projects/<project>/chats/<session>.jsonl` below `~/.qwen`
(`QWEN_HOME`, `QWEN_RUNTIME_DIR`), old ones in `chats/archive`. Beside them `<session>.ledger.jsonl` holds prompts, and
`subagents/` what sub-agents said; their calls are in the session's own chat.

What the fields of a `ui_telemetry` row mean whose `uiEvent` is a `qwen-code.api_response`:

* `input_token_count` includes `cached_content_token_count` (cache reads).
* `output_token_count` includes `thoughts_token_count`, unlike Gemini CLI's, which Qwen Code came from; but not with
  Google's own API, where `total_token_count` shows that thoughts came on top.
* With Anthropic's API, cache writes stand in the input or, in older versions, nowhere: these runs are a lower bound.
* `auth_type` is the API that was spoken, not who serves the model: `openai` is any server that is compatible. The
  model's name tells its vendor; a name with a `/` is that of a host that is not named.

Rules:

* One call for each `response_id`, or hash of the prompt's id, time and counts where there is none. Copies in a fork
  belong to the session that the prompt's id begins with, where its chat has them too.
* The `usageMetadata` of `assistant` rows lacks sub-agents. It counts, as a lower bound, only where a chat has no
  telemetry at all.
* A chat that ends before the model's answer, answers without usage (some servers do not tell it), and lines that
  cannot be read make the run a lower bound.
* `usage_record.jsonl` holds totals by session, which grow when it is continued. They are a cross-check, never added:
  more tokens there than in the chat (suggestions, titles) make a lower bound; no chat at all is a missing run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from .calls import (
    LOWER_BOUND,
    MISSING,
    Call,
    Refused,
    content_id,
    count,
    digest,
    label,
    mapping,
    microseconds,
    text,
    word,
)
from .files import LINE_LIMIT, LogFile, decode
from .places import Place, Surroundings
from .sources import BROKEN, CUT, LONG, NO_USAGE, Gathered, is_json, lines_until_broken, session_of_path, timestamp_of

AGENT = "qwen-code"
NAME = "qwen chat"
SUFFIXES: tuple[str, ...] = (".jsonl",)
VARIABLES: tuple[str, ...] = ("QWEN_HOME", "QWEN_RUNTIME_DIR")
UNANSWERED = "the log ends before the model's last answer"
NO_TELEMETRY = "the chat has no telemetry; calls of sub-agents are not in it"
MANAGED = "a managed session's calls are not in its log"
MORE_THAN_LOGGED = "Qwen Code counted more tokens than its log holds"
NO_CACHE_WRITES = "Qwen Code does not tell Anthropic's cache writes apart"
NO_CHAT = "Qwen Code kept no chat of this session"

_TOTALS = "usage_record"
_TYPE = re.compile(rb'"type":\s*"(user|assistant|tool_result|system)"')
_HEAD = 600
_EVENT = (
    "input_token_count", "cached_content_token_count", "output_token_count", "thoughts_token_count",
    "total_token_count",
)  # fmt: skip
_METADATA = (
    "promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount",
)  # fmt: skip
_VENDORS = (
    ("google", re.compile(r"gemini|gemma")), ("anthropic", re.compile(r"claude")), ("x-ai", re.compile(r"grok")),
    ("openai", re.compile(r"(gpt|chatgpt|codex)\b|o[1-9]\b")), ("deepseek", re.compile(r"deepseek")),
    ("zhipuai", re.compile(r"glm")), ("moonshotai", re.compile(r"kimi|moonshot")), ("minimax", re.compile(r"minimax")),
    ("mistral", re.compile(r"(mi|code|dev|magi|mini)stral")), ("alibaba", re.compile(r"qwen|qwq|qvq|coder-model")),
)  # fmt: skip
_SPOKEN = {"gemini": "google", "vertex-ai": "google", "anthropic": "anthropic", "qwen-oauth": "alibaba"}


def places(where: Surroundings) -> Iterator[Place]:
    """The `chats` folder of every project, and the folder of the totals."""
    roots = list(where.in_homes(".qwen", prefix=_TOTALS, deep=False))
    roots += [root for name in VARIABLES for root in where.named_by(name, prefix=_TOTALS, deep=False)]
    for root in roots:
        yield root
        yield from Place(os.path.join(root.path, "projects"), root.inside).each("chats", but=(".ledger.jsonl",))


def recognises(record: dict[str, object]) -> bool:
    """True for a line that only a chat has, or one of the totals."""
    if not isinstance(record.get("sessionId"), str):
        return False
    if "type" not in record:
        return isinstance(record.get("models"), dict) and "startTime" in record
    ours = "systemPayload" in record or "provenance" in record or "parts" in mapping(record.get("message"))
    return ours and record["type"] in ("user", "assistant", "tool_result", "system")


class Chat:
    """One file, read."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.session = session_of_path(file.path)
        self.version = self.workdir = ""
        self.calls: dict[str, tuple[int, Call]] = {}
        self.answers: dict[str, tuple[int, Call]] = {}  # what `assistant` rows have, where there is no telemetry
        self.owners: dict[str, str] = {}  # by call: the session that its prompt's id begins with
        self.problems: list[tuple[int, str, str]] = []
        self.open: tuple[int, str] | None = None  # the latest row that wants an answer of the model


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Add the agent runs of these chats to what was gathered."""
    paths = [file for file in files if not os.path.basename(file.path).startswith(_TOTALS)]
    chats = [_chat(file) for file in paths if gathered.window.touched(file)]
    held = {(chat.session, identity) for chat in chats for identity in chat.calls}
    taken = {call.id for chat in chats for at, call in chat.calls.values() if not _is_new(chat, at, call, gathered)}
    for chat in sorted(chats, key=lambda each: each.file.path):
        new = []
        for at, call in chat.calls.values():
            owner = chat.owners.get(call.id, chat.session)
            elsewhere = owner != chat.session and (owner, call.id) in held
            if call.id not in taken and not elsewhere and _is_new(chat, at, call, gathered):
                new.append(call)
        taken.update(call.id for call in new)
        _tell(chat, new, gathered)
    known = {session_of_path(file.path) for file in paths}
    for file in files:
        if os.path.basename(file.path).startswith(_TOTALS) and gathered.window.touched(file):
            _cross_check(file, {chat.session: chat for chat in chats}, known, gathered)


def _is_new(chat: Chat, offset: int, call: Call, gathered: Gathered) -> bool:
    return offset >= chat.file.old_size and gathered.window.holds(call.at_us)


def _chat(file: LogFile) -> Chat:
    made = Chat(file)
    for offset, line, whole in lines_until_broken(file):
        if whole or is_json(line):
            _take_line(made, offset, line)
        elif len(line) < LINE_LIMIT or b"api_response" in line[:4096]:
            made.problems.append((offset, timestamp_of(line), CUT if len(line) < LINE_LIMIT else LONG))
    if not made.calls and made.answers:
        made.calls = made.answers
        made.problems += [(at, "", NO_TELEMETRY) for at, _ in made.answers.values()]
    return made


def _take_line(made: Chat, offset: int, line: bytes) -> None:
    found = _TYPE.search(line[:_HEAD])
    kind = found.group(1) if found else b""
    if kind in {b"user", b"tool_result"} and b'"subtype"' not in line[:_HEAD]:
        made.open = (offset, timestamp_of(line))
    if kind == b"assistant":
        made.open = (offset, timestamp_of(line)) if b'"functionCall"' in line else None
    if b'"turn_result"' in line[:_HEAD] or (b".api_error" in line and b"subagent_name" not in line):
        made.open = None
    if b".api_response" in line or b'"usageMetadata"' in line or b'"managedSession"' in line or not made.workdir:
        _take(made, offset, line)


def _take(made: Chat, offset: int, line: bytes) -> None:
    try:
        record = mapping(decode(line))
        made.version = label(record.get("version")) or made.version
        made.workdir = made.workdir or text(record.get("cwd"), 4096)
        event = mapping(mapping(record.get("systemPayload")).get("uiEvent"))
        if str(event.get("event.name")).endswith(".api_response"):
            _take_response(made, offset, record, event)
        elif record.get("type") == "assistant" and isinstance(record.get("usageMetadata"), dict):
            _take_answer(made, offset, record)
        elif "managedSession" in record:
            made.problems.append((offset, text(record.get("timestamp"), 40), MANAGED))
    except Refused:
        made.problems.append((offset, timestamp_of(line), BROKEN))


def _take_response(made: Chat, offset: int, record: dict[str, object], event: dict[str, object]) -> None:
    at_us = microseconds(event.get("event.timestamp") or record.get("timestamp"))
    model, prompt = text(event.get("model")), text(event.get("prompt_id"), 512)
    call = Call("", provider_of(event.get("auth_type"), model), model, at_us)
    _fill(call, event, _EVENT)
    counts = (call.input, call.cache_read, call.output)
    identity = event.get("response_id")
    call.id = word(identity) if isinstance(identity, str) and identity else content_id(AGENT, prompt, at_us, *counts)
    session, _, rest = prompt.partition("#")
    call.subagent = bool(event.get("subagent_name") or event.get("subagent_id")) or (
        "#" in rest and not rest.startswith("#")
    )
    if call.prompt or call.output:
        made.calls.setdefault(call.id, (offset, call))
    else:
        made.problems.append((offset, text(record.get("timestamp"), 40), NO_USAGE))
    if event.get("auth_type") == "anthropic":
        made.problems.append((offset, text(record.get("timestamp"), 40), NO_CACHE_WRITES))
    if session:
        made.owners[call.id] = session


def _take_answer(made: Chat, offset: int, record: dict[str, object]) -> None:
    model = text(record.get("model"))
    identity = content_id(AGENT, word(record.get("uuid")))
    call = Call(identity, provider_of("", model), model, microseconds(record.get("timestamp")))
    _fill(call, mapping(record.get("usageMetadata")), _METADATA)
    made.answers.setdefault(call.id, (offset, call))


def _fill(call: Call, fields: dict[str, object], names: tuple[str, ...]) -> None:
    entered, cached, produced, reasoned, total = (count(fields, name, 0) for name in names)
    if total and total == entered + produced + reasoned:
        produced += reasoned
    if cached > entered or reasoned > produced:
        raise Refused("usage")
    call.input, call.cache_read, call.output, call.reasoning = entered - cached, cached, produced, reasoned


def provider_of(spoken: object, model: str) -> str:
    """Who serves the model: whose API is spoken, or for a compatible one the vendor whose model it is."""
    if isinstance(spoken, str) and spoken in _SPOKEN:
        return _SPOKEN[spoken]
    name = "" if "/" in model else model.lower()
    return next((vendor for vendor, pattern in _VENDORS if pattern.match(name)), "openai-compatible")


def _tell(chat: Chat, calls: list[Call], gathered: Gathered) -> None:
    doubts = list(dict.fromkeys(_doubts(chat, gathered)))
    if not calls and not doubts:
        return
    run = gathered.run(AGENT, chat.session)
    run.calls += calls
    for reason in doubts:
        run.doubt(MISSING if reason == MANAGED and not run.calls else LOWER_BOUND, reason)
    run.version = run.version or chat.version
    run.workdir_sha256 = run.workdir_sha256 or (digest(chat.workdir) if chat.workdir else "")


def _doubts(chat: Chat, gathered: Gathered) -> Iterator[str]:
    wanting = [(*chat.open, UNANSWERED)] if chat.open else []
    for offset, timestamp, sentence in (*chat.problems, *wanting):
        if gathered.window.may_hold(chat.file, offset, timestamp):
            yield sentence


def _milliseconds(value: object) -> int:
    if type(value) is not int or not 0 <= value < 10**15:
        raise Refused("timestamp")
    return value


def _cross_check(file: LogFile, chats: dict[str, Chat], known: set[str], gathered: Gathered) -> None:
    """Compare each session's latest totals with all that its chat holds, also what is older than the job."""
    latest: dict[str, dict[str, object]] = {}
    for offset, line, _ in lines_until_broken(file):
        try:
            row = mapping(decode(line)) if offset >= file.old_size else {}
            if gathered.window.holds(_milliseconds(row.get("timestamp")) * 1000):
                latest[text(row.get("sessionId"), 128)] = mapping(row.get("models"))
        except Refused:
            continue
    for session, models in latest.items():
        try:
            told = [
                sum(count(mapping(each), name) for each in models.values()) for name in ("inputTokens", "outputTokens")
            ]
        except Refused:
            continue
        held = [call for _, call in chats[session].calls.values()] if session in chats else []
        logged = [sum(call.prompt for call in held), sum(call.output for call in held)]
        if session and session not in known and any(told):
            gathered.run(AGENT, session).doubt(MISSING, NO_CHAT)
        elif session in chats and any(a > b for a, b in zip(told, logged)):
            gathered.run(AGENT, session).doubt(LOWER_BOUND, MORE_THAN_LOGGED)

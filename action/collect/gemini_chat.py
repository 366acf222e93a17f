"""Gemini CLI's chats: what was said in a session, with the tokens of each answer.

Read with version 0.61.0; the older layout as its source describes it. Where: `tmp/<project>/chats` below `~/.gemini`
(`GEMINI_CLI_HOME` stands for the home folder). A session is `session-<time>-<id>.jsonl`; a sub-agent's is
`<parent's session>/<id>.jsonl`. Before April 2026 a session was one JSON object, `session-<time>-<id>.json`, written
anew for each message; when such a session is resumed, all of it is copied into a `.jsonl`.

What the token fields of an answer (`type` is `gemini`) mean:

* `input` is the prompt with `cached` (cache reads) in it, but without `tool` (the prompt of tools that run at
  Google's), which is added.
* `output` is without `thoughts`, which are added. Writing to the cache is not charged by token.

Rules:

* A line is the session's head, a message, `{"$set": …}` or `{"$rewindTo": …}`. A message is written again whenever
  something is added to it, and `$set` may hold the whole history once more: each message id counts once, as it was
  written last. What was rewound was paid for all the same.
* The API's response id is not logged. A call's id is a hash of the message's id, which stays the same in copies.
* A sub-agent's calls belong to the session that its folder names.
* Only answers to the conversation are logged, and of two answers in a row without a word between them one may be
  lost. The router's choice of a model, summaries, searches and the like are calls of their own that no chat has, so a
  session known from its chat alone is a lower bound. What settles it is in `gemini_stats`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .calls import LOWER_BOUND, Call, Refused, content_id, count, mapping, microseconds, text, word
from .files import LINE_LIMIT, LogFile, decode, open_regular
from .places import Place, Surroundings
from .sources import BROKEN, CUT, LONG, NO_USAGE, Gathered, lines_until_broken, timestamp_of

AGENT = "gemini-cli"
NAME = "gemini chat"
SUFFIXES: tuple[str, ...] = (".jsonl", ".json")
VARIABLES: tuple[str, ...] = ("GEMINI_CLI_HOME",)
SIDE_CALLS = "Gemini CLI's chat lacks its side calls, such as the model router's"
UNANSWERED = "the chat has no answer of the model"
OBJECT_LIMIT = 64 << 20

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_ASKED = re.compile(rb'\A\{"id":.{1,120}"type":\s*"user"')
_HEAD = 400
_LINEAGE = 32


def places(where: Surroundings) -> Iterator[Place]:
    """The `chats` folder of every project."""
    for folder in (*where.in_homes(".gemini", "tmp"), *where.named_by("GEMINI_CLI_HOME", ".gemini", "tmp")):
        yield from folder.each("chats")


def recognises(record: dict[str, object]) -> bool:
    """True for the head of a chat, a whole chat, or a line that only a chat has."""
    if isinstance(record.get("sessionId"), str):
        return isinstance(record.get("projectHash"), str)
    answer = record.get("type") == "gemini" and isinstance(record.get("id"), str)
    return (answer and "timestamp" in record) or (len(record) == 1 and isinstance(record.get("$set"), dict))


class Chat:
    """One file, read."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.session = self.workdir = self.started = ""
        self.subagent = self.asked = self.resumed = False
        self.calls: dict[str, tuple[int, Call]] = {}  # by message id: where it stood first, as it stood last
        self.problems: list[tuple[int, object, str]] = []

    @property
    def parent(self) -> str:
        """The session that started this sub-agent, as its folder's name says."""
        folder = os.path.basename(os.path.dirname(self.file.path))
        return folder if self.subagent and folder != "chats" else ""


class Conversation:
    """What a session's chats hold, for the cross-check with the run's own totals."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.resumed = False  # some of it is older than the job, or more than one process wrote it


def read(files: list[LogFile], gathered: Gathered) -> None:
    """Add the agent runs of these chats to what was gathered."""
    chats = [_chat(file) for file in files if gathered.window.touched(file)]
    parents = {chat.session: chat.parent for chat in chats if chat.subagent}
    taken = {call.id for chat in chats for at, call in chat.calls.values() if not _is_new(chat, at, call, gathered)}
    for chat in sorted(chats, key=lambda each: (each.subagent, each.started, each.file.path)):
        new = [call for at, call in chat.calls.values() if _is_new(chat, at, call, gathered) and call.id not in taken]
        taken.update(call.id for call in new)
        _tell(chat, _session(chat, parents), new, gathered)


def _is_new(chat: Chat, offset: int, call: Call, gathered: Gathered) -> bool:
    return offset >= chat.file.old_size and gathered.window.holds(call.at_us)


def _chat(file: LogFile) -> Chat:
    made = Chat(file)
    if file.path.endswith(".json"):
        _take_object(made)
        return made
    for offset, line, whole in lines_until_broken(file):
        made.asked = made.asked or bool(_ASKED.match(line[:_HEAD]))
        if not whole:
            _take_broken(made, offset, line)
        elif b'"tokens"' in line or b'"sessionId"' in line[:_HEAD]:
            _take_line(made, offset, line)
    return made


def _take_object(made: Chat) -> None:
    """A whole session in one object. It is written anew for each message, so only time tells what is new."""
    offset = made.file.size if made.file.size != made.file.old_size else 0
    try:
        with open_regular(made.file.path) as opened:
            session = mapping(decode(opened.read(OBJECT_LIMIT)))
    except (OSError, Refused):
        made.problems.append((offset, None, BROKEN))
        return
    _take_head(made, session)
    messages = session.get("messages")
    for message in messages if isinstance(messages, list) else ():
        made.asked = made.asked or mapping(message).get("type") == "user"
        _take_message(made, offset, mapping(message))


def _take_broken(made: Chat, offset: int, line: bytes) -> None:
    try:
        decode(line)
    except Refused:
        if len(line) < LINE_LIMIT:
            made.problems.append((offset, timestamp_of(line), CUT))
        elif b'"tokens"' in line and not line.startswith(b'{"$set"'):  # which repeats what was written before
            made.problems.append((offset, timestamp_of(line), LONG))
    else:
        _take_line(made, offset, line)


def _take_line(made: Chat, offset: int, line: bytes) -> None:
    try:
        record = mapping(decode(line))
    except Refused:
        made.problems.append((offset, timestamp_of(line), BROKEN))
        return
    changes = mapping(record.get("$set"))
    if "sessionId" in changes:
        made.resumed = True
    elif "sessionId" in record:
        _take_head(made, record)
    history = changes.get("messages")
    for message in history if isinstance(history, list) else [record]:
        _take_message(made, offset, mapping(message))


def _take_head(made: Chat, head: dict[str, object]) -> None:
    made.session = made.session or text(head.get("sessionId"), 128)
    made.started = made.started or text(head.get("startTime"), 40)
    made.subagent = made.subagent or head.get("kind") == "subagent"
    project = text(head.get("projectHash"), 64)  # the SHA-256 of its path
    made.workdir = made.workdir or (project if _HASH.match(project) else "")


def _take_message(made: Chat, offset: int, message: dict[str, object]) -> None:
    if message.get("type") != "gemini" or message.get("tokens") is None:
        return
    identity = text(message.get("id"), 128)
    try:
        call = _call(made, identity, message)
    except Refused:
        made.problems.append((offset, message.get("timestamp"), BROKEN))
        return
    if not call.prompt and not call.output:
        made.problems.append((offset, message.get("timestamp"), NO_USAGE))
    else:
        made.calls[identity] = (made.calls.get(identity, (offset, call))[0], call)


def _call(made: Chat, identity: str, message: dict[str, object]) -> Call:
    if not identity:
        raise Refused("id")
    parts = (AGENT, identity) if _UUID.match(identity) else (AGENT, made.session, identity)
    call = Call(content_id(*parts), "google", text(message.get("model")), microseconds(message.get("timestamp")))
    fill(call, mapping(message.get("tokens")), "input", "output")
    call.subagent = made.subagent
    return call


def fill(call: Call, tokens: dict[str, object], prompt: str, produced: str) -> None:
    """Give a call the tokens that Gemini CLI wrote, where two fields' names differ between its logs."""
    entered, cached = count(tokens, prompt), count(tokens, "cached", 0)
    if cached > entered:
        raise Refused("cached")
    call.input, call.cache_read = entered - cached + count(tokens, "tool", 0), cached
    call.reasoning = count(tokens, "thoughts", 0)
    call.output = count(tokens, produced) + call.reasoning


def _session(chat: Chat, parents: dict[str, str]) -> str:
    """The session that the user began, above all sub-agents."""
    session = chat.parent or chat.session or os.path.basename(chat.file.path)
    for _ in range(_LINEAGE):
        if not parents.get(session):
            break
        session = parents[session]
    return session


def key(session: str) -> str:
    """Where a session's conversation is noted."""
    return f"{AGENT} {word(session)}"


def _tell(chat: Chat, session: str, calls: list[Call], gathered: Gathered) -> None:
    noted = gathered.sessions.setdefault(key(session), Conversation())
    if isinstance(noted, Conversation):
        noted.calls += calls
        noted.resumed = noted.resumed or chat.resumed or len(calls) < len(chat.calls)
    doubts = list(dict.fromkeys(_doubts(chat, gathered)))
    if not calls and not doubts:
        return
    run = gathered.run(AGENT, session)
    run.calls += calls
    for reason in (*doubts, SIDE_CALLS):
        run.doubt(LOWER_BOUND, reason)
    run.workdir_sha256 = run.workdir_sha256 or chat.workdir


def _doubts(chat: Chat, gathered: Gathered) -> Iterator[str]:
    for offset, timestamp, sentence in chat.problems:
        if gathered.window.may_hold(chat.file, offset, timestamp):
            yield sentence
    if chat.asked and not chat.calls and gathered.window.may_hold(chat.file, chat.file.old_size, chat.started):
        yield UNANSWERED

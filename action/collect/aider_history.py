"""aider's chat history: Markdown to which every chat of a folder is appended.

Read with version 0.86.2. Where: `.aider.chat.history.md` in the repository's root, that is in the workspace or a folder
of it, or the file that `AIDER_CHAT_HISTORY_FILE` names.

What its lines mean:

* `# aider chat started at 2026-11-23 18:18:32` begins a chat, in the local time of where aider ran. No other line has
  a time.
* `> Main model: openai/gpt-4.1 with ...` or `> Model: ...`: litellm's name of the model; vendor, slash, model.
* `> Tokens: 5.4k sent, 1.2k cache write, 3k cache hit, 99 received. Cost: ...` follows each answer. *sent* includes
  cache reads and writes; the lifetime of a write is not told. From 1,000 on the figures are rounded.
* `#### ...` is what the user said.

Why it is never more than an estimate: the figures are rounded; when aider streams (its default) it counts tokens
itself and knows nothing of cache and reasoning (2,478 sent and 15 received were truly 5,137 and 73); OpenAI's cached
input counts as input; the commit messages that a weaker model writes are not counted at all.

Rules:

* A chat is of this job when its start, read as this machine's local time or as UTC, is within the job, and only lines
  count that the file did not have when the job started. So a history that a checkout or a cache brings adds nothing.
  A chat in a container with a time zone of its own is not seen.
* Each `Tokens` line is one call, at its chat's start (or the file's last change, when that was earlier).
* A chat has no id and a call neither: both get a hash of the chat's own text up to there.
* In architect mode two models answer in turn and the lines do not tell whose they are: all count as the main model's.
* Something said without a `Tokens` line after it: the answer was cut off, or failed. A chat that has nothing else is
  missing.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator

from .calls import COUNT_LIMIT, ESTIMATED, LOWER_BOUND, MISSING, Call, Refused, content_id, label, text
from .files import LogFile
from .places import Place, Surroundings
from .sources import BROKEN, CUT, Gathered, lines_until_broken
from .window import SKEW_US

AGENT = "aider"
NAME = "aider history"
SUFFIXES: tuple[str, ...] = (".md",)
VARIABLES: tuple[str, ...] = ("AIDER_CHAT_HISTORY_FILE",)
FILE = ".aider.chat.history.md"
OWN_FIGURES = "aider rounds its figures, estimates them itself when it streams, and leaves out commit messages"
TWO_MODELS = "aider's history does not tell which of two models answered"
UNANSWERED = "aider was asked something and wrote down no usage"

_NUMBER = rb"(\d{1,3}(?:,\d{3})+|\d{1,15}(?:\.\d)?k?)"
_HEADING = re.compile(rb"# aider chat started at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_TOKENS = re.compile(rb"> Tokens: %b sent(?:, %b cache write)?(?:, %b cache hit)?, %b received\." % ((_NUMBER,) * 4))
_MODEL = re.compile(rb"> (?:Main model|Model): (\S{1,256})(.*)")
_VERSION = re.compile(rb"> Aider v(\S{1,40})")
_SAID = b"#### "
_COMMANDS = (b"#### /", b"#### !")
# litellm's names of vendors, where they differ from the price list's. Others are left to litellm's own rule.
_VENDORS = {
    "azure_ai": "azure", "bedrock": "aws", "bedrock_converse": "aws", "fireworks_ai": "fireworks", "gemini": "google",
    "github_copilot": "github-copilot", "moonshot": "moonshotai", "together_ai": "together", "vertex_ai": "google",
    "xai": "x-ai",
    **{name: name for name in ("anthropic", "azure", "cerebras", "cohere", "deepseek", "groq", "mistral", "openai",
                               "openrouter", "perplexity")},
}  # fmt: skip


def places(where: Surroundings) -> Iterator[Place]:
    """The workspace and its folders, and the file that a variable names."""
    yield from where.in_workspace(prefix=FILE, deep=False)
    yield from where.in_workspace_folders(FILE)
    yield from where.files_named_by("AIDER_CHAT_HISTORY_FILE")


def recognises(record: dict[str, object]) -> bool:
    """True for the heading of a chat."""
    heading = record.get("heading")
    return isinstance(heading, str) and bool(_HEADING.match(heading.encode("utf-8", "replace")))


class Chat:
    """One run of aider, as far as it was read."""

    def __init__(self, started: str) -> None:
        self.started = started
        self.session = self.version = self.model = ""
        self.two_models = self.waiting = False
        self.content = hashlib.sha256()
        self.calls: list[Answer] = []
        self.doubts: list[str] = []


class Answer:
    """A call with what its line says, for who knows it more exactly."""

    def __init__(self, call: Call, sent: str, received: str) -> None:
        self.call, self.sent, self.received = call, sent, received


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Add the chats of this job. `gathered.sessions` keeps its answers for the analytics log."""
    answers: list[Answer] = []
    taken: set[str] = set()
    for file in files:
        if gathered.window.touched(file) and file.changed_us >= (gathered.window.start_us or 0) - SKEW_US:
            for chat in _chats(file, gathered):
                chat.calls = [answer for answer in chat.calls if answer.call.id not in taken]
                taken.update(answer.call.id for answer in chat.calls)
                answers += chat.calls
                _tell(chat, gathered)
    gathered.sessions[NAME] = answers


def _chats(file: LogFile, gathered: Gathered) -> Iterator[Chat]:
    chat, at_us = Chat(""), _start("", file, gathered)
    for offset, raw, whole in lines_until_broken(file):
        line = raw.rstrip()
        heading = _HEADING.match(line)
        if heading:
            yield chat
            chat = Chat(heading.group(1).decode("ascii"))
            at_us = _start(chat.started, file, gathered)
        chat.content.update(line + b"\n")
        if line[:1] in (b">", b"#"):
            _take(chat, line, whole, at_us if offset >= file.old_size else None)
    yield chat


def _start(started: str, file: LogFile, gathered: Gathered) -> int | None:
    """When a chat of this job began; None for a chat of another time."""
    if not started:  # the file's beginning is lost: only what was appended is surely new
        return file.changed_us if gathered.window.start_us is None or file.old_size else None
    moments = [at for at in _readings(started) if gathered.window.holds(at)]
    return min(moments[0], file.changed_us) if moments else None


def _readings(started: str) -> list[int]:
    """The moment that a wall clock showed, had it shown local time, and had it shown UTC."""
    import calendar  # noqa: PLC0415 - few jobs have such a file

    try:
        clock = time.strptime(started, "%Y-%m-%d %H:%M:%S")
        return [int(time.mktime(clock)) * 1_000_000, calendar.timegm(clock) * 1_000_000]
    except (ValueError, OverflowError):
        return []


def _take(chat: Chat, line: bytes, whole: bool, at_us: int | None) -> None:
    model, version = _MODEL.match(line), _VERSION.match(line)
    if model:
        chat.model = text(model.group(1).decode("utf-8", "replace"))
        chat.two_models = b"architect" in model.group(2)
    elif version:
        chat.version = label(version.group(1).decode("ascii", "replace"))
    elif line.startswith(_SAID) and not line.startswith(_COMMANDS):
        chat.session = chat.session or content_id(AGENT, "chat", chat.content.hexdigest())
        chat.waiting = at_us is not None
    elif line.startswith(b"> Tokens: "):
        chat.session = chat.session or content_id(AGENT, "chat", chat.content.hexdigest())
        chat.waiting = False
        if at_us is not None:
            _take_tokens(chat, line, whole, at_us)


def _take_tokens(chat: Chat, line: bytes, whole: bool, at_us: int) -> None:
    try:
        chat.calls.append(_answer(chat, line, at_us + len(chat.calls)))  # so that they keep their order
    except Refused:
        chat.doubts.append(BROKEN if whole else CUT)


def _answer(chat: Chat, line: bytes, at_us: int) -> Answer:
    found = _TOKENS.match(line)
    if not found:
        raise Refused("tokens")
    sent, written, hit, received = (each.decode("ascii") if each else "0" for each in found.groups())
    call = Call(content_id(AGENT, chat.content.hexdigest()), *vendor_of(chat.model), at_us)
    _fill(call, tokens_of(sent), tokens_of(written), tokens_of(hit))
    call.output = tokens_of(received)
    return Answer(call, sent, received)


def tokens_of(figure: str) -> int:
    """The tokens that a figure of the history stands for."""
    value = figure.replace(",", "")
    tokens = round(float(value[:-1]) * 1000) if value.endswith("k") else int(float(value))
    if tokens > COUNT_LIMIT:
        raise Refused(figure)
    return tokens


def _fill(call: Call, sent: int, written: int, hit: int) -> None:
    call.cache_read, call.cache_write_other = hit, written
    call.input = max(0, sent - written - (hit if hit + written <= sent else 0))  # some vendors' input leaves out reads


def vendor_of(name: str) -> tuple[str, str]:
    """Provider and model of litellm's name; without a vendor that is known, litellm is the provider."""
    vendor, slash, model = name.partition("/")
    return (_VENDORS[vendor], model) if slash and vendor in _VENDORS else ("litellm", name)


def _tell(chat: Chat, gathered: Gathered) -> None:
    doubts = [*chat.doubts, *([UNANSWERED] if chat.waiting else [])]
    if not chat.calls and not doubts:
        return
    run = gathered.run(AGENT, chat.session)
    run.version = chat.version
    run.calls += [answer.call for answer in chat.calls]
    if run.calls:
        run.doubt(ESTIMATED, OWN_FIGURES)
    if run.calls and chat.two_models:
        run.doubt(ESTIMATED, TWO_MODELS)
    for reason in doubts:
        run.doubt(LOWER_BOUND if run.calls else MISSING, reason)

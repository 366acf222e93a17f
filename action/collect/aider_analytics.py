"""aider's analytics log: one JSON line for each thing that its maker counts.

Read with version 0.86.2. Written only where aider is told to (`--analytics-log`). Where: `.aider*.jsonl` in the
workspace, or the file that `AIDER_ANALYTICS_LOG` names.

What its fields mean: `message_send` is one answer, at `time` (seconds since 1970, UTC). `prompt_tokens` and
`completion_tokens` are the figures that the chat history rounds: the input with all that was read from a cache or
written to one, and the output. `main_model` is mostly `openai/REDACTED`. `launched` begins a run of aider.

Rules:

* An answer that the history has too (the same figures, once rounded) is that one call: the history knows the model,
  this log the figures and the time.
* Answers that no history has (it lies elsewhere, or was not written) count from here, the model unknown.
* They are estimates for the same reasons as the history's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from .aider_history import AGENT as AIDER
from .aider_history import NAME as HISTORY
from .aider_history import OWN_FIGURES, UNANSWERED, Answer, tokens_of, vendor_of
from .calls import ESTIMATED, LOWER_BOUND, MISSING, Call, Refused, content_id, count, mapping, text
from .files import LogFile, decode
from .places import Place, Surroundings
from .sources import BROKEN, CUT, Gathered, lines_until_broken

AGENT = AIDER
NAME = "aider analytics"
SUFFIXES: tuple[str, ...] = (".jsonl",)
VARIABLES: tuple[str, ...] = ("AIDER_ANALYTICS_LOG",)
HIDDEN_MODEL = "aider's analytics log hides the model's name"
_MARKS = (b'"launched"', b'"message_send')
_SECONDS_LIMIT = 8 * 10**9


def places(where: Surroundings) -> Iterator[Place]:
    """The workspace, and the file that a variable names."""
    yield from where.in_workspace(prefix=".aider", deep=False)
    yield from where.files_named_by("AIDER_ANALYTICS_LOG")


def recognises(record: dict[str, object]) -> bool:
    """True for a line of such a log."""
    return isinstance(record.get("event"), str) and isinstance(record.get("properties"), dict) and "user_id" in record


class Launch:
    """One run of aider."""

    def __init__(self, identity: str) -> None:
        self.session = content_id(AGENT, "launch", identity)
        self.calls: list[Call] = []
        self.known = self.waiting = False  # an answer was in the history; one was asked for and did not come
        self.doubts: list[str] = []


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Make the history's answers exact as far as aider knew them, add those that it lacks."""
    noted = gathered.sessions.get(HISTORY)
    answers = list(noted) if isinstance(noted, list) else []
    anything = bool(answers)
    taken: set[tuple[bytes, int]] = set()
    for file in files:
        if gathered.window.touched(file):
            for launch in _launches(file, gathered, answers, taken):
                _tell(launch, anything, gathered)


def _launches(
    file: LogFile, gathered: Gathered, answers: list[Answer], taken: set[tuple[bytes, int]]
) -> Iterator[Launch]:
    launch, times = Launch(""), Counter[bytes]()
    for offset, line, whole in lines_until_broken(file):
        if offset < file.old_size or not any(mark in line for mark in _MARKS):
            continue
        times[line] += 1
        if (line, times[line]) in taken:  # another file is a copy of this one
            continue
        taken.add((line, times[line]))
        try:
            record = mapping(decode(line))
            if record.get("event") == "launched":
                yield launch
                launch = Launch(line.decode("utf-8", "replace"))
            else:
                _take(launch, record, line, gathered, answers)
        except Refused:
            launch.doubts.append(BROKEN if whole else CUT)
    yield launch


def _take(launch: Launch, record: dict[str, object], line: bytes, gathered: Gathered, answers: list[Answer]) -> None:
    at_us = count(record, "time") * 1_000_000
    if at_us > _SECONDS_LIMIT * 1_000_000:
        raise Refused("time")
    if not gathered.window.holds(at_us):
        return
    launch.waiting = record.get("event") == "message_send_starting"
    if record.get("event") != "message_send":
        return
    properties = mapping(record.get("properties"))
    sent, received = count(properties, "prompt_tokens"), count(properties, "completion_tokens")
    answer = next((each for each in answers if (each.sent, each.received) == (rounded(sent), rounded(received))), None)
    if answer:
        answers.remove(answer)
        answer.call.input = max(0, answer.call.input + sent - tokens_of(answer.sent))
        answer.call.output, answer.call.at_us = received, at_us
        launch.known = True
    else:
        launch.calls.append(_call(launch, line, properties, at_us, sent, received))


def _call(launch: Launch, line: bytes, properties: dict[str, object], at_us: int, sent: int, received: int) -> Call:
    provider, model = vendor_of(text(properties.get("main_model")))
    identity = content_id(launch.session, len(launch.calls), line.decode("utf-8", "replace"))
    call = Call(identity, provider, "" if model.endswith("REDACTED") else model, at_us)
    call.input, call.output = sent, received
    return call


def rounded(tokens: int) -> str:
    """A count as the history shows it."""
    if tokens < 1000:
        return str(tokens)
    return f"{tokens / 1000:.1f}k" if tokens < 10_000 else f"{round(tokens / 1000)}k"


def _tell(launch: Launch, anything: bool, gathered: Gathered) -> None:
    doubts = list(launch.doubts)
    if launch.waiting and not anything:  # a history tells it itself
        doubts.append(UNANSWERED)
    if not launch.calls and not (doubts and not launch.known):
        return
    run = gathered.run(AGENT, launch.session)
    run.calls += launch.calls
    if run.calls:
        run.doubt(ESTIMATED, OWN_FIGURES)
    if any(not call.model for call in run.calls):
        run.doubt(ESTIMATED, HIDDEN_MODEL)
    for reason in doubts:
        run.doubt(LOWER_BOUND if run.calls else MISSING, reason)

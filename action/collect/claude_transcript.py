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
* A `pr-link` line names a pull that showed up in a tool's output (`prRepository`, `prNumber`), and is written again
  when a session is resumed. Those of this job and of its repository are claimed of the session, never of single calls.
* A request or a message to the model without an answer after it, an answer without a stop reason, or a line that
  cannot be read: the process was killed or the log cut. What is there counts, as a lower bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from . import claude_parcel, second_process
from .calls import Call, digest, mapping, word
from .claude_lines import Key, Transcript, read_transcript
from .claude_message import tokens_of_calls
from .costs import decimal_text
from .files import LogFile
from .places import Place, Surroundings
from .shape import Shape, Step, fresh_steps
from .sources import Gathered

AGENT = "claude-code"
NAME = "claude-code transcript"
SUFFIXES: tuple[str, ...] = (".jsonl",)
VARIABLES: tuple[str, ...] = ("CLAUDE_CONFIG_DIR",)
UNANSWERED = "the log ends before the model's last answer"
UNFINISHED = "an answer in the log has no end"
TITLED = "this version of Claude Code does not log the model call that makes a title"
MORE_THAN_LOGGED = "Claude Code counted more tokens than its log holds"

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


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Add the agent runs of these transcripts to what was gathered."""
    whole = list(_whole_sessions(list(files), gathered))
    transcripts = second_process.read_each(whole, read_transcript, claude_parcel.pack, claude_parcel.unpack)
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
    run.links += [
        (place, number) for part in parts for offset, place, number in part.links if offset >= part.file.old_size
    ]
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
    totals = [cost.tokens for part in session.parts for cost in part.costs[-1:]]
    logged = tokens_of_calls(session.known.values()) if totals else []
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

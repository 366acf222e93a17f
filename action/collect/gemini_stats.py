"""What Gemini CLI prints with `--output-format json`: the answer, and the totals of the run by model.

Read with version 0.61.0. Where: `gemini-artifacts/stdout.log` in the workspace, kept by run-gemini-cli; its next use
in the same job writes over it.

What `stats.models.<model>.tokens` means: as in `gemini_chat`, under other names. `prompt` includes `cached` and not
`tool`; `candidates` is without `thoughts`. All calls of the process are in it: sub-agents, the router, searches. It
begins at 0 with the process; only resuming in the interactive program counts the chat's older answers in.

Rules:

* A session that has a chat is counted from it. Where the totals are surely those of the chat's one process (nothing in
  the chat is older than the job, nothing was resumed, and the totals have all that the chat has), they settle what the
  chat lacks: nothing, and the session is complete; or one more call for each model with what the totals have beyond
  the chat, and the session is estimated, since which call had how much is not known.
* Otherwise the chat stays a lower bound, and nothing is added.
* Totals that cannot be read are as if there were none; without a chat the run is missing.
* A session without a chat is counted from here, one call for each model, marked as estimated. Older versions do not
  name the session: then this counts only when the job has no chat at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .calls import ESTIMATED, MISSING, Call, Refused, content_id, mapping, text
from .files import LogFile, records_of_head
from .gemini_chat import SIDE_CALLS, Conversation, fill, key
from .places import Place, Surroundings
from .sources import Gathered

AGENT = "gemini-cli"
NAME = "gemini stats"
SUFFIXES: tuple[str, ...] = (".log",)
VARIABLES: tuple[str, ...] = ()
BY_MODEL = "side calls are known for each model, not for each call"
BY_MODEL_ALONE = "usage is known for each model, not for each call"
NO_TOTALS = "the run left neither a chat nor totals"
_CLASSES = ("input", "cache_read", "output", "reasoning")


def places(where: Surroundings) -> Iterator[Place]:
    """The folder that run-gemini-cli leaves in the workspace."""
    return where.in_workspace("gemini-artifacts", prefix="stdout", deep=False)


def recognises(record: dict[str, object]) -> bool:
    """True for the object that Gemini CLI prints, also when the run failed."""
    if isinstance(mapping(record.get("stats")).get("models"), dict):
        return "type" not in record
    return isinstance(record.get("session_id"), str) and isinstance(record.get("error"), dict) and "type" not in record


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Settle the sessions that have a chat, add those that have none."""
    for file in files:
        if gathered.window.touched(file) and file.changed_us >= (gathered.window.start_us or 0):
            _tell(file, gathered)


def _tell(file: LogFile, gathered: Gathered) -> None:
    printed = _printed(file)
    session = text(printed.get("session_id"), 128)
    noted = gathered.sessions.get(key(session))
    try:
        totals = list(_totals(printed, file, session))
    except Refused:
        totals = []
    if isinstance(noted, Conversation) and noted.calls:
        _settle(noted, totals, session, gathered)
    elif session or not any(run.calls for (agent, _), run in gathered.runs.items() if agent == AGENT):
        _count(totals, session or content_id(AGENT, *(_tokens([each]) for each in totals)), gathered)


def _printed(file: LogFile) -> dict[str, object]:
    try:
        return next((record for record in records_of_head(file.path) if recognises(record)), {})
    except OSError:
        return {}


def _totals(printed: dict[str, object], file: LogFile, session: str) -> Iterator[Call]:
    """The run's totals, as one call for each model."""
    for model, metrics in mapping(mapping(printed.get("stats")).get("models")).items():
        call = Call("", "google", text(model), file.changed_us)
        fill(call, mapping(mapping(metrics).get("tokens")), "prompt", "candidates")
        call.id = content_id(AGENT, session, call.model, *_tokens([call]))
        if any(_tokens([call])):
            yield call


def _tokens(calls: Iterable[Call]) -> list[int]:
    held = list(calls)
    return [sum(getattr(call, name) for call in held) for name in _CLASSES]


def _settle(chat: Conversation, totals: list[Call], session: str, gathered: Gathered) -> None:
    run = gathered.run(AGENT, session)
    told = {call.model: call for call in totals}
    logged = {model: _tokens(call for call in chat.calls if call.model == model) for model in told}
    if chat.resumed or any(call.model not in told for call in chat.calls):
        return
    for model, call in told.items():
        beyond = [a - b for a, b in zip(_tokens([call]), logged[model])]
        if min(beyond) < 0:
            return
        call.at_us = max(each.at_us for each in chat.calls)
        call.input, call.cache_read, call.output, call.reasoning = beyond
    lacking = [call for call in totals if any(_tokens([call]))]
    run.calls += lacking
    run.dispel(SIDE_CALLS)
    if lacking:
        run.doubt(ESTIMATED, BY_MODEL)


def _count(totals: list[Call], session: str, gathered: Gathered) -> None:
    run = gathered.run(AGENT, session)
    run.calls += totals
    if totals:
        run.doubt(ESTIMATED, BY_MODEL_ALONE)
    elif not run.reasons:
        run.doubt(MISSING, NO_TOTALS)

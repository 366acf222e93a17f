"""Which calls of a session that an access token told of are in a job's own record too: those count in the record.

Where both name a response by the same kind of id, the id alone decides. Where they do not (Codex and Gemini tell none
by telemetry), the record stands alone for its session and its time: one source for each agent run. A sub-agent of Codex
is a session of its own by telemetry, and is known by what its calls used, and when.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.usage import ModelCall

CONTENT_ID = "sha256:"  # how ids begin that are made of content, by the Action and for telemetry alike
AROUND = timedelta(minutes=5)  # a log notes a call's beginning or its end; side calls come before the first of a log
SAME_MOMENT = timedelta(seconds=5)  # two logs of one response are written within milliseconds


@dataclass(frozen=True, slots=True)
class Signed:
    """An agent run of a job's own record, with all of its calls."""

    session: str
    calls: Sequence[ModelCall]


def kind_of_id(response_id: str) -> str | None:
    """What a vendor's id is of, by its beginning: "req", "msg", "resp"; None for one that is made of content."""
    if response_id.startswith(CONTENT_ID):
        return None
    return response_id.partition("_")[0] if "_" in response_id else ""


class Recorded:
    """What the records of one agent's runs hold, to be asked for each call that a token told of."""

    def __init__(self, runs: Sequence[Signed]) -> None:
        self._ids = {(call.provider, call.response_id) for run in runs for call in run.calls}
        self._spans = [_span(run) for run in runs if run.calls]
        self._moments: dict[tuple[object, ...], list[datetime]] = {}
        for run in runs:
            for call in run.calls:
                self._moments.setdefault(_content(call), []).append(call.at)

    def holds(self, session: str, call: ModelCall) -> bool:
        """Whether a call of a session is in a record."""
        if (call.provider, call.response_id) in self._ids:
            return True
        kind = kind_of_id(call.response_id)
        in_span = any(
            of == session and first <= call.at <= last and (kind is None or kind not in kinds)
            for of, first, last, kinds in self._spans
        )
        return in_span or (kind is None and self._at_that_moment(call))

    def holds_session(self, session: str, at: datetime) -> bool:
        """Whether there is a record of a session that was at work at this time."""
        return any(of == session and first <= at <= last for of, first, last, _ in self._spans)

    def _at_that_moment(self, call: ModelCall) -> bool:
        return any(abs(at - call.at) <= SAME_MOMENT for at in self._moments.get(_content(call), ()))


def _span(run: Signed) -> tuple[str, datetime, datetime, set[str | None]]:
    """A run's session, its first and last moment with some room, and the kinds of ids that it has."""
    at = [call.at for call in run.calls]
    return run.session, min(at) - AROUND, max(at) + AROUND, {kind_of_id(call.response_id) for call in run.calls}


def _content(call: ModelCall) -> tuple[object, ...]:
    """What two logs of one response agree on. Old logs of Codex do not tell cache writes from other input."""
    return call.model, call.tokens.prompt, call.tokens.cache_read, call.tokens.output

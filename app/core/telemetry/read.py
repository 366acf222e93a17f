"""What a request told → the parts of sessions that it is about. Owns which events of which agent are usage.

Refuses nothing as a whole: an event that says something impossible is left out and counted, with the first reason.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from app.core.reported import CLOCK_SKEW, OLDEST
from app.core.telemetry import claude_code, codex, copilot, gemini_cli, qwen_code, tags
from app.core.telemetry.fields import RefusedEventError, count
from app.core.telemetry.parts import ASKED, Reading, SessionPart, Tags, ToldCall, Total
from app.core.telemetry.told import Told, Wanted
from app.core.telemetry.usage_event import Count, CountReader, UsageEvent, UsageReader
from app.core.usage import ModelCall

LIFETIME_UNKNOWN = "the log does not tell how long cache writes live"  # as the Action says it
NO_USAGE = "an answer in the log has no usage"  # likewise
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = 24 * 3600 * 1_000_000
_EVENTS: dict[str, tuple[str, UsageReader]] = {
    event: (agent.AGENT, agent.read)
    for agent in (claude_code, codex, gemini_cli, qwen_code)
    for event in agent.EVENTS
}  # fmt: skip
_COUNTERS: dict[str, tuple[str, CountReader]] = {
    agent.COUNTER: (agent.AGENT, agent.read_count) for agent in (claude_code, gemini_cli, qwen_code)
}


class _Beginning:
    """The names that begin with a text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.startswith(self._text)


def _keys(*of_agents: tuple[str, ...]) -> frozenset[str]:
    return frozenset(tags.KEYS).union(*of_agents)


LOGS = Wanted(
    frozenset(_EVENTS).union(claude_code.ASKS), _keys(claude_code.KEYS, codex.KEYS, gemini_cli.KEYS, qwen_code.KEYS)
)
METRICS = Wanted(frozenset(_COUNTERS), _keys(claude_code.KEYS, gemini_cli.KEYS, qwen_code.KEYS))
SPANS = Wanted(_Beginning(copilot.BEGINNING), _keys(copilot.KEYS))


def read_logs(told: Iterable[Told], now: datetime) -> Reading:
    """The model calls of log events that were decoded with LOGS, and when models were asked."""
    return _read_calls(told, now, _EVENTS.get)


def read_spans(told: Iterable[Told], now: datetime) -> Reading:
    """The model calls of spans that were decoded with SPANS."""
    chats: tuple[str, UsageReader] = (copilot.AGENT, copilot.read)
    return _read_calls(told, now, lambda name: chats if name in SPANS.names else None)


def read_metrics(told: Iterable[Told], now: datetime) -> Reading:
    """The totals of data points that were decoded with METRICS."""
    parts = _Parts(now)
    for point in told:
        found = _COUNTERS.get(point.name)
        if found is None:
            continue
        try:
            counted = found[1](point)
            if counted is not None:
                parts.add_count(found[0], point, counted)
        except RefusedEventError as error:
            parts.refuse(error)
    return parts.reading()


def _read_calls(
    told: Iterable[Told], now: datetime, reader_of: Callable[[str], tuple[str, UsageReader] | None]
) -> Reading:
    parts = _Parts(now)
    for one in told:
        found = reader_of(one.name)
        if found is None:
            parts.add_ask(one)
            continue
        try:
            event = found[1](one)
            if event is not None:
                parts.add_event(found[0], one, event)
        except RefusedEventError as error:
            parts.refuse(error)
    return parts.reading()


class _Part:
    """A session's part that is being gathered."""

    def __init__(self) -> None:
        self.version = ""
        self.calls: list[ToldCall] = []
        self.totals: list[Total] = []
        self.doubts: dict[str, None] = {}


class _Parts:
    """All parts of a request that are being gathered."""

    def __init__(self, now: datetime) -> None:
        self._oldest_us, self._newest_us = ((at - _EPOCH) // _MICROSECOND for at in (now - OLDEST, now + CLOCK_SKEW))
        self._parts: dict[tuple[str, str, Tags], _Part] = {}
        self._used = self._refused = 0
        self._refusal = ""

    def refuse(self, error: RefusedEventError) -> None:
        self._refused += 1
        self._refusal = self._refusal or str(error)

    def add_event(self, agent: str, told: Told, event: UsageEvent) -> None:
        """Raises RefusedEventError."""
        tokens = event.tokens
        if tokens.reasoning > tokens.output:
            raise RefusedEventError("Reasoning is a part of output, not more.")
        at = self._instant(event.at_us)
        part = self._part(agent, told, event.session, event.version)
        part.doubts.update(dict.fromkeys(event.doubts))
        if not tokens.total:
            part.doubts[NO_USAGE] = None
            return
        if tokens.cache_write_other and "claude" in event.model:
            part.doubts[LIFETIME_UNKNOWN] = None
        call = ModelCall(
            event.provider,
            event.response_id,
            event.model,
            at,
            tokens,
            speed=event.speed,
            subagent=event.subagent,
        )
        part.calls.append(ToldCall(call, event.reported_cost))
        self._used += 1

    def add_ask(self, told: Told) -> None:
        """Note that a model was asked, where the event tells that."""
        session = claude_code.asks(told) if told.name in claude_code.ASKS else ""
        if session and self._oldest_us <= told.at_us <= self._newest_us:
            day_us = told.at_us - told.at_us % _DAY_US
            part = self._part(claude_code.AGENT, told, session, "")
            part.totals.append(Total("", ASKED, ASKED, day_us, told.at_us))

    def add_count(self, agent: str, point: Told, counted: Count) -> None:
        """Raises RefusedEventError."""
        self._instant(point.at_us)
        if not 0 < point.start_us <= point.at_us:
            raise RefusedEventError("A data point does not tell since when it counts.")
        value = count({"value": point.value} if point.value is not None else {}, "value")
        totals = self._part(agent, point, counted.session, counted.version).totals
        for kind in counted.kinds:
            totals.append(Total(counted.model, kind, point.series, point.start_us, value))
        self._used += 1

    def reading(self) -> Reading:
        parts = [
            SessionPart(agent, part.version, session, tags, part.calls, part.totals, list(part.doubts))
            for (agent, session, tags), part in self._parts.items()
        ]
        return Reading(parts, self._used, self._refused, self._refusal)

    def _instant(self, at_us: int) -> datetime:
        if not self._oldest_us <= at_us <= self._newest_us:
            raise RefusedEventError("The time is more than 400 days ago, or in the future.")
        return _EPOCH + timedelta(microseconds=at_us)

    def _part(self, agent: str, told: Told, session: str, version: str) -> _Part:
        key = (agent, session, tags.tags_of(told))
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = _Part()
        part.version = part.version or version
        return part

"""The values that every log format ends in: model calls, grouped into agent runs. Checked where they are born.

Refuses counts that are not plain non-negative integers in bounds, and instants that are not RFC 3339. Text from a
log is only taken where the record has a field for it (ids, model names, versions); never prompts, code or output.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta, timezone
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .shape import Shape

COUNT_LIMIT = 10**12
PULLS_LIMIT = 20  # that an agent run names, as the record's schema says
LARGEST_PULL = 2**31 - 1
CALLS_LIMIT = 50_000  # of one agent run, as the record's schema says
# Anthropic's writes for an hour cost more than those for five minutes, as which they count when nothing tells.
LIFETIME_UNKNOWN = "the log does not tell how long cache writes live"
COMPLETE, LOWER_BOUND, ESTIMATED, MISSING = "complete", "lower_bound", "estimated", "missing"
_RANK = (COMPLETE, LOWER_BOUND, ESTIMATED, MISSING)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ZERO = datetime(1970, 1, 1)  # noqa: DTZ001 - to be written without a zone
_MICROSECOND = timedelta(microseconds=1)
_YEAR_10000_MS = 253_402_300_800_000
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/+=-]{0,127}\Z")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)\Z")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


class Refused(Exception):
    """A line that cannot be counted."""


class Call:
    """One request to a model. Counts are of classes that never overlap, except reasoning, a part of output."""

    __slots__ = (
        "alias", "at_us", "cache_read", "cache_write_1h", "cache_write_5m", "cache_write_other", "id", "input", "model",
        "output", "provider", "pull", "reasoning", "searches", "speed", "subagent", "tier",
    )  # fmt: skip

    def __init__(self, id: str, provider: str, model: str, at_us: int) -> None:  # noqa: A002
        self.id, self.provider, self.model, self.at_us = id, provider, model, at_us
        self.alias = ""  # another id that the vendor gave the same response; other logs may know it by that one
        self.input = self.output = self.reasoning = self.searches = 0
        self.cache_read = self.cache_write_5m = self.cache_write_1h = self.cache_write_other = 0
        self.tier = self.speed = ""
        self.subagent = False
        self.pull = 0  # that the call served, where its log tells

    @property
    def prompt(self) -> int:
        """All tokens sent to the model."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h + self.cache_write_other

    def as_json(self) -> dict[str, object]:
        """The call as the record's schema has it, without what is zero or empty."""
        return {
            "id": self.id,
            "provider": self.provider,
            "model": self.model,
            "at": instant(self.at_us),
            "output_tokens": self.output,
            **{name: value for name, value in zip(_OPTIONAL, _optional(self)) if value},
        }


# What a record leaves out where it is zero or empty: its field's name there, and here.
_OPTIONAL = {
    "input_tokens": "input",
    "cache_read_tokens": "cache_read",
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "cache_write_other_tokens": "cache_write_other",
    "reasoning_tokens": "reasoning",
    "service_tier": "tier",
    "speed": "speed",
    "web_searches": "searches",
    "subagent": "subagent",
    "pull": "pull",
}
_optional = attrgetter(*_OPTIONAL.values())


class AgentRun:
    """One session of one agent, as far as this job made it."""

    def __init__(self, agent: str, session: str) -> None:
        self.agent, self.session = agent, word(session)
        self.version = ""
        self.workdir_sha256 = ""
        self._doubts: dict[str, str] = {}  # how complete, by the reason
        self.reported_cost_usd = ""
        self.calls: list[Call] = []
        self.shape: Shape | None = None  # of the work, where the log tells
        self.links: list[tuple[str, int]] = []  # repositories and pulls with which the log links the session
        self.pulls: list[int] = []  # those of the job's repository

    @property
    def completeness(self) -> str:
        """What is claimed about this run: the worst that anything said."""
        return max(self._doubts.values(), key=_RANK.index, default=COMPLETE)

    @property
    def reasons(self) -> list[str]:
        return list(self._doubts)

    def doubt(self, completeness: str, reason: str) -> None:
        """Lower what is claimed about this run. The reason is our own sentence, never text of a log."""
        self._doubts[reason] = max(completeness, self._doubts.get(reason, COMPLETE), key=_RANK.index)

    def dispel(self, reason: str) -> None:
        """Take back a doubt, when another log of the same run settles it."""
        self._doubts.pop(reason, None)

    def lacks(self, reason: str) -> None:
        """Say that calls are missing from this run, or all of them. To be told when its calls are there."""
        self.doubt(LOWER_BOUND if self.calls else MISSING, reason)

    def ready(self, repository: str = "") -> AgentRun:
        """The run with its calls in the order of time, cut at what a record can hold. `repository` as owner/name."""
        self.calls.sort(key=lambda call: (call.at_us, call.id))
        self._name_pulls(repository.lower())
        if any(call.cache_write_other and "claude" in call.model for call in self.calls):
            self.doubt(LOWER_BOUND, LIFETIME_UNKNOWN)
        if len(self.calls) > CALLS_LIMIT:
            del self.calls[CALLS_LIMIT:]
            self.doubt(LOWER_BOUND, f"more than {CALLS_LIMIT} model calls")
        return self

    def _name_pulls(self, repository: str) -> None:
        """Keep the first pulls that are named, those of other repositories left out."""
        named = dict.fromkeys(call.pull for call in self.calls if call.pull)
        linked = dict.fromkeys(number for place, number in self.links if repository and place.lower() == repository)
        kept = list({**named, **linked})[:PULLS_LIMIT]
        self.pulls = sorted(number for number in kept if number in linked)
        for call in self.calls:
            call.pull = call.pull if call.pull in kept else 0

    def as_json(self) -> dict[str, object]:
        optional = {
            "agent_version": self.version,
            "workdir_sha256": self.workdir_sha256,
            "completeness_reason": "; ".join(self.reasons)[:256],
            "reported_cost_usd": self.reported_cost_usd,
        }
        return {
            "agent": self.agent,
            "session": self.session,
            "completeness": self.completeness,
            **{name: value for name, value in optional.items() if value},
            **({"shape": self.shape.as_json()} if self.shape else {}),
            **({"pulls": self.pulls} if self.pulls else {}),
            "calls": [call.as_json() for call in self.calls],
        }


def count(fields: dict[str, object], name: str, default: int | None = None) -> int:
    """A token count of a log. Absent or null gives the default; without one the line is refused."""
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if type(value) is not int or not 0 <= value <= COUNT_LIMIT:  # a bool, a float and NaN are no counts
        raise Refused(name)
    return value


def pull_number(value: object) -> int:
    """The value when it can be a pull's number. Anything else is refused: a bool and a float are none."""
    if type(value) is not int or not 0 < value <= LARGEST_PULL:
        raise Refused("pull")
    return value


def mapping(value: object) -> dict[str, object]:
    """The value when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object, limit: int = 256) -> str:
    """The value when it is text, on one line and cut; else nothing."""
    if not isinstance(value, str):
        return ""
    plain = value.isascii() and value.isprintable()
    return value[:limit] if plain else _UNPRINTABLE.sub("", value)[:limit]


def word(value: object) -> str:
    """An id: kept when it looks like one, else replaced with its hash, so that no other text can travel in it."""
    if isinstance(value, str) and _WORD.match(value):
        return value
    return content_id(str(value))


def label(value: object, limit: int = 64) -> str:
    """A short word such as a version or a tier, or nothing when it does not look like one."""
    return value[:limit] if isinstance(value, str) and _WORD.match(value) else ""


def content_id(*parts: object) -> str:
    """A stable id for what has none: the same content gives the same id wherever it is read."""
    return "sha256:" + digest("\0".join(map(str, parts)))


def digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def microseconds(value: object) -> int:
    """An RFC 3339 instant as microseconds since 1970, or a refusal."""
    matched = _INSTANT.match(value) if isinstance(value, str) else None
    if not matched:
        raise Refused("timestamp")
    seconds, fraction, zone = matched.groups()
    try:
        moment = datetime.fromisoformat(seconds + ("+00:00" if zone == "Z" else zone))
        return (moment - _EPOCH) // _MICROSECOND + int(((fraction or ".0")[1:] + "000000")[:6])
    except (ValueError, OverflowError) as problem:
        raise Refused("timestamp") from problem


def milliseconds(value: object) -> int:
    """Milliseconds since 1970 as microseconds, or a refusal. Fractions are cut."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _YEAR_10000_MS:
        raise Refused("time")
    return int(value) * 1000


def instant(at_us: int) -> str:
    """Microseconds since 1970 as RFC 3339, UTC."""
    return (_ZERO + timedelta(microseconds=at_us)).isoformat(timespec="microseconds") + "Z"

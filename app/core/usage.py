"""What a model call used: token classes that never overlap, except reasoning, which is a part of output."""

from datetime import datetime
from enum import StrEnum
from operator import add
from typing import NamedTuple


class Completeness(StrEnum):
    """How much of an agent run's usage its record holds."""

    COMPLETE = "complete"
    LOWER_BOUND = "lower_bound"  # at least this much: killed in flight, or a log that lacks side calls
    ESTIMATED = "estimated"
    MISSING = "missing"  # the agent ran, or may have, and left nothing


class Provenance(StrEnum):
    """What vouches for who and where of an agent run."""

    JOB = "job"  # the signed token of the job that it ran in
    RELAYED = "relayed"  # that of another job of the same workflow run
    TOKEN = "token"  # noqa: S105 - an access token of the organisation: it proves nothing of where the agent ran
    VENDOR = "vendor"  # the record of the vendor on whose machines it ran, read there


class Purpose(StrEnum):
    AUTHOR = "author"
    REVIEW = "review"
    TRIAGE = "triage"
    CI_FIX = "ci-fix"
    OTHER = "other"


class Tokens(NamedTuple):
    """Counts by class. `input` is uncached input; `cache_write_other` is a write whose lifetime is not logged.

    Named tuples here: a record has hundreds of them, and they are made three times as fast as frozen dataclasses.
    """

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_write_other: int = 0
    output: int = 0  # reasoning included
    reasoning: int = 0  # a part of output, never added to it

    @property
    def prompt(self) -> int:
        """All tokens sent to the model, cached ones included: what decides a price tier."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h + self.cache_write_other

    @property
    def total(self) -> int:
        return self.prompt + self.output

    def __add__(self, other: "Tokens") -> "Tokens":  # type: ignore[override]
        return Tokens(*map(add, self, other))


class ModelCall(NamedTuple):
    """One request to a model, as an agent's log tells it."""

    provider: str  # genai-prices provider id, e.g. "anthropic", "openai"
    response_id: str  # the API's own id of the response; with the provider it is the call's identity
    model: str
    at: datetime  # aware, UTC
    tokens: Tokens
    service_tier: str = "standard"
    speed: str = "standard"
    web_searches: int = 0
    subagent: bool = False

"""How complete an agent run is held to be that is known from telemetry alone.

An exporter sends what it can and forgets the rest, and nothing in it says that this was all. But its metrics count the
same tokens on a way of their own: where both agree to the token, the agent run is complete.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.core.telemetry.parts import ASKED, counted
from app.core.usage import Completeness, Tokens

NO_EVENTS = "its metrics came, but no event tells of its calls"
UNCONFIRMED = "no metrics confirm that all of its telemetry arrived"
UNANSWERED = "its telemetry ends before the model's last answer"
MORE_COUNTED = "its metrics count more tokens than its events"
_SEPARATOR = "; "
_PASSING = frozenset((NO_EVENTS, UNCONFIRMED, UNANSWERED, MORE_COUNTED))


@dataclass(frozen=True, slots=True)
class Known:
    """What an agent run amounts to. `elsewhere`: a part of it is in its job's record."""

    tokens: Tokens
    calls: int
    last_us: int  # when its last call was
    elsewhere: bool


def judged(known: Known, totals: Mapping[str, int], doubts: Iterable[str]) -> tuple[Completeness, str]:
    """Completeness and reason of an agent run. `totals`: what metrics counted, by kind, and when it last ASKED."""
    asked_us = totals.get(ASKED, 0)
    counts = {kind: total for kind, total in totals.items() if kind != ASKED}
    reasons = list(dict.fromkeys(doubts))
    if not known.calls:
        nothing = NO_EVENTS if counts else UNANSWERED
        return Completeness.MISSING, _SEPARATOR.join(reasons or [nothing])
    differ = [total - counted(kind, known.tokens) for kind, total in counts.items()]
    if any(by > 0 for by in differ) and not known.elsewhere:
        reasons.append(MORE_COUNTED)
    elif known.elsewhere or not counts or any(differ):
        reasons.append(UNCONFIRMED)
    if asked_us > known.last_us:
        reasons.append(UNANSWERED)
    return (Completeness.LOWER_BOUND, _SEPARATOR.join(reasons)) if reasons else (Completeness.COMPLETE, "")


def lasting(reason: str) -> list[str]:
    """The doubts in an earlier judgement that nothing settles."""
    return [each for each in reason.split(_SEPARATOR) if each and each not in _PASSING]

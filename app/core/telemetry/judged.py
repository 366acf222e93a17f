"""How complete an agent run is held to be that is known from telemetry alone.

An exporter sends what it can and forgets the rest, and nothing in it says that this was all. But its metrics count the
same tokens on a way of their own: where both agree to the token, the agent run is complete.
"""

from collections.abc import Iterable, Mapping

from app.core.telemetry.parts import counted
from app.core.usage import Completeness, Tokens

NO_EVENTS = "its metrics came, but no event tells of its calls"
UNCONFIRMED = "no metrics confirm that all of its telemetry arrived"
MORE_COUNTED = "its metrics count more tokens than its events"
_SEPARATOR = "; "
_PASSING = frozenset((NO_EVENTS, UNCONFIRMED, MORE_COUNTED))


def judged(
    tokens: Tokens, calls: int, elsewhere: bool, totals: Mapping[str, int], doubts: Iterable[str]
) -> tuple[Completeness, str]:
    """Completeness and reason of an agent run with these sums. `totals`: what metrics counted, by kind.

    `elsewhere`: a part of it is in its job's record, so that sums and totals cannot be compared.
    """
    reasons = list(dict.fromkeys(doubts))
    if not calls:
        return Completeness.MISSING, _SEPARATOR.join(reasons or [NO_EVENTS])
    if any(total > counted(kind, tokens) for kind, total in totals.items()) and not elsewhere:
        reasons.append(MORE_COUNTED)
    elif elsewhere or not totals or any(total != counted(kind, tokens) for kind, total in totals.items()):
        reasons.append(UNCONFIRMED)
    return (Completeness.LOWER_BOUND, _SEPARATOR.join(reasons)) if reasons else (Completeness.COMPLETE, "")


def lasting(reason: str) -> list[str]:
    """The doubts in an earlier judgement that nothing settles."""
    return [each for each in reason.split(_SEPARATOR) if each and each not in _PASSING]

"""How much of a count each place of an agent run has: parts that sum to the whole, whatever moved since."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from app.core.focus.origins import Origin, Receiver, Run
from app.core.focus.rows import Metered
from app.core.ledger import Book
from app.core.money import NanoUsd, share
from app.core.month import Month


class Spot(NamedTuple):
    """Where the books hold cost; a pull is in a repository ("owner/name")."""

    book: Book
    number: int = 0
    repository: str = ""


Holding = Mapping[Spot, int]
NOTHING: Holding = MappingProxyType({})


class Stated(NamedTuple):
    """What a month states of one agent run's use in a charge month: from one holding (nano-USD) to the next.

    `before` is what earlier months have stated: nothing, unless the charge month was closed before.
    """

    run: Run
    month: Month
    after: Holding
    before: Holding = NOTHING
    covered_by: str = ""

    @property
    def amount(self) -> int:
        return sum(self.after.values()) - sum(self.before.values())


class Spread:
    """The origins of what is stated of a run, and how counts are divided among them."""

    def __init__(self, stated: Stated, receivers: Sequence[Receiver]) -> None:
        spots = list(stated.after)
        spots += [spot for spot in stated.before if spot not in stated.after]
        self._spots, self._receivers = len(spots), receivers
        self._after = _weights(spots, stated.after)
        self._before = _weights(spots, stated.before)
        self._weights = [each.weight for each in receivers]
        self.origins = [
            Origin(stated.run, *spot, receiver)
            for spot in spots
            for receiver in (receivers or (None,))
        ]  # fmt: skip

        self.moves = bool(stated.before)
        self.whole = len(self.origins) == 1 and not self.moves  # no count is divided
        self._placed: tuple[Metered, int] | None = None

    def place_in(self, rows: Metered) -> int:
        """Where the first of the origins stands among those of some rows; they are added when first asked for."""
        if self._placed is None or self._placed[0] is not rows:
            self._placed = rows, len(rows.origins)
            rows.origins += self.origins
        return self._placed[1]

    def of(self, count: int) -> Sequence[int]:
        """The part of each origin; parts of what only moved sum to zero."""
        if self.whole:
            return (count,)
        parts = [0] * self._spots
        for sign, weights in ((1, self._after), (-1, self._before)):
            if weights:
                parts = [part + sign * own for part, own in zip(parts, share(NanoUsd(count), weights), strict=True)]
        if not self._receivers:
            return parts
        return [own for part in parts for own in share(NanoUsd(part), self._weights)]


def _weights(spots: Sequence[Spot], holding: Holding) -> list[int]:
    """None where nothing is held. All zero, of what cost nothing, is shared evenly among the places that have it."""
    if holding and not any(holding.values()):
        return [int(spot in holding) for spot in spots]
    return [max(0, holding.get(spot, 0)) for spot in spots] if holding else []

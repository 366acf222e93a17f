"""What a month states, gathered agent run by agent run: by cost center and place, with the proof of each amount.

A line's proof is the SHA-256 of its agent runs' own, in the order of their ids; an agent run's is that of the text of
all its ledger entries that the month covers, wherever they are booked. So a proof reaches back to where cost came from.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.chargeback.ownership import Owner
from app.core.chargeback.statement import Adjustment, Kind, Line, Part, Proof
from app.core.ledger import Book
from app.core.money import NanoUsd, share
from app.core.month import Month

FIELD, ENTRY = "\x1f", "\x1e"  # between the fields of an entry's text, and between entries
RECORDED = "recorded"  # the reason of the entry by which an agent run's cost came into the books

PlaceKey = tuple[str, int, int]  # book, repository id, number


class CoveredRun(NamedTuple):
    """An agent run's covered ledger entries as text, in order of ids: see `text_of_entry`."""

    agent_run_id: str
    entries: str


class RunKnown(NamedTuple):
    """What is told of an agent run beside its amounts. `models`: names with weights, of its priced calls."""

    home_id: int  # the repository in which it ran
    agent: str
    owner: Owner
    models: Sequence[tuple[str, int]]


@dataclass(slots=True)
class _Sum:
    """A line or an adjustment in the making."""

    amount: int = 0
    covered: int = 0
    agent_runs: int = 0
    entries: int = 0
    proofs: list[bytes] = field(default_factory=list)
    parts: dict[tuple[str, str], list[int]] = field(default_factory=dict)  # agent runs, amount, covered


AdjustedKey = tuple[str, Month, Kind, PlaceKey]


@dataclass(slots=True)
class Gathered:
    """Sums by cost center and place. What two gatherings hold of runs in order of ids adds up to what one would."""

    lines: dict[tuple[str, PlaceKey], _Sum] = field(default_factory=dict)
    adjusted: dict[AdjustedKey, _Sum] = field(default_factory=dict)
    entries: int = 0
    amount: int = 0

    def add(self, run: CoveredRun, known: RunKnown) -> None:
        """Take in an agent run's entries of the month itself."""
        places, count, _ = places_of(run.entries)
        proof = hashlib.sha256(run.entries.encode()).digest()
        self.entries += count
        covered = bool(known.owner.covered_by)
        for place, amount in _where(places, known.home_id):
            line = self.lines.setdefault((known.owner.cost_center, place), _Sum())
            self.amount += amount
            _take(line, amount, covered, count, proof)
            _part(line, known, amount, covered)

    def adjust(self, run: CoveredRun, known: RunKnown, original: Month) -> None:
        """Take in an agent run's entries of an earlier month."""
        places, count, reasons = places_of(run.entries)
        proof = hashlib.sha256(run.entries.encode()).digest()
        self.entries += count
        covered, kind = bool(known.owner.covered_by), kind_of(reasons)
        for place, amount in _where(places, known.home_id):
            self.amount += amount
            key = known.owner.cost_center, original, kind, place
            _take(self.adjusted.setdefault(key, _Sum()), amount, covered, count, proof)

    def join(self, later: "Gathered") -> None:
        """Take in what was gathered of agent runs whose ids follow."""
        self.entries += later.entries
        self.amount += later.amount
        for line, more in later.lines.items():
            _join(self.lines.setdefault(line, _Sum()), more)
        for adjusted, more in later.adjusted.items():
            _join(self.adjusted.setdefault(adjusted, _Sum()), more)

    def lines_of(self, names: Mapping[int, str]) -> dict[str, tuple[Line, ...]]:
        """By cost center: lines, the dearest first. `names`: "owner/name" of repositories."""
        found: dict[str, list[Line]] = {}
        for (cost_center, (book, repository_id, number)), each in self.lines.items():
            line = Line(
                repository_id=repository_id,
                repository=names.get(repository_id, ""),
                book=book,
                number=number,
                amount=NanoUsd(each.amount),
                covered=NanoUsd(each.covered),
                agent_runs=each.agent_runs,
                parts=_parts(each),
                proof=_proof(each),
            )
            found.setdefault(cost_center, []).append(line)
        return {name: tuple(sorted(lines, key=_dearest)) for name, lines in found.items()}

    def adjustments_of(self, names: Mapping[int, str]) -> dict[str, tuple[Adjustment, ...]]:
        """By cost center: adjustments, by month and place."""
        found: dict[str, list[Adjustment]] = {}
        for (cost_center, original, kind, place), each in sorted(self.adjusted.items()):
            book, repository_id, number = place
            adjustment = Adjustment(
                original=original,
                kind=kind,
                repository_id=repository_id,
                repository=names.get(repository_id, ""),
                book=book,
                number=number,
                agent_runs=each.agent_runs,
                amount=NanoUsd(each.amount),
                covered=NanoUsd(each.covered),
                reason=REASONS[kind],
                evidence=f"{each.entries} ledger entries",
                proof=_proof(each),
            )
            found.setdefault(cost_center, []).append(adjustment)
        return {name: tuple(each) for name, each in found.items()}


REASONS = {
    Kind.LATE: "recorded after the month had closed",
    Kind.REPRICED: "priced anew, or counted elsewhere, after the month had closed",
    Kind.REATTRIBUTED: "moved to or from a pull after the month had closed",
}


def places_of(entries: str) -> tuple[dict[PlaceKey, int], int, set[tuple[str, str]]]:
    """What sits where by the text of an agent run's entries, how many they are, and each one's book and reason.

    Raises ValueError where they are not in the order of their ids.
    """
    places: dict[PlaceKey, int] = {}
    reasons: set[tuple[str, str]] = set()
    before, records = 0, entries.split(ENTRY)
    for record in records:
        entry_id, _, book, repository_id, number, _, _, amount, _, reason = record.split(FIELD, 9)
        if int(entry_id) <= before:
            raise ValueError("ledger entries must come in the order of their ids")
        before = int(entry_id)
        reasons.add((book, reason))
        if book != "usage":
            place = (book, int(repository_id), int(number))
            places[place] = places.get(place, 0) + int(amount)
    return places, len(records), reasons


def kind_of(reasons: Iterable[tuple[str, str]]) -> Kind:
    """Why an agent run of an earlier month has entries now."""
    usage = {reason for book, reason in reasons if book == "usage"}
    if RECORDED in usage:
        return Kind.LATE
    return Kind.REPRICED if usage else Kind.REATTRIBUTED


def _where(places: Mapping[PlaceKey, int], home_id: int) -> list[tuple[PlaceKey, int]]:
    """Where the run's cost sits; what is nowhere stands with nothing where it began, so that its proof does."""
    return [(place, amount) for place, amount in places.items() if amount] or [
        ((Book.UNATTRIBUTED.value, home_id, 0), 0)
    ]


def _take(own: _Sum, amount: int, covered: bool, entries: int, proof: bytes) -> None:
    own.agent_runs += 1
    own.entries += entries
    own.proofs.append(proof)
    if covered:
        own.covered += amount
    else:
        own.amount += amount


def _part(line: _Sum, known: RunKnown, amount: int, covered: bool) -> None:
    models = known.models or (("", 1),)
    amounts = share(NanoUsd(amount), [weight for _, weight in models]) if len(models) > 1 else [NanoUsd(amount)]
    at = 2 if covered else 1
    for (model, _), part in zip(models, amounts, strict=True):
        sums = line.parts.setdefault((known.agent, model), [0, 0, 0])
        sums[0] += 1
        sums[at] += part


def _join(own: _Sum, more: _Sum) -> None:
    own.amount += more.amount
    own.covered += more.covered
    own.agent_runs += more.agent_runs
    own.entries += more.entries
    own.proofs += more.proofs
    for key, sums in more.parts.items():
        mine = own.parts.setdefault(key, [0, 0, 0])
        mine[:] = [one + other for one, other in zip(mine, sums, strict=True)]


def _parts(own: _Sum) -> tuple[Part, ...]:
    found = [
        Part(agent, model, runs, NanoUsd(amount), NanoUsd(covered))
        for (agent, model), (runs, amount, covered) in own.parts.items()
    ]
    return tuple(sorted(found, key=lambda part: (-part.amount, -part.covered, part.agent, part.model)))


def _proof(own: _Sum) -> Proof:
    return Proof(own.entries, hashlib.sha256(b"".join(own.proofs)).hexdigest())


def _dearest(line: Line) -> tuple[int, int, str, int, int]:
    return -line.amount, -line.covered, line.book, line.repository_id, line.number

"""What a month states, gathered agent run by agent run: by cost center and place, with the proof of each amount.

A line's proof is the SHA-256 of its agent runs' own, in the order of their ids; an agent run's is that of the text of
its ledger entries in the line's repository that the month covers, whatever their book. So each entry that a month
covers is in the proof of some line, and a proof reaches back to where cost came from.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.chargeback.ownership import Owner
from app.core.chargeback.statement import Adjustment, Kind, Line, Part, Proof
from app.core.chargeback.terms import SUBSCRIPTION
from app.core.ledger import Book
from app.core.money import NanoUsd, share
from app.core.month import Month

# An entry's text is its id, transaction, book, repository, number, agent run, month, amount, instant and reason. These
# stand between fields, and between entries; no reason has one, nor anything that is made by us.
FIELD, ENTRY, FIELDS = "\x1f", "\x1e", 10
UNATTRIBUTED = Book.UNATTRIBUTED.value
RECORDED = "recorded"  # the reason of the entry by which an agent run's cost came into the books

PlaceKey = tuple[str, int, int]  # book, repository id, number


class RunKnown(NamedTuple):
    """What is told of an agent run beside its amounts. `models`: names with what their priced calls of the month cost.

    `differs`: its signed property names another cost center than the property's history.
    """

    home_id: int  # the repository in which it ran
    agent: str
    owner: Owner
    models: Sequence[tuple[str, int]]
    differs: bool = False


@dataclass(slots=True)
class _Sum:
    """A line or an adjustment in the making."""

    amount: int = 0
    covered: int = 0
    agent_runs: int = 0
    entries: int = 0
    proofs: bytearray = field(default_factory=bytearray)
    parts: dict[tuple[str, str], list[int]] = field(default_factory=dict)  # agent runs, amount, covered

    @property
    def proof(self) -> Proof:
        return Proof(self.entries, hashlib.sha256(self.proofs).hexdigest())

    def take(self, amount: int, covered: bool, entries: int, proof: bytes, *, counts: bool) -> None:
        self.agent_runs += counts
        self.entries += entries
        self.proofs += proof
        if covered:
            self.covered += amount
        else:
            self.amount += amount


Spent = dict[tuple[int, Owner], list[int]]  # by repository in which agents ran: amount, agent runs, differing ones


@dataclass(slots=True)
class States:
    """What a month states by cost center, or a part of it: other repositories' lines are in other parts."""

    lines: dict[str, list[Line]] = field(default_factory=dict)
    adjustments: dict[str, list[Adjustment]] = field(default_factory=dict)
    spent: Spent = field(default_factory=dict)
    own: int = 0  # of the month itself, in nano-USD, covered ones included

    def join(self, other: "States") -> None:
        """Take in another part."""
        self.own += other.own
        for name, lines in other.lines.items():
            self.lines.setdefault(name, []).extend(lines)
        for name, adjustments in other.adjustments.items():
            self.adjustments.setdefault(name, []).extend(adjustments)
        for spender, counts in other.spent.items():
            mine = self.spent.setdefault(spender, [0, 0, 0])
            mine[:] = [one + more for one, more in zip(mine, counts, strict=True)]

    def used(self) -> dict[str, dict[str, NanoUsd]]:
        """What each subscription ("subscription:<name>") covered of the month's own agent runs, by cost center."""
        found: dict[str, dict[str, NanoUsd]] = {}
        for (_, owner), (amount, _, _) in self.spent.items():
            if owner.covered_by:
                own = found.setdefault(SUBSCRIPTION + owner.covered_by, {})
                own[owner.cost_center] = NanoUsd(own.get(owner.cost_center, 0) + amount)
        return found

    def lines_of(self, cost_center: str) -> tuple[Line, ...]:
        """A cost center's lines, the dearest first."""
        return tuple(sorted(self.lines.get(cost_center, ()), key=_dearest))

    def adjustments_of(self, cost_center: str) -> tuple[Adjustment, ...]:
        """A cost center's adjustments by month, reason and place."""
        return tuple(self.adjustments.get(cost_center, ()))


@dataclass(slots=True)
class Gathered:
    """Sums by cost center and place, as agent runs come in the order of their ids."""

    lines: dict[tuple[str, PlaceKey], _Sum] = field(default_factory=dict)
    adjusted: dict[tuple[str, Month, Kind, PlaceKey], _Sum] = field(default_factory=dict)
    spent: Spent = field(default_factory=dict)
    own: int = 0
    late: int = 0  # of earlier months, in nano-USD

    def add(self, repository_id: int, entries: str, known: RunKnown) -> None:
        """Take in the text of an agent run's entries of the month itself in a repository."""
        places, count, ordered = places_of(entries)
        proof = hashlib.sha256(ordered.encode()).digest()
        cost_center, covered = known.owner.cost_center, bool(known.owner.covered_by)
        sits = [(place, amount) for place, amount in places.items() if amount]
        for place, amount in sits or [((UNATTRIBUTED, repository_id, 0), 0)]:
            key = cost_center, place
            line = self.lines.get(key)
            if line is None:
                line = self.lines[key] = _Sum()
            # What has left this repository stands here with nothing, so that its proof does; it counts elsewhere.
            line.take(amount, covered, count, proof, counts=bool(sits))
            if sits:
                self.own += amount
                _part(line, known, amount, covered)
        spender = known.home_id, known.owner
        spent = self.spent.get(spender)
        if spent is None:
            spent = self.spent[spender] = [0, 0, 0]
        spent[0] += sum(places.values())
        if repository_id == known.home_id:
            spent[1] += 1
            spent[2] += known.differs

    def adjust(self, entries: str, known: RunKnown, original: Month) -> None:
        """Take in the text of an agent run's entries of an earlier month, in all repositories."""
        places, count, ordered = places_of(entries)
        proof = hashlib.sha256(ordered.encode()).digest()
        covered, kind = bool(known.owner.covered_by), kind_of(reasons_of(ordered))
        sits = [(place, amount) for place, amount in places.items() if amount]
        for place, amount in sits or [((UNATTRIBUTED, known.home_id, 0), 0)]:
            key = known.owner.cost_center, original, kind, place
            self.late += amount
            self.adjusted.setdefault(key, _Sum()).take(amount, covered, count, proof, counts=bool(sits))

    def states(self, names: Mapping[int, str]) -> States:
        """What was gathered. `names`: "owner/name" of repositories."""
        states = States(spent=self.spent, own=self.own)
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
                proof=each.proof,
            )
            states.lines.setdefault(cost_center, []).append(line)
        for (cost_center, original, kind, (book, repository_id, number)), each in sorted(self.adjusted.items()):
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
                proof=each.proof,
            )
            states.adjustments.setdefault(cost_center, []).append(adjustment)
        return states


REASONS = {
    Kind.LATE: "recorded after the month had closed",
    Kind.REPRICED: "priced anew, or counted elsewhere, after the month had closed",
    Kind.REATTRIBUTED: "to another pull, or to none, after the month had closed",
}


def places_of(entries: str) -> tuple[dict[PlaceKey, int], int, str]:
    """What sits where by the text of an agent run's entries, how many they are, and the text in the order of ids."""
    places: dict[PlaceKey, int] = {}
    before, fields = 0, entries.replace(ENTRY, FIELD).split(FIELD)
    for at in range(0, len(fields), FIELDS):
        entry_id, book = int(fields[at]), fields[at + 2]
        if entry_id < before:
            return places_of(ENTRY.join(sorted(entries.split(ENTRY), key=_id_of)))
        before = entry_id
        if book != "usage":
            place = book, int(fields[at + 3]), int(fields[at + 4])
            places[place] = places.get(place, 0) + int(fields[at + 7])
    return places, len(fields) // FIELDS, entries


def _id_of(entry: str) -> int:
    return int(entry.partition(FIELD)[0])


def reasons_of(entries: str) -> set[tuple[str, str]]:
    """The book and reason of each entry in an agent run's text."""
    return {(each[2], each[9]) for each in (record.split(FIELD) for record in entries.split(ENTRY))}


def kind_of(reasons: Iterable[tuple[str, str]]) -> Kind:
    """Why an agent run of an earlier month has entries now."""
    usage = {reason for book, reason in reasons if book == "usage"}
    if RECORDED in usage:
        return Kind.LATE
    return Kind.REPRICED if usage else Kind.REATTRIBUTED


def _part(line: _Sum, known: RunKnown, amount: int, covered: bool) -> None:
    models = known.models or (("", amount),)
    if sum(weight for _, weight in models) != amount:  # it is in several places, or of one model without a weight
        parts = share(NanoUsd(amount), [weight for _, weight in models])
        models = [(model, part) for (model, _), part in zip(models, parts, strict=True)]
    at = 2 if covered else 1
    for model, part in models:
        key = known.agent, model
        sums = line.parts.get(key)
        if sums is None:
            sums = line.parts[key] = [0, 0, 0]
        sums[0] += 1
        sums[at] += part


def _parts(own: _Sum) -> tuple[Part, ...]:
    found = [
        Part(agent, model, runs, NanoUsd(amount), NanoUsd(covered))
        for (agent, model), (runs, amount, covered) in own.parts.items()
    ]
    return tuple(sorted(found, key=lambda part: (-part.amount, -part.covered, part.agent, part.model)))


def _dearest(line: Line) -> tuple[int, int, str, int, int]:
    return -line.amount, -line.covered, line.book, line.repository_id, line.number

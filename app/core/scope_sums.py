"""What the metrics of a scope in a period are computed from: sums that add up over repositories.

A repository's sums of one scope are of two parts: what agent runs did for its pulls, or in it without a pull (money and
tokens: wherever they ran), and how many agent runs began in it (wherever their pulls are). So nothing is in two
repositories, and a scope's metrics are those of the sum. Both parts are pure functions of shares and of the instant.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.core.metrics import REVERT_WINDOW, PullFate, stands
from app.core.period import Period
from app.core.shares import Dimension, Share
from app.core.size_bands import band_of
from app.core.usage import Tokens
from app.core.yields import ABANDONED_AFTER, Dead, ShareClass, class_of, dead_because

# Where each sum stands in `ScopeSums.numbers`.
(
    COST, WITHOUT_PULL, OPEN_AT_START, OPEN_AT_END, AGENT_MERGED, SURVIVED, COHORT, DIRECT, RETRIED, AGENT_RUNS,
    UNPRICED_CALLS,
) = range(11)  # fmt: skip
TOKENS = 11  # seven, in the order of Tokens
CLASSES = TOKENS + 7  # for each class: agent runs, output tokens, tokens of all kinds, cost
DEAD = CLASSES + 4 * len(ShareClass)
LENGTH = DEAD + len(Dead)
CLASS_AT = {kind: CLASSES + 4 * n for n, kind in enumerate(ShareClass)}
DEAD_AT = {why: DEAD + n for n, why in enumerate(Dead)}


@dataclass(slots=True)
class ScopeSums:
    """Amounts in nano-USD, contracted. `bands`: the lifetime cost of each surviving pull, by its size band."""

    numbers: list[int] = field(default_factory=lambda: [0] * LENGTH)
    bands: dict[str, list[int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(self.numbers)

    def add(self, other: "ScopeSums") -> None:
        self.numbers = [own + more for own, more in zip(self.numbers, other.numbers, strict=True)]
        for band, costs in other.bands.items():
            self.bands.setdefault(band, []).extend(costs)


ByScope = dict[str, ScopeSums]


@dataclass(frozen=True, slots=True)
class RepositorySums:
    """One repository in consecutive periods. `merged`: all its pulls that merged and count, by period."""

    by_scope: Mapping[tuple[int, Dimension], ByScope]  # by the number of the period, and dimension
    merged: Sequence[int]
    has_pulls: bool
    holds_until: datetime | None  # then one of these sums changes though nothing happens; None: never


def sums_of(
    here: int,
    periods: Sequence[Period],
    dimensions: Sequence[Dimension],
    shares: Iterable[Share],
    pulls: Sequence[PullFate],
    now: datetime,
) -> RepositorySums:
    """A repository's sums of every scope. `periods` follow each other without a gap; `pulls` are the repository's.

    `shares`: those of its agent runs, and of others' that are for its pulls.
    """
    adding = _Adding(here, periods, now)
    runs: dict[str, list[Share]] = {}
    for share in shares:
        runs.setdefault(share.agent_run_id, []).append(share)
    for of_run in runs.values():
        adding.run(of_run)
    merged = [0] * len(periods)
    for pull in pulls:
        at = adding.period_of(pull.merged_at) if pull.merged_at is not None and pull.tracked else -1
        if 0 <= at < len(periods):
            merged[at] += 1
    found = {(number, dimension): ByScope() for number in range(len(periods)) for dimension in dimensions}
    for dimension in dimensions:
        for key, by_number in adding.by_key(dimension).items():
            for number, sums in by_number.items():
                if sums:
                    found[number, dimension][key] = sums
    return RepositorySums(found, merged, bool(pulls), adding.holds_until)


Spent = dict[int, int]  # nano-USD by the number of the period
Kin = tuple[object, ...]  # what shares that are in the same scopes have in common
ByNumber = defaultdict[int, ScopeSums]


class _Kind:
    """The shares that are in the same scopes: one of them to know these by, and what they add up to."""

    def __init__(self, one: Share) -> None:
        self.one = one
        self.by_number = ByNumber(ScopeSums)
        self.spent: dict[int, tuple[PullFate, Spent]] = {}


class _Adding:
    """Goes through the shares once, for all periods and dimensions together."""

    def __init__(self, here: int, periods: Sequence[Period], now: datetime) -> None:
        self.here, self.now = here, now
        self.bounds = [*(period.start for period in periods), periods[-1].end]
        self.last = len(periods)
        self.kinds: dict[Kin, _Kind] = {}
        self.began: dict[Kin, _Kind] = {}
        self.began_by_model: dict[Kin, _Kind] = {}
        self.holds_until: datetime | None = None

    def period_of(self, at: datetime) -> int:
        """The number of the period that holds an instant; −1 before the first, their number behind the last."""
        return bisect_right(self.bounds, at) - 1

    def run(self, shares: Sequence[Share]) -> None:
        classes = [class_of(share, self.now) for share in shares]
        for share, kind in zip(shares, classes, strict=True):
            place = share.repository_id if share.pull is None else share.pull.repository_id
            if place == self.here:
                self._place(share, kind)
            self._until(share)
        first = shares[0]
        number = self.period_of(first.began_at)
        if first.repository_id == self.here and 0 <= number < self.last:
            _count(self.began, _kin(first), first, number, set(classes))
            by_model: dict[str, tuple[Share, set[ShareClass]]] = {}
            for share, kind in zip(shares, classes, strict=True):
                by_model.setdefault(share.model, (share, set()))[1].add(kind)
            for model, (one, of_model) in by_model.items():
                _count(self.began_by_model, (model,), one, number, of_model)

    def _place(self, share: Share, kind: ShareClass) -> None:
        kin = (*_kin(share), share.model)
        of_kin = self.kinds.get(kin)
        if of_kin is None:
            of_kin = self.kinds[kin] = _Kind(share)
        dead = dead_because(share, self.now)
        spent: Spent = {}
        for piece in share.pieces:
            number = self.period_of(piece.at)
            spent[number] = spent.get(number, 0) + piece.cost
            if 0 <= number < self.last:
                _add_piece(of_kin.by_number[number].numbers, share, kind, dead, piece.cost, piece.tokens)
        if share.pull is not None:
            _spend(of_kin.spent, share.pull, spent)

    def _until(self, share: Share) -> None:
        """When the class of a share changes by itself."""
        if share.pull is None:
            at = None if share.tied else share.waits_since + ABANDONED_AFTER
        else:
            at = share.pull.merged_at and share.pull.merged_at + REVERT_WINDOW
        if at is not None and at > self.now and (self.holds_until is None or at < self.holds_until):
            self.holds_until = at

    def by_key(self, dimension: Dimension) -> dict[str, ByNumber]:
        """What the shares of each scope add up to, by period."""
        found: defaultdict[str, ByNumber] = defaultdict(lambda: ByNumber(ScopeSums))
        spends: defaultdict[str, dict[int, tuple[PullFate, Spent]]] = defaultdict(dict)
        began = self.began_by_model if dimension is Dimension.MODEL else self.began
        for of_kin in (*self.kinds.values(), *began.values()):
            key = dimension.key_of(of_kin.one)
            for number, sums in of_kin.by_number.items():
                found[key][number].add(sums)
            for fate, spent in of_kin.spent.values():
                _spend(spends[key], fate, spent)
        for key, by_pull in spends.items():
            for fate, spent in by_pull.values():
                self._open(found[key], fate, spent)
                self._merged(found[key], fate, sum(spent.values()))
        return found

    def _open(self, by_number: ByNumber, fate: PullFate, spent: Spent) -> None:
        """What was spent before each bound at which the pull was open: also if it was closed at that very instant."""
        until = self.last if fate.closed_at is None else min(self.period_of(fate.closed_at), self.last)
        for number in range(max(min(spent, default=self.last) + 1, 0), until + 1):
            before = sum(amount for at, amount in spent.items() if at < number)
            if before and number < self.last:
                by_number[number].numbers[OPEN_AT_START] += before
            if before and number > 0:
                by_number[number - 1].numbers[OPEN_AT_END] += before

    def _merged(self, by_number: ByNumber, fate: PullFate, lifetime: int) -> None:
        number = self.period_of(fate.merged_at) if fate.merged_at is not None and fate.tracked else -1
        if not 0 <= number < self.last:
            return
        sums = by_number[number]
        sums.numbers[AGENT_MERGED] += 1
        sums.numbers[COHORT] += lifetime
        if stands(fate):
            sums.numbers[SURVIVED] += 1
            sums.numbers[DIRECT] += lifetime
            sums.bands.setdefault(band_of(fate.lines_changed), []).append(lifetime)


def _kin(share: Share) -> Kin:
    return share.repository_id, share.team, share.cost_center, share.workflow, share.agent, share.purpose


def _count(counted: dict[Kin, _Kind], kin: Kin, run: Share, number: int, classes: Iterable[ShareClass]) -> None:
    """An agent run counts where it began, once in each of its classes and scopes."""
    numbers = counted.setdefault(kin, _Kind(run)).by_number[number].numbers
    numbers[AGENT_RUNS] += 1
    numbers[UNPRICED_CALLS] += run.unpriced_calls
    for kind in classes:
        numbers[CLASS_AT[kind]] += 1


def _spend(by_pull: dict[int, tuple[PullFate, Spent]], fate: PullFate, more: Spent) -> None:
    _, spent = by_pull.setdefault(fate.number, (fate, {}))
    for number, amount in more.items():
        spent[number] = spent.get(number, 0) + amount


def _add_piece(
    numbers: list[int], share: Share, kind: ShareClass, dead: Dead | None, cost: int, tokens: Tokens
) -> None:
    numbers[COST] += cost
    if share.pull is None:
        numbers[WITHOUT_PULL] += cost
    if share.retried:
        numbers[RETRIED] += cost
    for at, count in enumerate(tokens, TOKENS):
        if count:
            numbers[at] += count
    where = CLASS_AT[kind]
    numbers[where + 1] += tokens.output
    numbers[where + 2] += tokens.total
    numbers[where + 3] += cost
    if dead is not None:
        numbers[DEAD_AT[dead]] += cost

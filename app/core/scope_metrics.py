"""All metrics of one scope in one period, from its shares and the pulls of its repositories. The one entry point.

The figures are what holds at `now`: reverts, late pulls and late records restate them. Nobody is ranked: there is no
person in a share.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from app.core.metrics import PeriodCost, PullFate, PullSpend, period_cost
from app.core.money import ZERO, NanoUsd
from app.core.month import Month
from app.core.period import Period
from app.core.shares import Dimension, Share, by_scope
from app.core.size_bands import BandCost, by_band
from app.core.usage import Tokens
from app.core.yields import Dead, ShareClass, Yields, class_of, dead_because, ratio, yields_of

TREND_MONTHS = 6
PullId = tuple[int, int]  # repository id, number


@dataclass(frozen=True, slots=True)
class Metrics:
    """One scope's period. Amounts are contracted cost; ratios are exact, in [0, 1], and None of nothing."""

    period: Period
    cost: PeriodCost
    agent_runs: int  # that began in the period
    unpriced_calls: int  # of these
    tokens: Tokens
    yields: Yields
    dead: Mapping[Dead, NanoUsd]  # of the period's charges; every reason has its amount
    cache_read_share: Fraction | None  # of all input tokens
    retry_tax: Fraction | None  # cost of attempts that a later one replaced ÷ cost
    support_share: Fraction | None  # of the cost that counts as yield
    by_size: tuple[BandCost, ...]  # lifetime cost of the surviving pulls merged in the period

    @property
    def dead_total(self) -> NanoUsd:
        return NanoUsd(sum(self.dead.values()))

    @property
    def provisional(self) -> bool:
        """Reverts can still change it."""
        return self.cost.provisional


def measure(period: Period, shares: Sequence[Share], pulls: Iterable[PullFate], now: datetime) -> Metrics:
    """The metrics of the scope that has these shares; `pulls` are all pulls of its repositories.

    No bound of the period may cut a piece of a share: load shares for the periods that are asked.
    """
    spends = _spends(shares, pulls)
    classed = [(share, class_of(share, now)) for share in shares]
    yields = yields_of(classed, period)
    cost = period_cost(period, [spend for _, spend in spends], _loose(shares), now)
    tokens = sum((piece.tokens for share in shares for piece in share.pieces if piece.at in period), Tokens())
    support, productive = (yields.classes[kind].cost for kind in (ShareClass.SUPPORT, ShareClass.PRODUCTIVE))
    began = {share.agent_run_id: share.unpriced_calls for share in shares if share.began_at in period}
    return Metrics(
        period=period,
        cost=cost,
        agent_runs=len(began),
        unpriced_calls=sum(began.values()),
        tokens=tokens,
        yields=yields,
        dead=_dead(period, shares, now),
        cache_read_share=ratio(tokens.cache_read, tokens.prompt),
        retry_tax=ratio(sum(_spent(share, period) for share in shares if share.retried), cost.cost),
        support_share=ratio(support, support + productive),
        by_size=by_band(
            (fate.lines_changed, spend.lifetime)
            for fate, spend in spends
            if spend.survived and spend.merged_at in period
        ),
    )


def measure_scopes(
    dimension: Dimension, period: Period, shares: Iterable[Share], pulls: Iterable[PullFate], now: datetime
) -> dict[str, Metrics]:
    """The metrics of every scope of a dimension, by its key; what the scopes cost adds up to what the whole does.

    A scope is there if anything of it falls into the period. Its merged pulls are those of the repositories where
    that is so; a repository's are its own.
    """
    of_repository: dict[int, list[PullFate]] = {}
    for pull in pulls:
        of_repository.setdefault(pull.repository_id, []).append(pull)
    found = dict(by_scope(shares, dimension))
    if dimension is Dimension.ORGANISATION:
        return {"": measure(period, found.get("", []), list(pulls), now)}
    if dimension is Dimension.REPOSITORY:
        found |= {str(each): [] for each in of_repository if str(each) not in found}
    measured = {}
    for key, own in sorted(found.items()):
        where = {each for share in own for each in touched(share, period)}
        if dimension is Dimension.REPOSITORY and (where or int(key) in of_repository):
            where = {int(key)}
        if not where:
            continue
        near = [pull for each in sorted(where) for pull in of_repository.get(each, ())]
        measured[key] = measure(period, own, near, now)
    return measured


def touched(share: Share, period: Period) -> set[int]:
    """In which repositories a share concerns a period: where its agent run began, and where it is counted."""
    found = {share.repository_id} if share.began_at in period else set()
    pull = share.pull
    here = any(piece.at in period and (piece.cost or any(piece.tokens)) for piece in share.pieces)
    if pull is not None and not here:
        here = pull.tracked and pull.merged_at in period
        for bound in (period.start, period.end):
            was_open = pull.closed_at is None or pull.closed_at >= bound
            here = here or (was_open and any(piece.at < bound and piece.cost for piece in share.pieces))
    if here:
        found.add(share.repository_id if pull is None else pull.repository_id)
    return found


def trend_months(last: Month, number: int = TREND_MONTHS) -> list[Month]:
    """The months of a trend, the last one last."""
    months = [last]
    while len(months) < number:
        months.insert(0, months[0].previous)
    return months


def _spends(shares: Iterable[Share], pulls: Iterable[PullFate]) -> list[tuple[PullFate, PullSpend]]:
    """Every pull with what the scope's own agent runs cost for it."""
    spent: dict[PullId, dict[datetime, NanoUsd]] = {}
    runs: dict[PullId, set[str]] = {}
    fates = {(pull.repository_id, pull.number): pull for pull in pulls}
    for share in shares:
        if share.pull is not None:
            key = share.pull.repository_id, share.pull.number
            fates.setdefault(key, share.pull)
            runs.setdefault(key, set()).add(share.agent_run_id)
            _add(spent.setdefault(key, {}), share)
    return [(fate, _spend(fate, len(runs.get(key, ())), spent.get(key, {}))) for key, fate in fates.items()]


def _spend(fate: PullFate, agent_runs: int, spent: Mapping[datetime, NanoUsd]) -> PullSpend:
    return PullSpend(
        number=fate.number,
        agent_runs=agent_runs,
        spent=spent,
        closed_at=fate.closed_at,
        merged_at=fate.merged_at,
        reverted_at=fate.reverted_at,
        is_revert=fate.is_revert,
        tracked=fate.tracked,
    )


def _loose(shares: Iterable[Share]) -> dict[datetime, NanoUsd]:
    found: dict[datetime, NanoUsd] = {}
    for share in shares:
        if share.pull is None:
            _add(found, share)
    return found


def _add(spent: dict[datetime, NanoUsd], share: Share) -> None:
    for piece in share.pieces:
        spent[piece.at] = NanoUsd(spent.get(piece.at, ZERO) + piece.cost)


def _spent(share: Share, period: Period) -> NanoUsd:
    return NanoUsd(sum(piece.cost for piece in share.pieces if piece.at in period))


def _dead(period: Period, shares: Iterable[Share], now: datetime) -> dict[Dead, NanoUsd]:
    found = dict.fromkeys(Dead, ZERO)
    for share in shares:
        if (why := dead_because(share, now)) is not None:
            found[why] = NanoUsd(found[why] + _spent(share, period))
    return found

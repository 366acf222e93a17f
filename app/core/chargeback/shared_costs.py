"""Shared costs, divided among cost centers by their pool's method, and the cents that stand on paper.

Whatever is divided sums to what it was, to the nano-dollar and to the cent. What nobody can take stays where it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.core.chargeback.statement import SharedCost, Statement
from app.core.chargeback.terms import Method, Sharing, is_nobodys
from app.core.money import ZERO, NanoUsd, cents, share


@dataclass(frozen=True, slots=True)
class SharedPool:
    """A month's cost that is shared. `key`: "unassigned", "shared:<pool>" or "subscription:<name>".

    `used`: what a subscription covered of the month's own agent runs, by cost center.
    """

    key: str
    label: str
    sharing: Sharing
    total: NanoUsd
    used: Mapping[str, NanoUsd] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shares:
    """Who takes what. `distributed` and `stayed` have every pool by its key: stayed - distributed = its total."""

    taken: Mapping[str, tuple[SharedCost, ...]]  # by cost center, in the order of the pools
    distributed: Mapping[str, NanoUsd]  # what left it, with its sign turned
    stayed: Mapping[str, NanoUsd]


@dataclass(frozen=True, slots=True)
class _Weighed:
    """Weights by cost center; none where a pool stays whole. `fell_back`: there was nothing to go by: evenly."""

    by_name: Mapping[str, int]
    fell_back: bool = False


def share_out(pools: Sequence[SharedPool], direct: Mapping[str, NanoUsd]) -> Shares:
    """Divide a month's pools among cost centers, in cents still 0.

    `direct` is what the month's own agent runs cost each active cost center: the ones that have a statement. What
    nobody owns and pools may be among them; they take nothing. A fixed method's cost centers need not be active.
    """
    active = {name: direct[name] for name in sorted(direct) if not is_nobodys(name)}
    taken: dict[str, list[SharedCost]] = {}
    distributed: dict[str, NanoUsd] = {}
    for pool in pools:
        parts = _parts(pool, active)
        for name, part in parts.items():
            taken.setdefault(name, []).append(part)
        distributed[pool.key] = NanoUsd(-sum(part.amount for part in parts.values()))
    return Shares(
        {name: tuple(taken[name]) for name in sorted(taken)},
        distributed,
        {pool.key: NanoUsd(pool.total + distributed[pool.key]) for pool in pools},
    )


def _parts(pool: SharedPool, active: Mapping[str, NanoUsd]) -> dict[str, SharedCost]:
    weighed = _weighed(pool, active)
    weights = {name: weight for name, weight in sorted(weighed.by_name.items()) if weight}
    if not weights or not pool.total:
        return {}
    amounts, in_all = share(pool.total, list(weights.values())), sum(weights.values())
    return {
        name: SharedCost(
            pool=pool.key,
            label=pool.label,
            method=pool.sharing.method.value,
            fell_back=weighed.fell_back,
            pool_total=pool.total,
            weight=weight,
            weights=in_all,
            amount=amount,
        )
        for (name, weight), amount in zip(weights.items(), amounts, strict=True)
    }


def _weighed(pool: SharedPool, active: Mapping[str, NanoUsd]) -> _Weighed:
    even = dict.fromkeys(active, 1)
    match pool.sharing.method:
        case Method.NONE:
            return _Weighed({})
        case Method.FIXED:
            return _Weighed(pool.sharing.weights)
        case Method.EVEN:
            return _Weighed(even)
        case Method.PROPORTIONAL:
            return _by_amount(active, even)
        case Method.USE:
            return _by_amount({name: pool.used.get(name, ZERO) for name in active}, even)


def _by_amount(amounts: Mapping[str, NanoUsd], even: Mapping[str, int]) -> _Weighed:
    # A negative amount would make others pay more than there is.
    weights = {name: max(0, amount) for name, amount in amounts.items()}
    return _Weighed(weights) if any(weights.values()) else _Weighed(even, fell_back=True)


# ---- cents ---------------------------------------------------------------------------------------------------------


def paper(statements: Sequence[Statement]) -> list[Statement]:
    """All of a period's statements with their cents, in order of cost center.

    Their totals add up to the period's cents, and each one's parts to its total's.
    """
    ordered = sorted(statements, key=lambda each: each.cost_center)
    totals = cents([each.total for each in ordered])
    return [in_cents(each, total) for each, total in zip(ordered, totals, strict=True)]


def in_cents(statement: Statement, total_cents: int) -> Statement:
    """A statement whose parts in cents add up to these: its total, rounded down or up.

    Raises ValueError for cents that no rounding of its parts adds up to.
    """
    groups = (statement.lines, statement.fees, statement.shared, statement.adjustments)
    amounts = [each.amount for group in groups for each in group]
    found = iter(cents([*amounts, statement.distributed], total_cents))
    return replace(
        statement,
        lines=tuple(replace(each, cents=next(found)) for each in statement.lines),
        fees=tuple(replace(each, cents=next(found)) for each in statement.fees),
        shared=tuple(replace(each, cents=next(found)) for each in statement.shared),
        adjustments=tuple(replace(each, cents=next(found)) for each in statement.adjustments),
        distributed_cents=next(found),
        total_cents=total_cents,
    )

"""A month's invoices against what is recorded: the lines, the sums, and what a rule would put to whom.

Ours is contracted cost of metered model calls: agent runs that a subscription covers are in no vendor's bill for usage.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from app.core.chargeback.periods import PeriodState
from app.core.chargeback.terms import UNASSIGNED
from app.core.config import Config
from app.core.model_names import canonical_by
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.reconcile import Billed, Known, Line, Names, Ours, Proposals, Sum, propose, reconcile, sums
from app.store import our_costs
from app.store.chargeback_tables import AdjustmentRow
from app.store.configs import config_in_force
from app.store.invoice_adjustments import enter_proposals, entered_of
from app.store.invoices import billed_by_bucket, invoiced_accounts, is_final
from app.store.our_costs import CallSum
from app.store.ownership import owners_of, ownership_of, run_facts
from app.store.periods import state_of
from app.store.vendor_costs import read_days
from app.world import World


class StillOpenError(Exception):
    """A month that is open is never adjusted; the message is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A month of an account. `proposals` hold what differs by cost center, `entered` what stands as adjustments."""

    month: Month
    lines: tuple[Line, ...]
    sums: tuple[Sum, ...]
    proposals: Proposals
    entered: Mapping[tuple[str, str], NanoUsd]  # by vendor and cost center


def reconciliation(world: World, account_id: int, month: Month) -> Reconciliation:
    """What is billed of a month and what is ours, as far as both are known now."""
    with world.db.reading() as session:
        config = config_in_force(session, account_id)
        known = _known(session, world, account_id, month, config)
        names, rules = Names(canonical_by(world.prices)), config.vendors
        lines = reconcile(known, names, rules)
        told = sums(lines, rules)
        entered = {
            (each.vendor, center): amount
            for each in told
            for center, (amount, _) in entered_of(session, account_id, each.vendor, month).items()
        }
    return Reconciliation(month, tuple(lines), tuple(told), propose(known, names, rules), entered)


def enter(world: World, account_id: int, month: Month, actor: str) -> list[AdjustmentRow]:
    """Enter what is proposed as adjustments of the open month; what stands there already is not entered again.

    Raises StillOpenError for a month that has not begun to close.
    """
    found = reconciliation(world, account_id, month).proposals
    with world.db.transaction() as session:
        if state_of(session, account_id, month) is PeriodState.OPEN:
            raise StillOpenError(f"{month} is open: what differs is entered once its statements are issued (`period`).")
        return enter_proposals(session, account_id, month, found.final, found.proposals, actor, world.now())


def _known(session: Session, world: World, account_id: int, month: Month, config: Config) -> Known:
    names = Names(canonical_by(world.prices))
    billed = billed_by_bucket(session, account_id, month)
    ours = _ours(session, account_id, month, config, names)
    final = _final(session, account_id, month, config, names)
    return Known(month, ours, [Billed(each.bucket, each.billed, each.final) for each in billed], final)


def _final(session: Session, account_id: int, month: Month, config: Config, names: Names) -> Callable[[str, int], bool]:
    """Whether every account of a provider's vendors has told a day for good: by an invoice, or by its report."""
    read_at = read_days(session, account_id, month)
    invoiced = invoiced_accounts(session, account_id, month)

    def final(provider: str, day: int) -> bool:
        vendors = [each for each in config.vendors.agent_spend if names.of(each.vendor, "")[0] == provider]
        accounts = [(each.vendor, account) for each in vendors for account in (*each.accounts, *each.api_keys)]
        told = (each in invoiced or is_final(read_at, *each, month, day) for each in accounts)
        return bool(accounts) and all(told)

    return final


def _ours(session: Session, account_id: int, month: Month, config: Config, names: Names) -> list[Ours]:
    """Calls summed up by the names that the price list has. Run by run only where somebody is named who pays."""
    if _nobody_is_named(session, account_id, month, config):
        return _summed(names, ((each, UNASSIGNED) for each in our_costs.by_day(session, account_id, month)))

    owners = owners_of(session, account_id, config)

    def owned() -> Iterable[tuple[CallSum, str]]:
        for each, run in our_costs.by_run(session, account_id, month):
            owner = owners.owner_of(run_facts(*run))
            if not owner.covered_by:
                yield each, owner.cost_center

    return _summed(names, owned())


def _summed(names: Names, calls: Iterable[tuple[CallSum, str]]) -> list[Ours]:
    """By provider, model and day as they were reported, and then by the names that the price list has."""
    told: dict[tuple[str, str, int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (provider, model, day, *numbers), center in calls:
        _add(told[provider, model, day, center], numbers)
    found: dict[tuple[str, str, int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (provider, model, day, center), numbers in told.items():
        _add(found[*names.of(provider, model), day, center], numbers)
    return [
        Ours(provider, model, day, NanoUsd(cost), count, unpriced, center)
        for (provider, model, day, center), (cost, count, unpriced) in sorted(found.items())
    ]


def _add(sums_of: list[int], numbers: Sequence[int]) -> None:
    for place, number in enumerate(numbers):
        sums_of[place] += number


def _nobody_is_named(session: Session, account_id: int, month: Month, config: Config) -> bool:
    """Whether neither the month nor the present knows anybody who pays, so that agent runs need not be looked at."""
    known = ownership_of(session, account_id, month).config
    return not any(each.chargeback.names_payers for each in (known, config))

"""A month's invoices against what is recorded: the lines, the sums, and what a rule would put to whom.

Ours is contracted cost of metered model calls: agent runs that a subscription covers are in no vendor's bill for usage.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from app.core.chargeback.ownership import Ownership, RunFacts, history_of
from app.core.chargeback.terms import UNASSIGNED, Chargeback
from app.core.config import Config
from app.core.model_names import canonical_by
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.reconcile import Billed, Known, Line, Names, Ours, Proposals, Sum, propose, reconcile, sums
from app.core.workflow_lines import workflow_file
from app.store import our_costs
from app.store.chargeback_tables import AdjustmentRow, PropertyValue
from app.store.configs import config_in_force
from app.store.invoice_adjustments import enter_proposals, entered_of
from app.store.invoices import billed_by_bucket, invoiced_accounts, is_final
from app.store.keys import instant
from app.store.our_costs import CallSum
from app.store.periods import config_of_period, period_of
from app.store.vendor_costs import read_days
from app.world import World


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
    """Enter what is proposed as adjustments of the open month; what stands there already is not entered again."""
    found = reconciliation(world, account_id, month).proposals
    with world.db.transaction() as session:
        return enter_proposals(session, account_id, month, found.final, found.proposals, actor, world.now())


def _known(session: Session, world: World, account_id: int, month: Month, config: Config) -> Known:
    names = Names(canonical_by(world.prices))
    billed = billed_by_bucket(session, account_id, month)
    ours = _ours(session, account_id, month, names)
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


def _ours(session: Session, account_id: int, month: Month, names: Names) -> list[Ours]:
    """Calls summed up by the names that the price list has. Run by run only where somebody is named who pays."""
    config, known_at = _as_closed(session, account_id, month)
    if _nobody_is_named(config.chargeback):
        return _summed((names, each, UNASSIGNED) for each in our_costs.by_day(session, account_id, month))
    history = _history(session, account_id, config.chargeback.property_name, known_at)
    ownership = Ownership(config, history_of(history))

    def owned() -> Iterable[tuple[Names, CallSum, str]]:
        for each, at in our_costs.by_run(session, account_id, month):
            owner = ownership.owner_of(_facts(each, at))
            if not owner.covered_by:
                yield names, each, owner.cost_center

    return _summed(owned())


def _summed(calls: Iterable[tuple[Names, CallSum, str]]) -> list[Ours]:
    sums_of: dict[tuple[str, str, int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for names, each, center in calls:
        key = *names.of(each.provider, each.model), each.day, center
        for number, value in enumerate((each.cost, each.calls, each.unpriced_calls)):
            sums_of[key][number] += value
    return [
        Ours(provider, model, day, NanoUsd(cost), calls, unpriced, center)
        for (provider, model, day, center), (cost, calls, unpriced) in sorted(sums_of.items())
    ]


def _nobody_is_named(terms: Chargeback) -> bool:
    covering = any(each.covers_runs for each in terms.subscriptions)
    return not (terms.property_name or terms.centers or terms.pools or covering)


def _facts(each: CallSum, at: datetime) -> RunFacts:
    run = each.run
    return RunFacts(
        repository_id=run.repository_id,
        repository=run.repository or "",
        workflow=workflow_file(run.workflow_ref),
        agent=run.agent,
        team=run.team,
        properties=run.properties,
        at=at,
    )


def _as_closed(session: Session, account_id: int, month: Month) -> tuple[Config, datetime | None]:
    """The configuration by which a month's owners are told: as it closed, with the time; of an open one the present."""
    period = period_of(session, account_id, month)
    if period is None:
        return config_in_force(session, account_id), None
    return config_of_period(period), instant(period.closing_at_us)


def _history(
    session: Session, account_id: int, name: str, known_at: datetime | None
) -> list[tuple[int, datetime, str]]:
    query = select(PropertyValue).where(PropertyValue.account_id == account_id, PropertyValue.name == name)
    rows = session.exec(query.order_by(col(PropertyValue.repository_id), col(PropertyValue.since_us)))
    return [
        (row.repository_id, instant(row.since_us), row.value)
        for row in rows
        if known_at is None or instant(row.read_at_us) <= known_at
    ]

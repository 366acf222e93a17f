"""What invoices add to what cost centers were charged, as adjustments. Within the caller's transaction.

Of a vendor's month a cost center has what was proposed last, however often it is entered: each time the difference to
what stands there already is added, in the month that is open then.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from app.core.chargeback.statement import Kind
from app.core.money import ZERO, NanoUsd
from app.core.month import Month
from app.core.reconcile import Proposal
from app.store.adjustments import Entered, enter
from app.store.books import lock_books
from app.store.chargeback_tables import AdjustmentRow
from app.store.periods import open_month


def enter_proposals(
    session: Session,
    account_id: int,
    month: Month,
    vendors: Iterable[str],
    proposals: Sequence[Proposal],
    actor: str,
    now: datetime,
) -> list[AdjustmentRow]:
    """Enter what is missing to the proposals of these vendors, of a month that closes or has closed; what was made."""
    lock_books(session, account_id, shared=False)  # no close begins, and nobody enters the same, meanwhile
    into = open_month(session, account_id, now)
    made: list[AdjustmentRow] = []
    for vendor in vendors:
        wanted = {each.cost_center: each for each in proposals if each.vendor == vendor}
        there = entered_of(session, account_id, vendor, month)
        for center in sorted({*wanted, *there}):
            amount, times = there.get(center, (ZERO, 0))
            proposal = wanted.get(center) or Proposal(vendor, month, center, ZERO, f"{vendor}: nothing is left")
            missing = NanoUsd(proposal.amount - amount)
            if missing:
                entered = Entered(
                    month=into,
                    original=month,
                    amounts=[(center, missing)],
                    kind=Kind.INVOICE,
                    reason=f"{vendor} billed {month}",
                    evidence=proposal.evidence,
                    once=f"{_mark(vendor, month)}{center}:{times + 1}",
                    actor=actor,
                )
                made += enter(session, account_id, entered, now)
    return made


def entered_of(session: Session, account_id: int, vendor: str, month: Month) -> dict[str, tuple[NanoUsd, int]]:
    """What was entered of a vendor's month, by cost center: the sum, and how many times."""
    query = select(AdjustmentRow.cost_center, AdjustmentRow.amount_nano_usd).where(
        AdjustmentRow.account_id == account_id,
        AdjustmentRow.original_month == int(month),
        AdjustmentRow.kind == Kind.INVOICE.value,
        col(AdjustmentRow.once).startswith(_mark(vendor, month), autoescape=True),
    )
    found: dict[str, list[int]] = defaultdict(list)
    for center, amount in session.exec(query):
        found[center].append(amount)
    return {center: (NanoUsd(sum(amounts)), len(amounts)) for center, amounts in found.items()}


def _mark(vendor: str, month: Month) -> str:
    return f"invoice:{vendor}:{month}:"

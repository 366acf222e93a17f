"""What invoices add to what cost centers were charged, as adjustments. Within the caller's transaction.

Of a vendor's month a cost center has what was proposed last, however often it is entered: each time the difference to
what stands there already is added, in the first month that is open then, and never in one before the billed one.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from app.core.money import NanoUsd
from app.core.month import Month
from app.core.reconcile import Proposal
from app.store.chargeback_tables import AdjustmentRow
from app.store.keys import new_key, us
from app.store.periods import open_month

KIND = "invoice"


def enter_proposals(
    session: Session,
    account_id: int,
    month: Month,
    vendors: Iterable[str],
    proposals: Sequence[Proposal],
    actor: str,
    now: datetime,
) -> list[AdjustmentRow]:
    """Enter what is missing to the proposals of these vendors; those that were made."""
    into = max(month, open_month(session, account_id, now))
    made: list[AdjustmentRow] = []
    for vendor in vendors:
        wanted = {each.cost_center: each for each in proposals if each.vendor == vendor}
        entered = entered_of(session, account_id, vendor, month)
        for center in sorted({*wanted, *entered}):
            amount, times = entered.get(center, (NanoUsd(0), 0))
            proposal = wanted.get(center) or Proposal(vendor, month, center, NanoUsd(0), f"{vendor}: nothing is left")
            if proposal.amount == amount:
                continue
            made.append(
                AdjustmentRow(
                    id=new_key(),
                    account_id=account_id,
                    month=int(into),
                    original_month=int(month),
                    cost_center=center,
                    amount_nano_usd=proposal.amount - amount,
                    kind=KIND,
                    reason=f"{vendor} billed {month}",
                    evidence=proposal.evidence,
                    once=f"{_mark(vendor, month)}{center}:{times + 1}",
                    actor=actor,
                    created_at_us=us(now),
                )
            )
    session.add_all(made)
    session.flush()
    return made


def entered_of(session: Session, account_id: int, vendor: str, month: Month) -> dict[str, tuple[NanoUsd, int]]:
    """What was entered of a vendor's month, by cost center: the sum, and how many times."""
    query = select(AdjustmentRow.cost_center, AdjustmentRow.amount_nano_usd).where(
        AdjustmentRow.account_id == account_id,
        AdjustmentRow.original_month == int(month),
        AdjustmentRow.kind == KIND,
        col(AdjustmentRow.once).startswith(_mark(vendor, month), autoescape=True),
    )
    found: dict[str, list[int]] = defaultdict(list)
    for center, amount in session.exec(query):
        found[center].append(amount)
    return {center: (NanoUsd(sum(amounts)), len(amounts)) for center, amounts in found.items()}


def _mark(vendor: str, month: Month) -> str:
    return f"{KIND}:{vendor}:{month}:"

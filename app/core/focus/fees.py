"""Rows that no agent run makes: subscriptions' fees, and amounts that a month's statements have beside the ledger."""

from dataclasses import dataclass

from app.core.chargeback.terms import Subscription
from app.core.focus.items import ONE, SEATS, Category, Frequency, Item, Unit, json_text
from app.core.focus.origins import Origin, Run
from app.core.focus.rows import ATTO, Invoice, Told
from app.core.focus.sellers import seller_of
from app.core.ledger import Book
from app.core.money import NanoUsd
from app.core.month import Month

SUBSCRIPTION = "subscription:"  # before its name: the statement of a fee that is shared
MONTHS = Unit("Months", 1, "Months", 1)


def fee_of(subscription: Subscription, month: Month) -> Told:
    """A subscription's fee for a month, by seats where each costs a whole number of nano-dollars."""
    by_seat = subscription.seats and not subscription.monthly % subscription.seats
    unit, units = (SEATS, subscription.seats) if by_seat else (MONTHS, 1)
    price = subscription.monthly // units
    sku = f"{subscription.vendor}/{subscription.name}/{subscription.kind}"
    details = {"x_Plan": subscription.name} | ({"x_Seats": str(subscription.seats)} if subscription.seats else {})
    item = Item(
        seller_of(subscription.vendor),
        f"{subscription.name} ({subscription.kind})",
        frequency=Frequency.RECURRING,
        unit=unit,
        sku=sku,
        meter=subscription.kind.capitalize(),
        price_id=f"{sku}/standard",
        details=json_text(details),
        list_price=price,
        contracted_price=price,
        price_list="mergemeter.yml",
        listed=False,
    )
    payer = subscription.cost_center or SUBSCRIPTION + subscription.name
    return Told(f"fee/{sku}", item, _of(payer), month.start, month.end, count=units * ONE)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of an earlier month in a month's statement of a cost center, with its reason. `key` names it."""

    key: str
    cost_center: str
    original: Month
    amount: NanoUsd
    reason: str
    kind: str


def told_amount(amount: Amount, provider: str = "") -> Told:
    """The row of an amount: a correction of the month that it is about."""
    item = Item(
        seller_of(provider or "mergemeter"),
        f"Adjustment of {amount.original}: {amount.kind}",
        Category.ADJUSTMENT,
        Frequency.ONE_TIME,
        correction=True,
        reason=amount.reason or amount.kind,
    )
    value = amount.amount * ATTO
    start, end = amount.original.start, amount.original.end
    record = f"amount/{amount.key}"
    return Told(record, item, _of(amount.cost_center), start, end, list_cost=value, contracted=value)


@dataclass(frozen=True, slots=True)
class Credit:
    """What a vendor took off, or a tax: an amount of its own on an invoice. `amount` is negative for a credit."""

    key: str
    provider: str
    description: str
    amount: NanoUsd
    cost_center: str = ""
    tax: bool = False
    invoice: Invoice | None = None


def told_credit(credit: Credit, month: Month) -> Told:
    """The row of a credit or tax: nothing was used, and there is no SKU."""
    category = Category.TAX if credit.tax else Category.CREDIT
    item = Item(seller_of(credit.provider), credit.description, category, Frequency.ONE_TIME)
    value = credit.amount * ATTO
    record = f"credit/{credit.key}"
    return Told(
        record,
        item,
        _of(credit.cost_center),
        month.start,
        month.end,
        list_cost=value,
        contracted=value,
        billed=value if credit.invoice else None,
        invoice=credit.invoice,
    )


def _of(cost_center: str) -> Origin:
    return Origin(Run("", "", 0, "", cost_center=cost_center), Book.USAGE)

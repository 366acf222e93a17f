"""One version's view of the rows: what a delivery says of itself, and the columns that every row of it shares."""

from dataclasses import dataclass

from app.core.focus.columns import Column, Version, columns_of
from app.core.focus.items import AI_CREDITS, CREDITS, ONE, Cell, Item
from app.core.focus.rows import Basis, time_text
from app.core.month import Month

USD = "USD"
CREDITS_PER_USD = 100


class ViewError(ValueError):
    """Why a view cannot be had, as a sentence."""


@dataclass(frozen=True, slots=True)
class BillingAccount:
    """The account that a vendor bills."""

    account_id: str
    name: str
    kind: str = "Organization"


@dataclass(frozen=True, slots=True)
class View:
    """`basis`: of rows that no invoice has. `native`: AI credits are the pricing currency of what costs them."""

    version: Version
    month: Month
    login: str
    account_id: int
    basis: Basis = Basis.ESTIMATED
    native: bool = False
    splits: bool = False

    def __post_init__(self) -> None:
        if self.native and self.version >= Version.V1_4:
            raise ViewError("FOCUS 1.4 takes ISO currencies alone: native virtual currency is for 1.2 and 1.3.")
        if self.splits and self.version < Version.V1_3:
            raise ViewError("FOCUS 1.2 has no columns for shared costs: take 1.3 or 1.4.")
        if self.basis is Basis.INVOICED:
            raise ViewError("What no invoice has is not invoiced.")

    @property
    def columns(self) -> tuple[Column, ...]:
        return columns_of(self.version)

    def shared(self) -> dict[str, str]:
        """What is the same in every row."""
        return {
            "BillingCurrency": USD,
            "BillingPeriodEnd": time_text(self.month.end),
            "BillingPeriodStart": time_text(self.month.start),
            "SubAccountId": f"urn:github:account:{self.account_id}",
            "SubAccountName": self.login,
            "SubAccountType": "Organization",
        }

    def billed_by(self, provider: str, name: str) -> BillingAccount:
        """The account that a provider bills. No agent tells the provider's own: the organisation stands for it."""
        return BillingAccount(f"urn:github:account:{self.account_id}:{provider}", f"{self.login} ({name})")

    def cells(self, item: Item) -> dict[str, Cell]:
        """What all rows of an item share."""
        account = self.billed_by(item.seller.key, item.seller.name)
        found: dict[str, Cell] = {
            "BillingAccountId": account.account_id,
            "BillingAccountName": account.name,
            "BillingAccountType": account.kind,
            "PricingCurrency": USD,
            **item.cells(),
        }
        if self.in_credits(item):
            found |= {
                "PricingCurrency": AI_CREDITS,
                "PricingCurrencyContractedUnitPrice": item.emitted_price * CREDITS_PER_USD,
                "PricingCurrencyListUnitPrice": ONE,
            }
        return found

    def in_credits(self, item: Item) -> bool:
        """Whether an item is priced in credits, which are the pricing currency then."""
        return self.native and item.unit is CREDITS

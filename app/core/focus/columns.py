"""The columns of a FOCUS file: those of each version, and our own beside them. https://focus.finops.org"""

from dataclasses import dataclass
from enum import StrEnum


class Version(StrEnum):
    V1_2 = "1.2"
    V1_3 = "1.3"
    V1_4 = "1.4"


class Kind(StrEnum):
    """How a column's values are written."""

    TEXT = "String"
    JSON = "JSON"
    TIME = "Date/Time"
    NUMBER = "Decimal"
    FLAG = "Boolean"  # of our own datasets


SCALE = 9  # decimals of prices and quantities
COST_SCALE = 2 * SCALE  # a cost is the exact product of a price and a quantity


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `since` and `until` (not included) are versions; `about` says what an own column holds."""

    name: str
    kind: Kind = Kind.TEXT
    since: Version = Version.V1_2
    until: Version | None = None
    about: str = ""

    def is_in(self, version: Version) -> bool:
        return self.since <= version and (self.until is None or version < self.until)

    @property
    def own(self) -> bool:
        return self.name.startswith("x_")

    @property
    def is_cost(self) -> bool:
        """Whether it is an amount, and no price or quantity."""
        return self.kind is Kind.NUMBER and self.name.endswith(("Cost", "Value"))


def _columns(kind: Kind, names: str, since: Version = Version.V1_2, until: Version | None = None) -> list[Column]:
    return [Column(name, kind, since, until) for name in names.split()]


FOCUS = (
    *_columns(
        Kind.TEXT,
        """AvailabilityZone BillingAccountId BillingAccountName BillingAccountType BillingCurrency CapacityReservationId
        CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription ChargeFrequency
        CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName CommitmentDiscountStatus
        CommitmentDiscountType CommitmentDiscountUnit ConsumedUnit InvoiceId InvoiceIssuerName PricingCategory
        PricingCurrency PricingUnit RegionId RegionName ResourceId ResourceName ResourceType ServiceCategory ServiceName
        ServiceSubcategory SkuId SkuMeter SkuPriceId SubAccountId SubAccountName SubAccountType""",
    ),
    *_columns(Kind.JSON, "SkuPriceDetails Tags"),
    *_columns(Kind.TIME, "BillingPeriodEnd BillingPeriodStart ChargePeriodEnd ChargePeriodStart"),
    *_columns(
        Kind.NUMBER,
        """BilledCost CommitmentDiscountQuantity ConsumedQuantity ContractedCost ContractedUnitPrice EffectiveCost
        ListCost ListUnitPrice PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost
        PricingCurrencyListUnitPrice PricingQuantity""",
    ),
    *_columns(Kind.TEXT, "ProviderName PublisherName", until=Version.V1_4),
    *_columns(
        Kind.TEXT,
        "AllocatedMethodId AllocatedResourceId AllocatedResourceName HostProviderName ServiceProviderName",
        Version.V1_3,
    ),
    *_columns(Kind.JSON, "AllocatedMethodDetails AllocatedTags ContractApplied", Version.V1_3),
    *_columns(Kind.TEXT, "InvoiceDetailId", Version.V1_4),
    *_columns(Kind.JSON, "CommitmentProgramEligibilityDetails", Version.V1_4),
)

OWN = tuple(
    Column(f"x_{name}", kind, about=about)
    for name, kind, about in (
        ("AgentName", Kind.TEXT, "The agent that ran, e.g. claude-code."),
        ("AgentRunId", Kind.TEXT, "The agent run that the row is a part of, by its id in Mergemeter."),
        ("CostBasis", Kind.TEXT, "What BilledCost is: Invoiced, Estimated (0) or EstimateShownAsBilled (no invoice)."),
        ("ContractedValue", Kind.NUMBER, "ContractedCost, and what it would be where a subscription pays."),
        ("CostCenter", Kind.TEXT, "Who pays, at the time of the agent run. Unassigned: nobody is named."),
        ("CoveredBy", Kind.TEXT, "The subscription that pays for the agent run, whose fee is a row of its own."),
        (
            "ListPriceBasis",
            Kind.TEXT,
            "PriceList, or Contracted where no public price is known and ListUnitPrice is what was agreed.",
        ),
        (
            "Place",
            Kind.TEXT,
            "Where the books hold the cost: pull, unattributed, abandoned (no pull within 14 days) or overhead.",
        ),
        ("PriceList", Kind.TEXT, "What the contracted cost was priced with, and its version."),
        ("PullRequestNumber", Kind.TEXT, "The pull request, in the repository of x_PullRequestRepository."),
        ("PullRequestRepository", Kind.TEXT, "The pull request's repository, which need not be where the agent ran."),
        ("Reason", Kind.TEXT, "Why a Correction or an Adjustment is there."),
        ("RepositoryName", Kind.TEXT, "The repository in which the agent ran."),
        ("SourceRecordId", Kind.TEXT, "Names the row: no two rows of a dataset have the same, in any delivery."),
        ("TeamName", Kind.TEXT, "The team that the agent run's tag names, where the configuration lets it."),
        ("VirtualCurrencyName", Kind.TEXT, "The vendor's own unit of account, where it has one: AI Credits."),
        ("VirtualCurrencyUnitPrice", Kind.NUMBER, "The contracted unit price in it."),
        ("WorkflowName", Kind.TEXT, "The workflow's file or name."),
    )
)


def columns_of(version: Version) -> tuple[Column, ...]:
    """All columns of a version, which are always all there: FOCUS's own from A to Z, then ours from A to Z."""
    focus = sorted((column for column in FOCUS if column.is_in(version)), key=lambda column: column.name)
    return (*focus, *sorted(OWN, key=lambda column: column.name))

"""What a delivery says of itself: metadata as FOCUS asks for it, and the datasets beside cost and usage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.focus.columns import COST_SCALE, OWN, SCALE, Column, Kind, Version
from app.core.focus.origins import TAG_PREFIX
from app.core.focus.rows import Basis, time_text
from app.core.focus.view import View
from app.core.money import NanoUsd

GENERATOR = "Mergemeter"
NUMBER_DIGITS = 38

WARNING = (
    "BilledCost and EffectiveCost are NOT from an invoice: they were asked for as estimates (--estimates-as-billed)"
    " and repeat ContractedCost. FOCUS 1.4 does not allow this. Rows say so in x_CostBasis."
)
BASES = {
    Basis.ESTIMATED: "BilledCost and EffectiveCost are 0 where no invoice was reconciled (x_CostBasis: Estimated).",
    Basis.SHOWN_AS_BILLED: WARNING,
}

BILLING_PERIOD = (
    Column("BillingPeriodCreated", Kind.TIME),
    Column("BillingPeriodEnd", Kind.TIME),
    Column("BillingPeriodLastUpdated", Kind.TIME),
    Column("BillingPeriodStart", Kind.TIME),
    Column("BillingPeriodStatus"),
    Column("InvoiceIssuerName"),
)
INVOICE_DETAIL = (
    Column("BilledCost", Kind.NUMBER),
    *(Column(name) for name in ("BillingAccountId", "BillingCurrency")),
    *(Column(name, Kind.TIME) for name in ("BillingPeriodEnd", "BillingPeriodStart")),
    Column("ChargeCategory"),
    Column("InvoiceDetailCreated", Kind.TIME),
    Column("InvoiceDetailDescription"),
    Column("InvoiceDetailGrain", Kind.JSON),
    Column("InvoiceDetailId"),
    Column("InvoiceDetailLastUpdated", Kind.TIME),
    Column("InvoiceId"),
    Column("InvoiceIssueDate", Kind.TIME),
    *(Column(name) for name in ("InvoiceIssueStatus", "InvoiceIssuerName", "PaymentCurrency")),
    Column("PaymentCurrencyBilledCost", Kind.NUMBER),
    Column("PaymentCurrencyInvoiceDetailId"),
    Column("PaymentDueDate", Kind.TIME),
    *(Column(name) for name in ("PaymentTerms", "PurchaseOrderNumber", "ReferenceInvoiceId")),
)


@dataclass(frozen=True, slots=True)
class State:
    """How a month stands: `updated` is when what it states last changed."""

    closed: bool
    updated: datetime
    unpriced_calls: int = 0


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line of a vendor's invoice, as it was imported."""

    provider: str
    issuer: str
    invoice_id: str
    detail_id: str
    description: str
    category: str
    amount: NanoUsd
    imported_at: datetime
    terms: str = "As invoiced"


def billing_period_rows(view: View, state: State, issuers: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each issuer of the month."""
    month = view.month
    return [
        {
            "BillingPeriodCreated": time_text(month.start),
            "BillingPeriodEnd": time_text(month.end),
            "BillingPeriodLastUpdated": time_text(max(state.updated, month.start)),
            "BillingPeriodStart": time_text(month.start),
            "BillingPeriodStatus": "Closed" if state.closed else "Open",
            "InvoiceIssuerName": issuer,
        }
        for issuer in sorted(set(issuers))
    ]


def invoice_detail_rows(view: View, lines: Sequence[InvoiceLine]) -> list[dict[str, Any]]:
    """A row for each line; amounts are paid in the currency in which they are billed."""
    rows = []
    for line in lines:
        cost, at = line.amount * 10**SCALE, time_text(line.imported_at)
        account = view.billed_by(line.provider, line.issuer)
        rows.append(
            {
                "BilledCost": cost,
                "BillingAccountId": account.account_id,
                "BillingCurrency": "USD",
                "BillingPeriodEnd": time_text(view.month.end),
                "BillingPeriodStart": time_text(view.month.start),
                "ChargeCategory": line.category,
                "InvoiceDetailCreated": at,
                "InvoiceDetailDescription": line.description or None,
                "InvoiceDetailId": line.detail_id,
                "InvoiceDetailLastUpdated": at,
                "InvoiceId": line.invoice_id,
                "InvoiceIssueStatus": "Issued",
                "InvoiceIssuerName": line.issuer,
                "PaymentCurrency": "USD",
                "PaymentCurrencyBilledCost": cost,
                "PaymentCurrencyInvoiceDetailId": line.detail_id,
                "PaymentTerms": line.terms,
                "ReferenceInvoiceId": line.invoice_id,
            }
        )
    return rows


def description(
    view: View, state: State, datasets: Mapping[str, Sequence[Column]], files: Mapping[str, Any], made_at: datetime
) -> dict[str, Any]:
    """The metadata of a delivery. `datasets`: columns by the name that files begin with."""
    return {
        "DataGenerator": {"DataGenerator": GENERATOR},
        "DatasetInstance": [
            {"DatasetInstanceId": f"{view.account_id}/{view.month}/{name}", "DatasetInstanceName": name}
            for name in datasets
        ],
        "Schema": [_schema(view, name, columns, made_at) for name, columns in datasets.items()],
        "Recency": {
            "DatasetInstanceLastUpdated": time_text(state.updated),
            "DatasetInstanceComplete": state.closed,
            "TimeSectors": [
                {
                    "TimeSectorStart": time_text(view.month.start),
                    "TimeSectorEnd": time_text(view.month.end),
                    "TimeSectorComplete": state.closed,
                }
            ],
        },
        "x_Delivery": {
            "BillingPeriod": str(view.month),
            "BillingPeriodStatus": "Closed" if state.closed else "Open",
            "DeliveryHandling": "Overwrite: a delivery replaces the one of the same billing period as a whole.",
            "CorrectionHandling": "Delta: what a closed period lacked is a Correction in the period that states it.",
            "CostBasis": BASES[view.basis],
            "UnpricedModelCalls": state.unpriced_calls,
            "UnpricedHandling": "Calls of models without a known price are in the dataset unpriced, and in no cost.",
            "CustomColumns": {column.name: column.about for column in OWN},
            "Files": files,
        },
    }


def _schema(view: View, name: str, columns: Sequence[Column], made_at: datetime) -> dict[str, Any]:
    return {
        "SchemaId": f"{name}-{view.version}",
        "FocusVersion": view.version.value,
        "DataGeneratorVersion": "1",
        "CreationDate": time_text(made_at),
        "ColumnDefinition": [_definition(column, view.version) for column in columns],
    }


def _definition(column: Column, version: Version) -> dict[str, Any]:
    found: dict[str, Any] = {"ColumnName": column.name, "DataType": column.kind.value}
    if column.kind is Kind.NUMBER:
        scale = COST_SCALE if column.is_cost else SCALE
        found |= {"NumericPrecision": NUMBER_DIGITS, "NumberScale": scale}
    if column.name in ("Tags", "AllocatedTags"):
        found["ProviderTagPrefixes"] = [TAG_PREFIX]
    if column.name in ("ProviderName", "PublisherName") and version >= Version.V1_3:
        found["Deprecated"] = True
    return found

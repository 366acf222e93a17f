"""What no validator looks at: prefixes of tags and keys, order, split sums, stable SKUs, corrections, amounts."""

import json
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from tests.focus.conftest import WAYS, Folder
from tests.focus.table import number, rows_of

TOLD = [(version, way) for version in ("1.2", "1.3", "1.4") for way in WAYS]
TOLD = [each for each in TOLD if each not in {("1.2", "split"), ("1.4", "native")}]
Rows = list[dict[str, Any]]
COSTS = ("ListCost", "ContractedCost", "BilledCost", "EffectiveCost", "x_ContractedValue")


@pytest.fixture(params=TOLD, ids="-".join)
def rows(request: pytest.FixtureRequest, folder: Folder) -> Rows:
    version, way = request.param
    return rows_of(folder(version, "parquet", way), "parquet")


def total(rows: Iterable[dict[str, Any]], name: str) -> Decimal:
    return sum((number(row[name]) for row in rows), Decimal(0))


def test_columns_are_in_order(rows: Rows) -> None:
    names = list(rows[0])
    own = [name for name in names if name.startswith("x_")]
    assert names == sorted(set(names) - set(own)) + sorted(own)


def test_no_row_is_there_twice(rows: Rows) -> None:
    ids = [row["x_SourceRecordId"] for row in rows]
    assert None not in ids
    assert len(set(ids)) == len(ids)
    assert all(name.startswith("2026-10/") for name in ids)


def test_tags_that_we_make_have_our_prefix_and_nothing_is_nested(rows: Rows) -> None:
    for row in rows:
        tags = json.loads(row["Tags"])
        assert all(isinstance(value, str) and value for value in tags.values())
        assert {key for key in tags if not key.startswith("gh/")} <= {"team"}
        allocated = json.loads(row.get("AllocatedTags") or "{}")
        assert not allocated.keys() & tags.keys()


def test_every_row_of_an_agent_run_says_whose_it_is(rows: Rows) -> None:
    for row in rows:
        if row["x_AgentRunId"]:
            tags = json.loads(row["Tags"])
            assert tags["gh/repository"] == row["x_RepositoryName"]
            assert tags["gh/cost_center"] == row["x_CostCenter"]
            assert tags.get("gh/pull_request") == row["x_PullRequestNumber"]
            assert (row["x_Place"] == "pull") == (row["x_PullRequestNumber"] is not None)
            assert (tags.get("team"), tags.get("gh/workflow")) == (row["x_TeamName"], row["x_WorkflowName"])


def test_keys_of_sku_price_details_are_ours(rows: Rows) -> None:
    for row in rows:
        assert all(key.startswith("x_") for key in json.loads(row["SkuPriceDetails"] or "{}"))


def test_a_sku_price_is_one_sku_and_says_the_same_everywhere(rows: Rows) -> None:
    said: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for row in rows:
        if row["SkuPriceId"]:
            said[row["SkuPriceId"]].add(tuple(row[name] for name in ("SkuId", "SkuMeter", "SkuPriceDetails")))
    assert said
    assert all(len(each) == 1 for each in said.values())


def test_costs_are_the_exact_product_of_price_and_quantity(rows: Rows) -> None:
    priced = [row for row in rows if row["ListUnitPrice"] is not None]
    assert len(priced) > 40
    for row in priced:
        assert number(row["ListUnitPrice"]) * row["PricingQuantity"] == row["ListCost"]
        assert number(row["ContractedUnitPrice"]) * row["PricingQuantity"] == row["ContractedCost"]


def test_a_row_has_a_sku_or_is_a_credit_or_an_adjustment(rows: Rows) -> None:
    for row in rows:
        used = row["ChargeCategory"] == "Usage"
        assert used == (row["SkuId"] is not None) == (row["ConsumedQuantity"] is not None)
        assert used or row["ChargeFrequency"] == "One-Time"


def test_billed_and_effective_cost_are_an_invoices_or_nothing(rows: Rows) -> None:
    for row in rows:
        expected = {"Estimated": Decimal(0), "EstimateShownAsBilled": row["ContractedCost"]}
        basis = row["x_CostBasis"]
        assert row["EffectiveCost"] == row["BilledCost"]
        assert basis == "Invoiced" or row["BilledCost"] == expected[basis]
        assert (row["InvoiceId"] is not None) == (basis == "Invoiced")


def test_corrections_keep_their_charge_period_and_stand_in_the_month_that_states_them(rows: Rows) -> None:
    late = [row for row in rows if row["ChargeClass"] == "Correction"]
    assert {row["ChargeCategory"] for row in late} == {"Usage", "Adjustment"}
    for row in rows:
        assert row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        assert (row["ChargePeriodStart"] < row["BillingPeriodStart"]) == (row["ChargeClass"] == "Correction")
        assert row["ChargeClass"] is None or row["x_Reason"]


def test_what_only_moved_sums_to_nothing(rows: Rows) -> None:
    moved = [row for row in rows if row["x_AgentRunId"] == f"{9:032x}"]
    assert {row["x_Place"] for row in moved} == {"unattributed", "pull"}
    assert {name: total(moved, name) for name in ("ContractedCost", "ListCost", "ConsumedQuantity")} == {
        "ContractedCost": 0, "ListCost": 0, "ConsumedQuantity": 0,
    }  # fmt: skip


def test_what_a_subscription_covers_is_worth_something_and_costs_nothing(rows: Rows) -> None:
    covered = [row for row in rows if row["x_CoveredBy"]]
    assert total(covered, "ContractedCost") == 0
    assert total(covered, "x_ContractedValue") > 0
    assert all(
        row["ContractedCost"] == row["x_ContractedValue"] for row in rows if not row["x_CoveredBy"] and row["SkuId"]
    )


@pytest.mark.parametrize("version", ["1.3", "1.4"])
def test_parts_of_a_shared_cost_sum_to_it(folder: Folder, version: str) -> None:
    parts = [row for row in rows_of(folder(version, "parquet", "split"), "parquet") if row["AllocatedMethodId"]]
    whole = [
        row
        for row in rows_of(folder(version, "parquet", "estimated"), "parquet")
        if row["x_CostCenter"] == "shared:bots"
    ]
    ratios: dict[str, Decimal] = {}
    for row in parts:
        (element,) = json.loads(row["AllocatedMethodDetails"], parse_float=Decimal)["Elements"]
        ratios[row["AllocatedResourceId"]] = element["AllocatedRatio"]
        assert row["x_CostCenter"] == "shared:bots"
    assert sum(ratios.values()) == 1
    for name in (*COSTS, "ConsumedQuantity", "PricingQuantity"):
        assert total(parts, name) == total((row for row in whole if row["SkuId"]), name)
    same = ("ResourceId", "Tags", "ListUnitPrice", "ContractedUnitPrice", "SkuPriceDetails")
    for price in {row["SkuPriceId"] for row in parts}:
        assert len({tuple(row[name] for name in same) for row in parts if row["SkuPriceId"] == price}) == 1


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
def test_what_is_invoiced_sums_to_the_invoice(folder: Folder, version: str) -> None:
    told = rows_of(folder(version, "parquet", "invoiced"), "parquet")
    billed: dict[str, Decimal] = defaultdict(Decimal)
    for row in told:
        billed[row["InvoiceId"]] += row["BilledCost"]
    assert billed.pop(None) == 0  # type: ignore[call-overload]
    lines = rows_of(folder("1.4", "parquet", "invoiced"), "parquet", "invoice-detail")
    assert billed == {line["InvoiceId"]: line["BilledCost"] for line in lines}


def test_native_credits_are_the_pricing_currency_of_what_costs_credits(folder: Folder) -> None:
    told = rows_of(folder("1.3", "parquet", "native"), "parquet")
    (row,) = [row for row in told if row["PricingCurrency"] == "AI Credits"]
    assert (row["PricingCurrencyContractedUnitPrice"], row["ContractedUnitPrice"]) == (1, Decimal("0.01"))
    assert {row["BillingCurrency"] for row in told} == {"USD"}
    plain = rows_of(folder("1.3", "parquet", "estimated"), "parquet")
    assert {(row["PricingCurrency"], row["x_VirtualCurrencyName"]) for row in plain} == {
        ("USD", None), ("USD", "AI Credits"),
    }  # fmt: skip


def test_calls_without_a_price_are_in_no_cost(folder: Folder) -> None:
    place = folder("1.4", "parquet", "estimated")
    unpriced = rows_of(place, "parquet", "unpriced")
    assert {row["SkuMeter"]: row["ConsumedQuantity"] for row in unpriced} == {"Input Tokens": 1000, "Output Tokens": 10}
    assert not any(name.endswith(("Cost", "Price", "Value")) for name in unpriced[0])
    assert "model-of-nobody" not in str(rows_of(place, "parquet"))
    told = json.loads((place / "metadata.json").read_text())
    assert told["x_Delivery"]["UnpricedModelCalls"] == 1


def test_estimates_as_billed_say_so_everywhere(folder: Folder) -> None:
    place = folder("1.4", "parquet", "shown")
    assert {row["x_CostBasis"] for row in rows_of(place, "parquet")} == {"EstimateShownAsBilled"}
    assert "NOT from an invoice" in json.loads((place / "metadata.json").read_text())["x_Delivery"]["CostBasis"]

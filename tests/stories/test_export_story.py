"""A month's books as FOCUS files: sums are the books', cost per merged PR is ours, closed months stay."""

import argparse
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import text

from app.commands.export import export
from app.core.month import Month
from app.core.period import Period
from app.core.shares import Dimension
from app.stories.close_period import close
from app.stories.import_invoices import import_file
from app.stories.measure import metrics_by, metrics_of
from app.stories.reprice import reprice
from app.world import World
from tests.focus.table import rows_of
from tests.stories.stage import CALL_NANO_USD, REPOSITORY, Stage
from tests.stories.test_close_story import OTHER, RULES, THIRD, configure, month_of, prepaid, to_day, totals

DAY_S = 86_400
NANO = 10**9
ODD_DISCOUNT = "discounts: [{provider: google, percent: 12.345, from: 2026-01-01}]\n"  # no whole nano-dollars are left
# Definitions §4, by anybody who has the two files and DuckDB.
PER_MERGED_PR = """
    WITH spent AS (SELECT SUM(x_ContractedValue) AS cost FROM {rows} WHERE {of_rows}
                   AND ChargePeriodStart >= BillingPeriodStart AND ChargePeriodStart < BillingPeriodEnd
                   AND (x_AgentRunId IS NOT NULL OR ChargeCategory = 'Adjustment')),
         pulls AS (SELECT SUM(OpenAtStartCost) AS before, SUM(OpenAtEndCost) AS after,
                          COUNT(DISTINCT (PullRequestRepository, PullRequestNumber))
                          FILTER (WHERE MergedInPeriod AND Survived) AS survived
                   FROM {pulls} WHERE {of_pulls})
    SELECT cost, cost + COALESCE(before, 0) - COALESCE(after, 0), survived FROM spent, pulls
"""


def asked(month: Month, to: Path, **more: Any) -> argparse.Namespace:
    plain = {"focus": "1.4", "format": "parquet", "virtual_currency": "usd", "estimates_as_billed": False}
    return argparse.Namespace(month=str(month), to=str(to), **{**plain, "split_shared": False, **more})


def exported(stage: Stage, account: int, month: Month, to: Path, **more: Any) -> Path:
    return exported_by(stage.world, account, month, to, **more)


def exported_by(world: World, account: int, month: Month, to: Path, **more: Any) -> Path:
    assert export(world, [account], asked(month, to, **more)) == 0
    (place,) = to.glob(f"*/*/{month}")
    return place


def rows(place: Path) -> list[dict[str, Any]]:
    return rows_of(place, "parquet")


def value(found: list[dict[str, Any]], name: str = "x_ContractedValue") -> Decimal:
    return sum((row[name] for row in found), Decimal(0)) * NANO


def per_merged_pr(place: Path, of_rows: str = "TRUE", of_pulls: str = "TRUE") -> tuple[int, int, int]:
    """Cost, released cost and surviving pulls of a month, in nano-dollars, from its files alone."""
    files = {name: f"'{place}/{file}.parquet'" for name, file in (("rows", "cost-and-usage"), ("pulls", "pulls"))}
    query = PER_MERGED_PR.format(**files, of_rows=of_rows, of_pulls=of_pulls)
    cost, released, survived = duckdb.connect().sql(query).fetchall()[0]
    return int(cost * NANO), int(released * NANO), survived


@pytest.fixture
def account(stage: Stage) -> int:
    account_id = stage.install(REPOSITORY, OTHER, THIRD)
    configure(stage, account_id, RULES + ODD_DISCOUNT)
    return account_id


def a_pull(stage: Stage, branch: str, repository: str = REPOSITORY, calls: int = 1) -> int:
    number = stage.gh.open_pull(repository, branch, files={f"{branch}.py": "one\n"})
    stage.agent(repository, pull=number, calls=calls)
    stage.tick()
    return number


def a_month(stage: Stage) -> None:
    """Merged, reverted, rejected and open pulls, loose runs, and prices of which nothing is a whole nano-dollar."""
    stage.gh.merge(REPOSITORY, a_pull(stage, "one", calls=3), "squash")
    reverted = a_pull(stage, "two")
    stage.gh.merge(REPOSITORY, reverted, "squash")
    stage.gh.merge(REPOSITORY, stage.gh.revert(REPOSITORY, reverted), "squash")
    stage.gh.close(REPOSITORY, a_pull(stage, "three"))
    a_pull(stage, "four", calls=2)
    stage.gh.merge(OTHER, a_pull(stage, "five", OTHER, calls=5), "squash")
    stage.agent(THIRD)
    run = stage.gh.start_workflow_run(OTHER, path=".github/workflows/agent.yml")
    odd = {"provider": "google", "model": "gemini-2.0-flash-lite", "input_tokens": 333, "output_tokens": 1}
    stage.report(run, [stage.call(f"odd/{n}", **odd) for n in range(7)], "odd")
    stage.settle()


def test_cost_per_merged_pr_from_the_files_alone_is_ours(stage: Stage, account: int, tmp_path: Path) -> None:
    month = month_of(stage)
    a_month(stage)
    to_day(stage, month, 3)
    stage.gh.merge(REPOSITORY, a_pull(stage, "six"), "squash")
    stage.settle()
    for each in (month, month.next):
        place = exported(stage, account, each, tmp_path / str(each))
        ours = metrics_of(stage.world, account, Period.of(each)).cost
        assert per_merged_pr(place) == (ours.cost, ours.released, ours.survived)
        assert ours.survived
        by_center = metrics_by(stage.world, account, Period.of(each), Dimension.COST_CENTER)
        assert set(by_center) >= {"payments"}
        for name, metrics in by_center.items():
            found = per_merged_pr(place, f"x_CostCenter = '{name}'", f"CostCenter = '{name}'")
            assert found == (metrics.cost.cost, metrics.cost.released, metrics.cost.survived), name


def test_sums_are_the_books_to_the_nano_dollar(stage: Stage, account: int, tmp_path: Path) -> None:
    month = month_of(stage)
    a_month(stage)
    found = rows(exported(stage, account, month, tmp_path))
    booked = stage.rows("SELECT SUM(cost_nano_usd), SUM(list_cost_nano_usd) FROM agent_run")[0]
    assert (value(found), value(found, "ListCost")) == booked
    (adjustment,) = [row for row in found if row["ChargeCategory"] == "Adjustment"]
    assert 0 < abs(adjustment["ContractedCost"] * NANO) < 7
    assert (adjustment["x_CostCenter"], adjustment["x_RepositoryName"]) == ("platform", OTHER)
    assert value(found, "BilledCost") == value(found, "EffectiveCost") == 0


def test_a_closed_month_states_what_its_statements_do_and_never_changes(
    stage: Stage, account: int, tmp_path: Path
) -> None:
    month = month_of(stage)
    late = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml")
    began = stage.now()
    a_month(stage)
    to_day(stage, month)
    close(stage.world, account, month, "test")
    place = exported(stage, account, month, tmp_path / "first")
    found = rows(place)
    assert value([row for row in found if row["ChargeCategory"] != "Credit"]) == sum(
        totals(stage, account, month).values()
    )
    stage.report(late, [stage.call("late/1", at=f"{began:%Y-%m-%dT%H:%M:%SZ}")], "late")
    stage.agent(OTHER)
    stage.settle()
    again = exported(stage, account, month, tmp_path / "again")
    for name in ("cost-and-usage", "unpriced", "billing-period"):
        assert (again / f"{name}.parquet").read_bytes() == (place / f"{name}.parquet").read_bytes()
    next_month = rows(exported(stage, account, month.next, tmp_path / "next"))
    corrections = [row for row in next_month if row["ChargeClass"] == "Correction"]
    assert value(corrections) == CALL_NANO_USD
    assert {row["ChargeCategory"] for row in corrections} == {"Usage"}
    assert {f"{row['ChargePeriodStart']:%Y-%m}" for row in corrections} == {str(month)}
    assert {f"{row['BillingPeriodStart']:%Y-%m}" for row in corrections} == {str(month.next)}
    assert value([row for row in next_month if row["ChargeClass"] is None]) == CALL_NANO_USD
    ids = [row["x_SourceRecordId"] for row in (*found, *next_month)]
    assert len(set(ids)) == len(ids)


def test_what_moves_to_a_pull_after_the_close_is_a_pair_of_corrections(
    stage: Stage, account: int, tmp_path: Path
) -> None:
    month = month_of(stage)
    branch = stage.gh.open_pull(REPOSITORY, "later", files={"later.py": "x\n"})
    stage.agent(REPOSITORY)
    stage.settle()
    to_day(stage, month)
    close(stage.world, account, month, "test")
    with stage.world.db.transaction() as session:
        move = (
            "INSERT INTO ledger_entry (account_id, transaction_id, book, repository_id, number, agent_run_id, month,"
            " amount_nano_usd, reason, posted_at_us) SELECT account_id, 'moved', :book, repository_id, :number,"
            " agent_run_id, month, :sign * amount_nano_usd, 'attributed', posted_at_us FROM ledger_entry"
            " WHERE book = 'unattributed' AND amount_nano_usd > 0"
        )
        for book, number, sign in (("pull", branch, 1), ("unattributed", 0, -1)):
            session.connection().execute(text(move), {"book": book, "number": number, "sign": sign})
    found = rows(exported(stage, account, month.next, tmp_path))
    assert {(row["x_Place"], row["SkuMeter"], row["ConsumedQuantity"]) for row in found} == {
        ("pull", "Input Tokens", 1000),
        ("pull", "Output Tokens", 1300),
        ("unattributed", "Input Tokens", -1000),
        ("unattributed", "Output Tokens", -1300),
    }
    assert value(found) == value(found, "ListCost") == 0


def test_a_new_price_is_told_as_one_and_bends_no_price(stage: Stage, account: int, tmp_path: Path) -> None:
    month = month_of(stage)
    stage.agent(REPOSITORY, calls=2)
    stage.settle()
    to_day(stage, month)
    close(stage.world, account, month, "test")
    agreed = "discounts: [{provider: anthropic, percent: 10, from: 2026-01-01}]\n"
    configure(stage, account, RULES + agreed)
    reprice(stage.world, account, month.start)
    stage.settle()
    old = rows(exported(stage, account, month, tmp_path / "old"))
    assert value(old) == 2 * CALL_NANO_USD
    new = rows(exported(stage, account, month.next, tmp_path / "new"))
    (adjustment,) = new
    assert (adjustment["ChargeCategory"], adjustment["ChargeClass"]) == ("Adjustment", "Correction")
    assert "other prices" in adjustment["x_Reason"]
    assert value(new) == -2 * CALL_NANO_USD // 10


def test_what_a_subscription_covers_costs_its_fee(stage: Stage, account: int, tmp_path: Path) -> None:
    month = month_of(stage)
    seats = (
        "subscriptions: [{name: Claude Team, vendor: anthropic, seats: 5, seat_fee_usd: 30, cost_center: platform,"
        f" from: {month}-01, repositories: [gadgets]}}]\n"
    )
    configure(stage, account, RULES + seats)
    stage.agent(OTHER, calls=2)
    stage.agent(REPOSITORY)
    stage.settle()
    found = rows(exported(stage, account, month, tmp_path))
    assert value(found, "ContractedCost") == 150 * NANO + CALL_NANO_USD
    (fee,) = [row for row in found if row["ChargeFrequency"] == "Recurring"]
    assert [fee[name] for name in ("PricingQuantity", "PricingUnit", "ContractedUnitPrice")] == [5, "User-Months", 30]
    covered = [row for row in found if row["x_CoveredBy"]]
    assert value(covered) == 2 * CALL_NANO_USD
    assert value(covered, "ContractedCost") == 0


def test_shared_costs_are_parted_as_the_statements_did(stage: Stage, account: int, tmp_path: Path) -> None:
    month = month_of(stage)
    a_month(stage)
    to_day(stage, month)
    close(stage.world, account, month, "test")
    found = rows(exported(stage, account, month, tmp_path, split_shared=True))
    shared = [row for row in found if row["AllocatedMethodId"]]
    assert {row["AllocatedResourceName"] for row in shared} == {"payments", "platform"}
    assert value(shared) == CALL_NANO_USD
    assert value(found) == value(rows(exported(stage, account, month, tmp_path / "plain")))


def test_a_fee_that_is_shared_by_use_is_parted_so(stage: Stage, account: int, tmp_path: Path) -> None:
    month = month_of(stage)
    configure(stage, account, RULES + prepaid(month))
    stage.agent(REPOSITORY, calls=3)
    stage.agent(OTHER, calls=1)
    stage.settle()
    to_day(stage, month)
    close(stage.world, account, month, "test")
    found = rows(exported(stage, account, month, tmp_path, split_shared=True))
    parts = {row["AllocatedResourceName"]: row for row in found if row["AllocatedMethodId"]}
    assert {name: value([row], "ContractedCost") for name, row in parts.items()} == {
        "payments": 60 * NANO, "platform": 20 * NANO,
    }  # fmt: skip
    assert {row["AllocatedMethodId"] for row in parts.values()} == {"use"}


def test_calls_without_a_price_are_told_beside(
    stage: Stage, account: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml")
    stage.report(run, [stage.call("u/1", model="mystery-9"), stage.call("k/1")], "u")
    stage.settle()
    place = exported(stage, account, month_of(stage), tmp_path)
    assert "1 model call without a price" in capsys.readouterr().out
    unpriced = rows_of(place, "parquet", "unpriced")
    assert {row["SkuId"] for row in unpriced} == {
        f"anthropic/mystery-9/{meter}-tokens" for meter in ("input", "output")
    }
    assert value(rows(place)) == CALL_NANO_USD


REFUSED = (
    ({"focus": "1.4", "virtual_currency": "native"}, 2, "1.4 takes ISO currencies alone"),
    ({"focus": "1.2", "split_shared": True}, 2, "1.2 has no columns for shared costs"),
    ({"split_shared": True}, 1, "has not closed"),
    ({"to": "nowhere://x"}, 1, "Nothing can be written to"),
)


@pytest.mark.parametrize(("options", "code", "sentence"), REFUSED)
def test_what_cannot_be_exported_is_refused_with_a_sentence(
    stage: Stage,
    account: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: Any,
    code: int,
    sentence: str,
) -> None:
    given = asked(month_of(stage), tmp_path)
    vars(given).update(options)
    assert export(stage.world, [account], given) == code
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.rglob("*.parquet")) == []


def test_what_is_no_month_is_refused(stage: Stage, account: int, tmp_path: Path) -> None:
    given = asked(month_of(stage), tmp_path)
    given.month = "October"
    assert export(stage.world, [account], given) == 2


def test_an_open_month_says_so_and_estimates_are_labelled_loudly(
    stage: Stage, account: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.agent(REPOSITORY)
    stage.settle()
    place = exported(stage, account, month_of(stage), tmp_path, estimates_as_billed=True)
    said = capsys.readouterr()
    assert "OPEN: it will change" in said.out
    assert "WARNING: BilledCost and EffectiveCost are NOT from an invoice" in said.err
    assert rows_of(place, "parquet", "billing-period")[0]["BillingPeriodStatus"] == "Open"
    assert value(rows(place), "BilledCost") == CALL_NANO_USD


VENDORS = """\
vendors:
  tolerance_percent: 5
  agent_spend: [{vendor: anthropic, workspaces: [wrkspc_ci]}]
"""
INVOICE_HEAD = "vendor,account,model,day,amount,currency,kind,invoice_id,line_id\n"


def invoiced(stage: Stage, account: int, tmp_path: Path, *lines: str) -> Path:
    configure(stage, account, RULES + VENDORS)
    month = month_of(stage)
    stage.agent(REPOSITORY, calls=2)
    stage.agent(OTHER, calls=1)
    stage.settle()
    text_of = "".join(line.format(month=month) + "\n" for line in lines)
    import_file(stage.world, account, (INVOICE_HEAD + text_of).encode())
    return exported(stage, account, month, tmp_path)


def test_an_invoice_that_was_reconciled_is_what_rows_are_billed(stage: Stage, account: int, tmp_path: Path) -> None:
    billed = 3 * CALL_NANO_USD - 1_000_001
    usage = f"anthropic,wrkspc_ci,claude-sonnet-4-5-20250929,{{month}},0.{billed:09},USD,usage,A-1,1"
    credit = "anthropic,wrkspc_ci,,{month},-0.01,USD,credit,A-1,2"
    place = invoiced(stage, account, tmp_path, usage, credit)
    found = rows(place)
    used = [row for row in found if row["ChargeCategory"] == "Usage"]
    assert {(row["x_CostBasis"], row["InvoiceId"], row["InvoiceDetailId"]) for row in used} == {
        ("Invoiced", "A-1", "1")
    }
    assert value(used, "BilledCost") == value(used, "EffectiveCost") == billed
    assert value(used, "ContractedCost") == 3 * CALL_NANO_USD
    (taken_off,) = [row for row in found if row["ChargeCategory"] == "Credit"]
    assert (taken_off["BilledCost"], taken_off["InvoiceDetailId"]) == (Decimal("-0.01"), "2")
    details = rows_of(place, "parquet", "invoice-detail")
    assert {(row["InvoiceId"], row["ChargeCategory"]): row["BilledCost"] * NANO for row in details} == {
        ("A-1", "Usage"): billed,
        ("A-1", "Credit"): -(10**7),
    }


def test_what_an_invoice_says_beyond_ours_is_billed_to_no_row(stage: Stage, account: int, tmp_path: Path) -> None:
    usage = "anthropic,wrkspc_ci,claude-sonnet-4-5-20250929,{month},1.00,USD,usage,A-1,1"
    place = invoiced(stage, account, tmp_path, usage)
    found = rows(place)
    assert {row["x_CostBasis"] for row in found} == {"Estimated"}
    assert value(found, "BilledCost") == 0
    assert len(rows_of(place, "parquet", "invoice-detail")) == 1

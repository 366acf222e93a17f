"""Invoices from files and what becomes of them: imported whole or not at all, reconciled, and entered once."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.chargeback.statement import Kind
from app.core.month import Month
from app.core.reconcile import State
from app.store.configs import config_of, save_config
from app.store.database import Database
from app.store.invoice_adjustments import entered_of
from app.store.invoices import billed_by_bucket, invoice_lines, invoices_of
from app.store.periods import begin_closing
from app.store.statements import document_of
from app.stories.close_period import close as close_month
from app.stories.import_invoices import Imported, import_file
from app.stories.reconcile import Reconciliation, StillOpenError, enter, reconciliation
from app.world import World
from tests.stories.stage import CALL_NANO_USD, Stage, prices
from tests.stories.test_read_vendors_story import OCTOBER, at, configure

DATA = Path(__file__).parents[1] / "data" / "vendors"
HEAD = "vendor,account,model,day,amount,currency,kind,invoice_id,line_id\n"
CONFIG = """\
vendors:
  tolerance_percent: 5
  residuals: {residuals}
  agent_spend:
    - {{vendor: anthropic, workspaces: [wrkspc_ci]}}
    - {{vendor: github, organizations: [Acme]}}
    - {{vendor: aws, accounts: [123456789012]}}
cost_centers:
  centers:
    payments: {{repositories: [widgets]}}
    web: {{repositories: [site]}}
subscriptions:
  - {{name: max, vendor: x, kind: seats, monthly_usd: 200, from: 2026-01-01, agents: [gemini-cli], cost_center: web}}
"""


def set_up(stage: Stage, residuals: str = "none") -> int:
    account_id = stage.install("acme/widgets", "acme/site")
    configure(stage, account_id, CONFIG.format(residuals=residuals))
    return account_id


def bring(stage: Stage, account_id: int, *rows: str, head: str = HEAD) -> Imported:
    return import_file(stage.world, account_id, (head + "\n".join(rows)).encode())


def invoice(amount: str, line: str = "1", number: str = "A-1", day: str = "2026-10", kind: str = "usage") -> str:
    return f"anthropic,wrkspc_ci,claude-sonnet-4-5-20250929,{day},{amount},USD,{kind},{number},{line}"


def usd(nano: int) -> str:
    return f"{nano // 10**9}.{nano % 10**9:09}"


def told(stage: Stage, account_id: int) -> Reconciliation:
    return reconciliation(stage.world, account_id, OCTOBER)


def adjustments(stage: Stage) -> list[tuple[object, ...]]:
    query = "SELECT month, original_month, cost_center, amount_nano_usd, kind FROM adjustment ORDER BY id"
    return [tuple(row) for row in stage.rows(query)]


def close(stage: Stage, account_id: int, month: Month) -> None:
    with stage.world.db.transaction() as session:
        begin_closing(session, account_id, month, early=False, actor="test", now=stage.now())


def test_what_is_not_final_is_estimated_and_an_invoice_is(stage: Stage) -> None:
    account_id = set_up(stage)
    stage.agent(calls=2)
    assert [line.state for line in told(stage, account_id).lines] == [State.ESTIMATED]
    bring(stage, account_id, invoice(usd(2 * CALL_NANO_USD)))
    (line,) = told(stage, account_id).lines
    assert (line.bucket.vendor, line.bucket.account, line.bucket.day) == ("anthropic", "wrkspc_ci", 0)
    assert (line.ours, line.billed, line.state) == (2 * CALL_NANO_USD, 2 * CALL_NANO_USD, State.RECONCILED)
    assert [each.state for each in told(stage, account_id).sums] == [State.RECONCILED]


def test_agent_runs_that_a_subscription_covers_are_in_no_vendors_bill(stage: Stage) -> None:
    account_id = set_up(stage)
    run = stage.agent(calls=1)
    stage.report(run, 3, "seat", agent="gemini-cli")
    assert sum(line.ours for line in told(stage, account_id).lines) == CALL_NANO_USD


def test_an_invoice_stands_in_the_place_of_the_report_of_its_account_and_month(stage: Stage) -> None:
    account_id = set_up(stage)
    rows = ["anthropic,wrkspc_ci,claude-sonnet-4-5,2026-10-02,7,USD,,,", "aws,123456789012,m,2026-10-02,1,USD,,,"]
    bring(stage, account_id, *rows)
    bring(stage, account_id, invoice("8"))
    with stage.world.db.reading() as session:
        found = billed_by_bucket(session, account_id, OCTOBER)
    assert [(each.bucket.vendor, each.bucket.day, each.billed, each.final, each.invoices) for each in found] == [
        ("anthropic", 0, 8_000_000_000, True, ("A-1",)),
        ("aws", 2, 1_000_000_000, False, ()),
    ]


def test_a_credit_of_a_later_invoice_takes_nothing_but_itself_off_a_reported_month(stage: Stage) -> None:
    account_id = set_up(stage)
    bring(stage, account_id, "anthropic,wrkspc_ci,claude-sonnet-4-5,2026-10-02,7,USD,,,")
    credit = "anthropic,wrkspc_ci,claude-sonnet-4-5,2026-10-02,-2,USD,credit,A-2,1"
    bring(stage, account_id, credit, invoice("9", "2", "A-2", "2026-11"))
    with stage.world.db.reading() as session:
        (found,) = billed_by_bucket(session, account_id, OCTOBER)
        assert (found.billed, found.invoices) == (5_000_000_000, ("A-2",))
        assert [each.line.kind for each in invoice_lines(session, account_id, OCTOBER) if each.line] == ["credit"]


def test_an_invoice_that_comes_again_is_its_next_version_and_the_same_one_is_none(stage: Stage) -> None:
    account_id = set_up(stage)
    assert bring(stage, account_id, invoice("8")).invoices == (("anthropic", "A-1", 1),)
    assert bring(stage, account_id, invoice("8.00")).invoices == (("anthropic", "A-1", 1),)
    assert bring(stage, account_id, invoice("9"), invoice("1", "2")).invoices == (("anthropic", "A-1", 2),)
    with stage.world.db.reading() as session:
        (row,) = invoices_of(session, account_id)
        assert (row.version, row.lines, row.billed_nano_usd) == (2, 2, 10_000_000_000)
        assert [each.billed for each in billed_by_bucket(session, account_id, OCTOBER)] == [10_000_000_000]
    assert stage.rows("SELECT version, line_id, billed_nano_usd FROM vendor_invoice_line WHERE version = 1") == [
        (1, "1", 8_000_000_000)
    ]


def test_a_report_of_whole_months_and_one_of_days_are_never_both_counted(stage: Stage) -> None:
    account_id = set_up(stage)
    day, month = (f"aws,123456789012,m,{when},{amount},USD,,," for when, amount in (("2026-10-05", 3), ("2026-10", 10)))
    for rows, expected in ((day, 3), (month, 10), (day, 3)):
        bring(stage, account_id, rows)
        with stage.world.db.reading() as session:
            found = billed_by_bucket(session, account_id, OCTOBER)
        assert sum(each.billed for each in found) == expected * 10**9


def test_a_file_with_a_mistake_is_not_taken_at_all(stage: Stage) -> None:
    account_id = set_up(stage)
    done = bring(stage, account_id, invoice("8"), "aws,123456789012,m,2026-10-02,1,USD,,,", invoice("x", "2"))
    assert [str(each) for each in done.mistakes] == ["line 4: amount is not an amount of at most ten million dollars"]
    for table in ("vendor_invoice", "vendor_invoice_line", "vendor_cost", "vendor_day"):
        assert stage.rows(f"SELECT * FROM {table}") == []


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"\xff\xfe", "the file: is not text in UTF-8"),
        (b"", "line 1: lacks vendor, account, day, amount, currency"),
        (b"vendor,day\n", "line 1: lacks account, amount, currency, and it is not GitHub's"),
    ],
)
def test_a_file_that_is_something_else_is_refused(stage: Stage, raw: bytes, told: str) -> None:
    done = import_file(stage.world, set_up(stage), raw)
    assert str(done.mistakes[-1]).startswith(told)


def test_what_is_not_named_is_counted_and_never_kept(stage: Stage) -> None:
    account_id = set_up(stage)
    done = import_file(stage.world, account_id, (DATA / "invoice.csv").read_bytes())
    assert (done.mistakes, done.left_out) == ((), 1)
    assert "wrkspc_production" not in str(stage.rows("SELECT * FROM vendor_invoice_line"))
    configure(stage, account_id, "")
    done = import_file(stage.world, account_id, (DATA / "invoice.csv").read_bytes())
    assert (done.left_out, done.invoices, done.buckets.added) == (4, (), 0)


def test_githubs_report_is_taken_and_makes_its_days_known(stage: Stage) -> None:
    account_id = set_up(stage)
    at(stage, 2026, 11, 9, 0)
    import_file(stage.world, account_id, (DATA / "github_ai_usage.csv").read_bytes())
    found = told(stage, account_id).lines
    assert [(line.bucket.model, line.bucket.day, line.billed, line.state) for line in found] == [
        ("Claude Sonnet 4.5", 1, 36_898_600, State.VENDOR_ONLY),
        ("Claude Sonnet 4.5", 3, 100_000_000, State.VENDOR_ONLY),
        ("GPT-5", 3, 100_000_000, State.VENDOR_ONLY),
    ]


# ---- adjustments ----------------------------------------------------------------------------------------------


def test_a_difference_is_entered_by_cost_center_in_the_open_month_and_only_once(stage: Stage) -> None:
    account_id = set_up(stage)
    stage.agent("acme/widgets", calls=2)
    stage.agent("acme/site", calls=1)
    bring(stage, account_id, invoice(usd(3 * CALL_NANO_USD + 300)))
    close(stage, account_id, OCTOBER)
    for _ in range(2):
        enter(stage.world, account_id, OCTOBER, "test")
    expected = [(202611, 202610, "payments", 200, "invoice"), (202611, 202610, "web", 100, "invoice")]
    assert adjustments(stage) == expected
    evidence = stage.rows("SELECT DISTINCT evidence FROM adjustment")
    assert evidence == [
        ("anthropic: billed 0.067500300 USD, ours 0.067500000 USD in 1 buckets (reconciled); residuals: none",)
    ]
    # A later figure adds only the difference, in the month that is open then.
    close(stage, account_id, OCTOBER.next)
    bring(stage, account_id, invoice(usd(3 * CALL_NANO_USD - 300)))
    enter(stage.world, account_id, OCTOBER, "test")
    assert adjustments(stage) == [
        *expected,
        (202612, 202610, "payments", -400, "invoice"),
        (202612, 202610, "web", -200, "invoice"),
    ]
    with stage.world.db.reading() as session:
        entered = entered_of(session, account_id, "anthropic", OCTOBER)
    assert {center: amount for center, (amount, _) in entered.items()} == {"payments": -200, "web": -100}


def test_a_month_that_is_open_is_not_adjusted(stage: Stage) -> None:
    account_id = set_up(stage)
    stage.agent("acme/widgets", calls=1)
    bring(stage, account_id, invoice(usd(CALL_NANO_USD + 1)))
    with pytest.raises(StillOpenError, match="2026-10 is open"):
        enter(stage.world, account_id, OCTOBER, "test")
    assert adjustments(stage) == []


def test_residuals_stay_until_a_rule_shares_them(stage: Stage) -> None:
    account_id = set_up(stage)
    stage.agent("acme/widgets", calls=1)
    bring(stage, account_id, invoice(usd(CALL_NANO_USD)), "anthropic,wrkspc_ci,claude-opus-4-6,2026-10,1,USD,,A-1,2")
    close(stage, account_id, OCTOBER)
    assert enter(stage.world, account_id, OCTOBER, "test") == []
    assert told(stage, account_id).proposals.left == {"anthropic": 10**9}
    configure(stage, account_id, CONFIG.format(residuals="proportional"))
    enter(stage.world, account_id, OCTOBER, "test")
    assert adjustments(stage) == [(202611, 202610, "payments", 10**9, "invoice")]
    configure(stage, account_id, CONFIG.format(residuals="none"))
    enter(stage.world, account_id, OCTOBER, "test")
    assert adjustments(stage)[1:] == [(202611, 202610, "payments", -(10**9), "invoice")]


def test_nothing_is_taken_back_while_figures_are_estimated_again(stage: Stage) -> None:
    account_id = set_up(stage)
    stage.agent("acme/widgets", calls=1)
    bring(stage, account_id, invoice(usd(CALL_NANO_USD + 1)))
    close(stage, account_id, OCTOBER)
    enter(stage.world, account_id, OCTOBER, "test")
    bring(stage, account_id, invoice("5", number="A-1", day="2026-11"))  # the invoice was of another month
    assert [line.state for line in told(stage, account_id).lines] == [State.ESTIMATED]
    assert enter(stage.world, account_id, OCTOBER, "test") == []


def test_a_closed_month_asks_who_paid_of_the_configuration_that_it_closed_with(stage: Stage) -> None:
    account_id = set_up(stage)
    stage.agent("acme/widgets", calls=1)
    close(stage, account_id, OCTOBER)
    configure(stage, account_id, CONFIG.format(residuals="none").replace("payments: {", "billing: {"))
    bring(stage, account_id, invoice(usd(CALL_NANO_USD + 1)))
    enter(stage.world, account_id, OCTOBER, "test")
    assert adjustments(stage) == [(202611, 202610, "payments", 1, "invoice")]


# ---- laws -----------------------------------------------------------------------------------------------------

ACCOUNTS = count(1)
FILES = st.lists(
    st.tuples(
        st.sampled_from(["A-1", "A-2", "A-3"]),
        st.sampled_from(["2026-10", "2026-10-01", "2026-10-31"]),
        st.sampled_from(["m", "n", ""]),
        st.integers(-(10**9), 10**12),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda each: each[0],
)


@given(FILES, st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_imports_and_repeats_bills_the_same(
    sqlite: Database, files: list[tuple[str, str, str, int]], data: st.DataObject
) -> None:
    """Each example has an account of its own."""
    account_id = next(ACCOUNTS)
    now = datetime(2026, 11, 20, tzinfo=UTC)
    world = World(None, sqlite, None, prices(), lambda: now)  # type: ignore[arg-type]
    with sqlite.transaction() as session:
        save_config(session, config_of(session, account_id), CONFIG.format(residuals="none"), [], now)
    order = data.draw(st.permutations([*files, *files]), label="order")
    for number, day, model, nano in order:
        sign = "-" if nano < 0 else ""
        row = f"anthropic,wrkspc_ci,{model},{day},{sign}{usd(abs(nano))},USD,usage,{number},1"
        assert import_file(world, account_id, (HEAD + row).encode()).mistakes == ()
    found = reconciliation(world, account_id, OCTOBER)
    assert sum(line.billed for line in found.lines) == sum(nano for *_, nano in files)
    by_model = {model: sum(nano for _, _, each, nano in files if each == model) for _, _, model, _ in files}
    told_by_model = dict.fromkeys(by_model, 0)
    for line in found.lines:
        told_by_model[line.bucket.model] += line.billed
    assert told_by_model == by_model
    assert replace(found) == reconciliation(world, account_id, OCTOBER)


def test_statements_and_what_invoices_add_to_them_are_what_was_billed(stage: Stage) -> None:
    account_id = set_up(stage, "proportional")
    stage.agent("acme/widgets", calls=2)
    stage.agent("acme/site", calls=1)
    stage.settle()
    at(stage, 2026, 11, 9, 8)
    stage.agent("acme/widgets", calls=1)
    stage.settle()
    october = close_month(stage.world, account_id, OCTOBER, "test").statements
    bring(stage, account_id, invoice(usd(4 * CALL_NANO_USD + 1)), invoice("-0.5", "2", kind="credit"))
    enter(stage.world, account_id, OCTOBER, "test")
    at(stage, 2026, 12, 9, 8)
    november = close_month(stage.world, account_id, OCTOBER.next, "test").statements
    fees = 200 * 10**9  # of the subscription, each month
    total = sum(each.total_nano_usd for each in (*october, *november)) - 2 * fees
    assert total == 4 * CALL_NANO_USD + 1 - 5 * 10**8 + CALL_NANO_USD
    added = [each.amount for row in november for each in document_of(row).adjustments if each.kind is Kind.INVOICE]
    assert len(added) == 2
    assert sum(added) == CALL_NANO_USD + 1 - 5 * 10**8

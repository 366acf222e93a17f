"""A month closes: who pays what, once; what comes late is in the next one; what was issued never changes."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.core.chargeback.periods import closes_at
from app.core.chargeback.statement import Kind, Statement
from app.core.month import Month
from app.core.report.statement.said import method_text
from app.store.configs import config_of, save_config
from app.store.periods import coverage_of, period_of
from app.store.stated import BooksBrokenError, read_stated
from app.store.statements import document_of, statements_of
from app.stories import close_period
from app.stories.close_period import CloseRefusedError, check, close, due_month
from app.stories.verify_books import verify
from tests.stories.stage import CALL_NANO_USD, REPOSITORY, Stage

OTHER, THIRD = "acme/gadgets", "acme/bots"
RULES = """\
cost_centers:
  centers:
    payments: {label: Payments, owners: [alice], repositories: [widgets], chargeback_from: 2026-01}
    platform: {owners: [bob], repositories: [gadgets]}
shared_costs:
  unassigned: {method: proportional}
"""
Rules = Callable[[Stage, int, str], None]


def configure(stage: Stage, account_id: int, rules: str) -> None:
    with stage.world.db.transaction() as session:
        save_config(session, config_of(session, account_id), rules, [], stage.now())


@pytest.fixture
def account(stage: Stage) -> int:
    account_id = stage.install(REPOSITORY, OTHER, THIRD)
    configure(stage, account_id, RULES)
    return account_id


def prepaid(month: Month) -> str:
    """$80 of credits for what Claude Code does, paid by who used them."""
    return (
        f"subscriptions: [{{name: Prepaid, vendor: anthropic, kind: credits, monthly_usd: 80, from: {month}-01,"
        " method: use, agents: [claude-code]}]\n"
    )


def month_of(stage: Stage) -> Month:
    return Month.of(stage.now())


def to_day(stage: Stage, month: Month, day: int = 10) -> None:
    """Let the time be some day of the month after."""
    at = datetime(month.next.year, month.next.number, day, 12, tzinfo=stage.now().tzinfo)
    stage.tick((at - stage.now()).total_seconds())


def issued(stage: Stage, account_id: int, month: Month) -> dict[str, Statement]:
    with stage.world.db.reading() as session:
        rows = statements_of(session, account_id, month)
    return {row.cost_center: document_of(row) for row in rows}


def totals(stage: Stage, account_id: int, month: Month) -> dict[str, int]:
    return {name: each.total for name, each in issued(stage, account_id, month).items()}


def faults(stage: Stage, account_id: int) -> list[str]:
    return list(verify(stage.world, account_id).faults)


def closed_month(stage: Stage, account_id: int) -> Month:
    """A month with an agent run each of two cost centers and two that nobody owns, closed on the tenth day after."""
    month = month_of(stage)
    stage.agent(REPOSITORY, calls=2)
    stage.agent(OTHER, calls=1)
    stage.agent(THIRD, calls=3)
    stage.settle()
    to_day(stage, month)
    close(stage.world, account_id, month, "test")
    return month


def test_each_cost_center_pays_its_own_and_its_share_of_what_nobody_owns(stage: Stage, account: int) -> None:
    month = closed_month(stage, account)
    found = issued(stage, account, month)
    assert list(found) == ["payments", "platform", "unassigned"]
    assert {name: each.direct for name, each in found.items()} == {
        "payments": 2 * CALL_NANO_USD,
        "platform": CALL_NANO_USD,
        "unassigned": 3 * CALL_NANO_USD,
    }
    assert totals(stage, account, month) == {
        "payments": 4 * CALL_NANO_USD,
        "platform": 2 * CALL_NANO_USD,
        "unassigned": 0,
    }
    assert [each.number for each in found.values()] == [f"{month}-001", f"{month}-002", f"{month}-003"]
    assert [each.chargeback for each in found.values()] == [True, False, False]
    (line,) = found["payments"].lines
    assert (line.repository, line.book, line.agent_runs) == (REPOSITORY, "unattributed", 1)
    assert [(part.agent, part.model, part.amount) for part in line.parts] == [
        ("claude-code", "claude-sonnet-4-5-20250929", 2 * CALL_NANO_USD)
    ]
    assert faults(stage, account) == []


def test_prepaid_credits_are_paid_by_who_used_them(stage: Stage, account: int) -> None:
    month = month_of(stage)
    configure(stage, account, RULES + prepaid(month))
    stage.agent(REPOSITORY, calls=3)
    stage.agent(OTHER, calls=1)
    stage.agent(THIRD, calls=5)
    stage.settle()
    to_day(stage, month)
    close(stage.world, account, month, "test")
    assert totals(stage, account, month) == {
        "payments": 60 * 10**9, "platform": 20 * 10**9, "subscription:Prepaid": 0, "unassigned": 0,
    }  # fmt: skip
    found = issued(stage, account, month)
    (share,) = found["payments"].shared
    assert (share.method, share.weight, share.weights) == ("use", 3 * CALL_NANO_USD, 4 * CALL_NANO_USD)
    assert "in proportion to what it covered: $0.07 of $0.09 (75.00 %)" in method_text(share)
    assert found["payments"].lines[0].covered == 3 * CALL_NANO_USD
    assert faults(stage, account) == []


def test_closing_again_changes_nothing(stage: Stage, account: int) -> None:
    month = closed_month(stage, account)
    before = (
        stage.rows("SELECT * FROM statement ORDER BY link"),
        stage.rows("SELECT * FROM statement_event ORDER BY id"),
    )
    stage.tick(86_400)
    again = close(stage.world, account, month, "somebody else")
    assert again.again
    assert len(again.statements) == 3
    assert before == (
        stage.rows("SELECT * FROM statement ORDER BY link"),
        stage.rows("SELECT * FROM statement_event ORDER BY id"),
    )


def test_a_close_that_broke_off_is_finished_with_the_same_bytes(
    stage: Stage, account: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = month_of(stage)
    stage.agent(REPOSITORY)
    stage.settle()
    to_day(stage, month)

    def broken(*_: Any) -> Any:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(close_period, "issue_prepared", broken)
        with pytest.raises(OSError, match="full"):
            close(stage.world, account, month, "test")
    assert stage.rows("SELECT state FROM period") == [("closing",)]
    with stage.world.db.reading() as session:
        found = read_stated(stage.world.db, account, coverage_of(session, account, month))
        row = period_of(session, account, month)
    assert row is not None
    # What comes meanwhile is the next month's, and so is another configuration.
    stage.agent(REPOSITORY, calls=5)
    configure(stage, account, RULES.replace("[widgets]", "[elsewhere]"))
    stage.tick(3_600)
    close(stage.world, account, month, "test")
    statement = issued(stage, account, month)["payments"]
    assert statement.lines[0].amount == found.states.lines_of("payments")[0].amount == CALL_NANO_USD
    assert statement.issued_at.timestamp() * 1_000_000 == row.closing_at_us
    assert faults(stage, account) == []


def test_what_comes_late_is_an_adjustment_of_the_next_month(stage: Stage, account: int) -> None:
    month = month_of(stage)
    late = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml")
    began = stage.now()
    stage.agent(OTHER)
    stage.settle()
    to_day(stage, month)
    close(stage.world, account, month, "test")
    documents = stage.rows("SELECT document FROM statement ORDER BY link")
    call = stage.call("late/1", at=f"{began:%Y-%m-%dT%H:%M:%SZ}")
    stage.report(late, [call], "late")
    stage.agent(OTHER, calls=4)
    stage.settle()
    to_day(stage, month.next)
    close(stage.world, account, month.next, "test")
    found = issued(stage, account, month.next)
    (adjustment,) = found["payments"].adjustments
    assert (adjustment.original, adjustment.kind, adjustment.amount) == (month, Kind.LATE, CALL_NANO_USD)
    assert (adjustment.repository, adjustment.agent_runs) == (REPOSITORY, 1)
    # After 14 days without a pull its agent run was abandoned, which moves nothing between cost centers.
    moved = [(each.kind, each.book, each.amount) for each in found["platform"].adjustments]
    assert sorted(moved) == [
        (Kind.REATTRIBUTED, "abandoned", CALL_NANO_USD),
        (Kind.REATTRIBUTED, "unattributed", -CALL_NANO_USD),
    ]
    assert totals(stage, account, month.next) == {"payments": CALL_NANO_USD, "platform": 4 * CALL_NANO_USD}
    assert stage.rows("SELECT document FROM statement ORDER BY link")[: len(documents)] == documents
    assert faults(stage, account) == []


def test_a_repository_that_changes_hands_leaves_closed_months_alone(stage: Stage, account: int) -> None:
    month = closed_month(stage, account)
    before = totals(stage, account, month)
    configure(stage, account, RULES.replace("[widgets]", "[none]").replace("[gadgets]", "[gadgets, widgets]"))
    stage.agent(REPOSITORY)
    stage.settle()
    to_day(stage, month.next)
    close(stage.world, account, month.next, "test")
    assert totals(stage, account, month) == before
    assert totals(stage, account, month.next)["platform"] == CALL_NANO_USD
    assert faults(stage, account) == []


REFUSALS = (
    ("this", "is not over yet"),
    ("next", "Months close in order"),
    ("former", "Months close in order"),
)


@pytest.mark.parametrize(("which", "sentence"), REFUSALS)
def test_months_close_in_order_and_when_they_are_over(stage: Stage, account: int, which: str, sentence: str) -> None:
    this = month_of(stage)
    stage.agent(REPOSITORY)
    stage.settle()
    month = {"this": this, "next": this.next, "former": this.previous}[which]
    with pytest.raises(CloseRefusedError, match=sentence):
        close(stage.world, account, month, "test")
    assert stage.rows("SELECT * FROM period") == []


def test_empty_books_have_no_month_to_close(stage: Stage, account: int) -> None:
    with pytest.raises(CloseRefusedError, match="Nothing is in the books"):
        close(stage.world, account, month_of(stage).previous, "test")


def test_the_configuration_closes_a_month_on_its_day(stage: Stage, account: int) -> None:
    month = month_of(stage)
    configure(stage, account, f"{RULES}close: {{day: 9, time_zone: Pacific/Auckland}}\n")
    stage.agent(REPOSITORY)
    stage.settle()

    def due(at: datetime) -> Month | None:
        with stage.world.db.reading() as session:
            return due_month(session, account, at)

    at = closes_at(month, 9, "Pacific/Auckland")
    assert due(at - timedelta(seconds=1)) is None
    assert due(at) == month


def test_all_findings_are_told_at_once(stage: Stage, account: int) -> None:
    month = month_of(stage)
    stage.agent(THIRD)
    unknown = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml")
    stage.report(unknown, [stage.call("u/1", model="mystery-9")], "u")
    stage.settle()
    codes = {each.code for each in check(stage.world, account, month)}
    assert codes >= {"early", "unpriced-models", "unattributed-spend", "no-owner"}
    assert stage.rows("SELECT * FROM period") == []


ALTERED = (
    ("UPDATE statement SET document = {flipped} WHERE link = 2", "document"),
    ("UPDATE statement SET total_nano_usd = total_nano_usd + 1 WHERE link = 1", "total_nano_usd"),
    ("UPDATE statement SET previous_sha256 = '' WHERE link = 2", "chain"),
    ("UPDATE statement SET state = 'accepted' WHERE link = 1", "not what happened"),
    ("DELETE FROM statement WHERE link = 2", "gap"),
    ("UPDATE ledger_entry SET reason = 'Recorded' WHERE id = 1", "were altered"),
    ("UPDATE ledger_entry SET posted_at_us = posted_at_us + 1 WHERE id = 1", "were altered"),
    ("UPDATE ledger_entry SET amount_nano_usd = amount_nano_usd + 1 WHERE id = 2", "off by 1"),
    ("UPDATE model_call SET cost_nano_usd = cost_nano_usd + 1 WHERE position = 0", "its model calls"),
    ("UPDATE agent_run SET cost_nano_usd = cost_nano_usd - 1", "the agent run"),
    ("UPDATE agent_run SET models = REPLACE(models, ': ', ': 1')", "nano-USD of claude"),
    ("UPDATE balance SET amount_nano_usd = amount_nano_usd + 1 WHERE book = 'usage'", "balance"),
    ("UPDATE period SET ledger_until = ledger_until - 1", "ledger_until"),
    ("UPDATE period SET config_text = config_text || ' '", "config_sha256"),
)


@pytest.mark.parametrize(("statement", "told"), ALTERED)
def test_whatever_is_altered_is_found(stage: Stage, account: int, statement: str, told: str) -> None:
    closed_month(stage, account)
    assert faults(stage, account) == []
    document = bytearray(stage.rows("SELECT document FROM statement WHERE link = 2")[0][0])
    document[len(document) // 2] ^= 1
    with stage.world.db.transaction() as session:
        statement = statement.replace("{flipped}", ":flipped")
        session.connection().execute(text(statement), {"flipped": bytes(document)} if ":flipped" in statement else {})
    found = faults(stage, account)
    assert any(told in fault for fault in found), found


def test_entries_that_got_lost_stop_the_close(stage: Stage, account: int) -> None:
    month = month_of(stage)
    stage.agent(REPOSITORY)
    stage.settle()
    to_day(stage, month)
    with stage.world.db.transaction() as session:
        session.connection().execute(text("DELETE FROM ledger_entry WHERE book = 'unattributed'"))
    with pytest.raises(BooksBrokenError, match="The books have"):
        close(stage.world, account, month, "test")
    assert stage.rows("SELECT * FROM statement") == []


def test_findings_are_kept_with_the_month(stage: Stage, account: int) -> None:
    closed_month(stage, account)
    (findings,) = stage.rows("SELECT findings FROM period")[0]
    assert any("belongs to no cost center" in sentence for sentence in json.loads(findings))

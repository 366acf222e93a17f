"""Why a statement's line is what it is, from a closed month in the books down to the charges of a model call."""

import re
from argparse import Namespace
from dataclasses import replace
from datetime import timedelta

import pytest

from app.commands import statements
from app.core.chargeback.statement import Statement
from app.core.month import Month
from app.core.report.statement.why import RUNS
from app.core.report.sums import exact_text
from app.store.statements import document_of, newest_statements
from app.stories.close_period import close
from app.stories.explain_line import why
from tests.stories.stage import CALL_NANO_USD, PATH, REPOSITORY, Stage

OCTOBER, NOVEMBER = Month(2026, 10), Month(2026, 11)
CONFIG = """\
cost_centers:
  centers:
    payments: {repositories: [widgets], owners: [alice]}
subscriptions:
  - {name: Codex Team, vendor: openai, monthly_usd: 100, from: 2026-01-01, cost_center: payments, agents: [codex]}
"""


@pytest.fixture
def account_id(stage: Stage) -> int:
    """An organisation whose one repository has a cost center, and a subscription for Codex."""
    account_id = stage.install()
    stage.gh.create_repository("acme/.github-private", files={"mergemeter.yml": CONFIG})
    stage.settle()
    return account_id


def a_pull(stage: Stage, branch: str, *calls: int) -> int:
    """A merged pull with agent runs of so many calls."""
    number = stage.gh.open_pull(REPOSITORY, branch, files={"a.py": branch})
    for each in calls:
        stage.agent(pull=number, calls=each)
        stage.tick()
    stage.gh.merge(REPOSITORY, number, "squash")
    stage.tick()
    return number


def closed(stage: Stage, account_id: int, month: Month) -> Statement:
    """The month's statement of payments, once the month has closed on the ninth day after."""
    stage.settle()
    stage.tick((month.end + timedelta(days=8) - stage.now()).total_seconds())
    stage.settle()
    close(stage.world, account_id, month, "test")
    with stage.world.db.reading() as session:
        rows = newest_statements(session, account_id, month)
    (found,) = [document_of(row) for row in rows if row.cost_center == "payments"]
    return found


def told(stage: Stage, statement: Statement, name: str, page: int = 1) -> str:
    text = "\n".join(why(stage.world, statement, name, page))
    assert "DOES NOT" not in text
    return text


def test_a_pulls_line_is_walked_down_to_its_charges(stage: Stage, account_id: int) -> None:
    number = a_pull(stage, "one", 3, 1)
    of = closed(stage, account_id, OCTOBER)
    text = told(stage, of, "1")
    total = exact_text(of.lines[0].amount)
    assert of.lines[0].amount == 4 * CALL_NANO_USD
    for line in (
        f"Statement {of.number} version 1, line 1: acme/widgets#{number}",
        f"{total} for October 2026, $0.09 on paper",
        "2 agent runs: adds up",
        "3 model calls: adds up",
        "$0.0195  1,300 output × $15 per million",
        "$0.003  1,000 input × $3 per million",
        "2 charges: adds up",
        "Evidence: E1 direct: the signed token of the workflow run names this pull (the signed token names the pull)",
        "Cost center by: repository",
        "Ledger entry ",
    ):
        assert line in text, line
    (run_id, attempt) = stage.rows("SELECT run_id, run_attempt FROM workflow_job ORDER BY opened_at_us")[0]
    assert (
        f"Workflow run: {stage.world.settings.github_web_url}/acme/widgets/actions/runs/{run_id}/attempts/{attempt} ("
        in text
    )
    assert re.search(r"1 of 2 · agent run [0-9a-f]{32} claude-code: \$0\.0675", text)


def test_spend_without_a_pull_is_walked_too(stage: Stage, account_id: int) -> None:
    stage.agent(event="schedule", calls=2)
    of = closed(stage, account_id, OCTOBER)
    text = told(stage, of, "1")
    assert "line 1: acme/widgets, " in text
    assert "Evidence: none that holds now" in text
    assert "1 agent run: adds up" in text


def test_a_late_record_is_walked_from_its_adjustment(stage: Stage, account_id: int) -> None:
    number = a_pull(stage, "one", 1)
    october = stage.now()
    closed(stage, account_id, OCTOBER)
    late = stage.call("late", at=f"{october:%Y-%m-%dT%H:%M:%SZ}")
    run = stage.gh.start_workflow_run(REPOSITORY, path=PATH, event="schedule")
    stage.report(run, [late], "late", job={"started_at": f"{october:%Y-%m-%dT%H:%M:%SZ}"})
    stage.agent(event="schedule", calls=1)
    of = closed(stage, account_id, NOVEMBER)
    adjustment = next(each for each in of.adjustments if each.amount)
    text = told(stage, of, f"A{of.adjustments.index(adjustment) + 1}")
    assert adjustment.original == OCTOBER
    assert "for October 2026" in text
    assert "Adjustment (late): recorded after the month had closed" in text
    assert "1 agent run: adds up" in text
    assert f"#{number}" not in text


def test_what_a_subscription_covers_is_walked_and_not_booked(stage: Stage, account_id: int) -> None:
    stage.report(stage.gh.start_workflow_run(REPOSITORY, path=PATH, event="schedule"), 2, "c", agent="codex")
    of = closed(stage, account_id, OCTOBER)
    assert (of.lines[0].amount, of.lines[0].covered) == (0, 2 * CALL_NANO_USD)
    text = told(stage, of, "1")
    assert "$0.00 for October 2026, $0.00 on paper, and $0.045 covered by a subscription" in text
    assert "Agent runs that a subscription covers: $0.045" in text
    assert "paid by the subscription Codex Team" in text


def test_a_closed_months_walk_stays_as_it_was(stage: Stage, account_id: int) -> None:
    a_pull(stage, "one", 2)
    of = closed(stage, account_id, OCTOBER)
    before = told(stage, of, "1")
    other = CONFIG.replace("payments: {", "platform: {")
    stage.gh.push("acme/.github-private", "main", files={"mergemeter.yml": other})
    stage.settle()
    assert told(stage, of, "1") == before


def test_many_agent_runs_come_in_pages(stage: Stage, account_id: int) -> None:
    a_pull(stage, "one", *range(1, RUNS + 3))
    of = closed(stage, account_id, OCTOBER)
    first, second = told(stage, of, "1"), told(stage, of, "1", 2)
    assert "Page 1 of 2." in first
    assert f"1 of {RUNS + 2} · " in first
    assert f"{RUNS + 1} of {RUNS + 2} · " in second
    assert "Page 2 of 2." in second


def test_the_command_prints_the_walk_and_says_what_is_not_there(
    stage: Stage, account_id: int, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    a_pull(stage, "one", 2)
    of = closed(stage, account_id, OCTOBER)
    settings = replace(stage.world.settings, database_url=database_url)

    def asked(number: str, line: str) -> tuple[int, str, str]:
        options = Namespace(number=number, line=line, page=0, version=None, account=None)
        return statements.explain_line(settings, options), *capsys.readouterr()

    assert asked(of.number, "1") == (0, told(stage, of, "1") + "\n", "")
    assert asked(of.number, "9")[::2] == (1, f"Statement {of.number} has no line 9. `statement show` numbers them.\n")
    assert asked("2026-10-099", "1")[0] == 1


@pytest.mark.parametrize("name", ["0", "99", "A1", "x", "", "-1", "1" * 30, "²"])
def test_a_line_that_is_not_there_is_said(stage: Stage, account_id: int, name: str) -> None:
    a_pull(stage, "one", 1)
    of = closed(stage, account_id, OCTOBER)
    assert "has no line" in told(stage, of, name)

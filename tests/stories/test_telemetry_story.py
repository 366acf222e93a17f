"""What telemetry told stands under unattributed, is named in the month, and gives way to a job's record."""

import json
from datetime import timedelta
from typing import Any

from app.core.month import Month
from app.core.telemetry.read import LOGS, read_logs
from app.otlp import decode_logs
from app.store.access_tokens import make_token
from app.store.books import balances
from app.store.tables import AgentRun
from app.stories.summarize import month_report
from app.stories.telemetry import Sent, price, sender_of, take
from tests.record.ledger import everything
from tests.record.telling import api_request, logs
from tests.stories.stage import CALL_NANO_USD, REPOSITORY, Stage
from tests.stories.test_summary_story import OCTOBER, set_up, summarize

WIDGETS = {"vcs.repository.url.full": f"https://github.com/{REPOSITORY}.git", "vcs.change.id": "1"}


def tell(stage: Stage, account_id: int, *requests: str, session: str = "s-1", **resource: Any) -> None:
    body = logs(*(api_request(request, stage.now(), session) for request in requests), resource=resource)
    with stage.world.db.transaction() as database:
        _, secret = make_token(database, account_id, "ingest", "laptops", stage.now())
    with stage.world.db.reading() as database:
        sender = sender_of(database, secret, stage.now())
    reading = read_logs(decode_logs(json.dumps(body).encode(), LOGS, protobuf=False), stage.now())
    (outcome,) = take(stage.world, [price(stage.world, sender, reading)])
    assert isinstance(outcome, Sent)


def held(stage: Stage, account_id: int) -> dict[tuple[str, int], int]:
    with stage.world.db.reading() as session:
        rows = balances(session, account_id)
    return {(row.book, row.number): row.amount_nano_usd for row in rows if row.amount_nano_usd and row.book != "usage"}


def test_a_claimed_pull_gets_none_of_the_cost(stage: Stage) -> None:
    account_id = set_up(stage)
    stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "one"})
    tell(stage, account_id, "req_1", **WIDGETS)
    stage.settle()
    stage.tick(timedelta(minutes=2).total_seconds())
    stage.settle()
    assert held(stage, account_id) == {("unattributed", 0): CALL_NANO_USD}
    (run,) = everything(stage.world.db, AgentRun)
    assert (run.evidence, run.evidence_note) == ("", "an access token told of it, which is no evidence of a pull")


def test_after_two_weeks_it_is_abandoned_and_what_comes_then_follows(stage: Stage) -> None:
    account_id = set_up(stage)
    tell(stage, account_id, "req_1", **WIDGETS)
    stage.tick(timedelta(days=15).total_seconds())
    stage.settle()
    assert held(stage, account_id) == {("abandoned", 0): CALL_NANO_USD}
    stage.tick()


def test_a_record_takes_its_calls_over_and_its_pull_gets_them(stage: Stage) -> None:
    account_id = set_up(stage)
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "one"})
    tell(stage, account_id, "req_1", "req_2", "req_title", session="s-7", **WIDGETS)
    run = stage.gh.start_workflow_run(REPOSITORY, pull=number)
    stage.report(run, [stage.call("", id="req_1"), stage.call("", id="req_2")], "s-7")
    stage.settle()
    assert held(stage, account_id) == {("pull", number): 2 * CALL_NANO_USD, ("unattributed", 0): CALL_NANO_USD}


def test_the_month_names_what_has_no_repository_and_what_a_token_told(stage: Stage) -> None:
    account_id = set_up(stage)
    tell(stage, account_id, "req_1", **WIDGETS)
    tell(stage, account_id, "req_2", session="s-2", repository="acme/nowhere")
    stage.agent(event="schedule")
    stage.settle()
    report = month_report(stage.world, account_id, OCTOBER, public_issue=False)
    spend = {each.name: each.figures.spend for each in report.repositories}
    assert spend == {REPOSITORY.partition("/")[2]: 2 * CALL_NANO_USD, "(no repository)": CALL_NANO_USD}
    assert report.total.spend == 3 * CALL_NANO_USD
    assert (report.total.told_agent_runs, report.total.told_cost) == (2, 2 * CALL_NANO_USD)
    [issue] = summarize(stage, account_id)
    assert "(no repository)" in issue["body"]
    told = "Told by telemetry with an access token: 2 of 3 agent runs, $0.04. Where they ran is claimed, not signed."
    assert told in issue["body"]
    assert Month.of(stage.now()) == OCTOBER

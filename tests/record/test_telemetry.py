"""Telemetry becomes agent runs: real samples over real HTTP, on both databases."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.core.usage import Tokens
from app.store.database import Database
from app.store.tables import AgentRun, Balance, ModelCallRow, TelemetryTotal, WorkflowJob
from tests.core.telemetry_samples import CANARY, Usage, expected, samples
from tests.record.issuer import REPOSITORY
from tests.record.ledger import check_books, everything
from tests.record.reports import CALL_COST, START
from tests.record.serving import Server
from tests.record.telling import api_request, attributes, logs, new_token, tell, tell_sample, token_usage

VCS = {"vcs.owner.name": "acme", "vcs.repository.name": "widgets", "team": "payments", "vcs.ref.head.name": "fix"}


def used(database: Database) -> Usage:
    """What the database holds, by model."""
    sums: Usage = {}
    for row in everything(database, ModelCallRow):
        number, tokens = sums.get(row.model, (0, Tokens()))
        own = Tokens(*(getattr(row, f"{name}_tokens") for name in Tokens._fields))
        sums[row.model] = number + 1, tokens + own
    return sums


@pytest.mark.parametrize("sample", samples())
def test_what_an_agent_told_is_recorded_to_the_token_however_often_it_is_sent(server: Server, sample: str) -> None:
    database, token = server.world.db, new_token(server.world.db)
    tell_sample(server, sample, token)
    assert used(database) == expected(sample)
    cost = check_books(database)
    before = [run.model_dump() for run in everything(database, AgentRun)]
    tell_sample(server, sample, token)
    assert used(database) == expected(sample)
    assert check_books(database) == cost
    assert [run.model_dump() for run in everything(database, AgentRun)] == before


@pytest.mark.parametrize("sample", samples())
def test_an_agent_run_of_telemetry_has_the_sums_of_its_calls_and_says_what_vouches_for_it(
    server: Server, sample: str
) -> None:
    tell_sample(server, sample, new_token(server.world.db))
    calls = everything(server.world.db, ModelCallRow)
    for run in everything(server.world.db, AgentRun):
        own = [call for call in calls if call.agent_run_id == run.id]
        assert run.provenance == "token"
        assert run.model_calls == len(own) > 0
        assert run.cost_nano_usd == sum(call.cost_nano_usd or 0 for call in own)
        for name in Tokens._fields:
            assert getattr(run, f"{name}_tokens") == sum(getattr(call, f"{name}_tokens") for call in own)
        assert (run.started_at_us, run.ended_at_us) == (min(c.at_us for c in own), max(c.at_us for c in own))
        assert set(json.loads(run.models)) == {call.model for call in own}


@pytest.mark.parametrize(
    "sample", ["claude-code-2.1.330-json", "claude-code-2.1.332-protobuf", "gemini-cli-0.61.0-json"]
)
def test_an_agent_run_is_complete_once_its_metrics_count_the_same_tokens(server: Server, sample: str) -> None:
    token = new_token(server.world.db)
    tell_sample(server, sample, token, kinds=["logs"])
    runs = everything(server.world.db, AgentRun)
    assert {(run.completeness, run.completeness_reason) for run in runs} == {
        ("lower_bound", "no metrics confirm that all of its telemetry arrived")
    }
    tell_sample(server, sample, token, kinds=["metrics"])
    assert {run.completeness for run in everything(server.world.db, AgentRun)} == {"complete"}


def test_an_agent_run_whose_metrics_count_more_is_a_lower_bound(server: Server) -> None:
    token = new_token(server.world.db)
    tell(server, "logs", logs(api_request("req_1", START)), token)
    tell(server, "metrics", token_usage("s-1", "output", 1_301, START, START + timedelta(minutes=1)), token)
    (run,) = everything(server.world.db, AgentRun)
    assert run.completeness == "lower_bound"
    assert run.completeness_reason == "its metrics count more tokens than its events"


def test_a_session_of_which_only_metrics_tell_is_missing_until_its_events_come(server: Server) -> None:
    token, database = new_token(server.world.db), server.world.db
    tell(server, "metrics", token_usage("s-1", "output", 1_300, START, START + timedelta(minutes=1)), token)
    (run,) = everything(database, AgentRun)
    assert (run.completeness, run.model_calls, run.cost_nano_usd) == ("missing", 0, 0)
    assert run.completeness_reason == "its metrics came, but no event tells of its calls"
    tell(server, "logs", logs(api_request("req_1", START)), token)
    (run,) = everything(database, AgentRun)
    assert (run.completeness, run.model_calls, run.cost_nano_usd) == ("complete", 1, CALL_COST)


def test_points_of_a_delta_and_of_a_cumulative_counter_that_starts_anew_add_up(server: Server) -> None:
    token, minute = new_token(server.world.db), timedelta(minutes=1)
    for value, start, at in [(10, 0, 1), (10, 0, 1), (30, 0, 2), (10, 0, 1), (5, 3, 4), (7, 4, 5)]:
        body = token_usage("s-1", "output", value, START + start * minute, START + at * minute)
        assert tell(server, "metrics", body, token).status == 200
    assert sum(total.value for total in everything(server.world.db, TelemetryTotal)) == 30 + 5 + 7


def test_a_session_grows_with_each_request(server: Server) -> None:
    token, database = new_token(server.world.db), server.world.db
    for number in range(3):
        at = START + timedelta(minutes=number)
        answer = tell(server, "logs", logs(api_request(f"req_{number}", at), resource=VCS), token)
        assert (answer.status, answer.content) == (200, {})
    (run,) = everything(database, AgentRun)
    assert (run.model_calls, run.cost_nano_usd, run.team) == (3, 3 * CALL_COST, "payments")
    assert run.ended_at_us - run.started_at_us == 120_000_000
    assert check_books(database) == 3 * CALL_COST


def test_a_session_is_of_the_repository_that_it_names_if_the_account_has_it(server: Server) -> None:
    token, database = new_token(server.world.db), server.world.db
    tell(server, "logs", logs(api_request("req_1", START, "s-1"), resource=VCS), token)
    tell(server, "logs", logs(api_request("req_2", START, "s-2"), resource={**VCS, "vcs.owner.name": "evil"}), token)
    tell(server, "logs", logs(api_request("req_3", START, "s-3")), token)
    assert {run.session: run.repository_id for run in everything(database, AgentRun)} == {
        "s-1": REPOSITORY,
        "s-2": 0,
        "s-3": 0,
    }
    jobs = {job.repository_id: job for job in everything(database, WorkflowJob)}
    assert (jobs[REPOSITORY].head_ref, jobs[REPOSITORY].ref) == ("", "claimed:fix")
    places = {(b.repository_id, b.book): b.amount_nano_usd for b in everything(database, Balance)}
    assert places[0, "unattributed"] == 2 * CALL_COST


def test_an_impossible_event_is_refused_alone_and_the_sender_is_told(server: Server) -> None:
    token = new_token(server.world.db)
    body = logs(api_request("req_1", START), api_request("req_2", START, output_tokens=-1))
    answer = tell(server, "logs", body, token)
    assert answer.status == 200
    told = {"rejectedLogRecords": "1", "errorMessage": "output_tokens is not a token count."}
    assert answer.content == {"partialSuccess": told}
    assert [call.response_id for call in everything(server.world.db, ModelCallRow)] == ["req_1"]


def test_calls_of_more_than_a_million_dollars_are_refused(server: Server) -> None:
    token = new_token(server.world.db)
    answer = tell(server, "logs", logs(api_request("req_1", START, output_tokens=10**12)), token)
    assert answer.content["partialSuccess"]["errorMessage"] == "The counts amount to more than a million dollars."
    assert everything(server.world.db, AgentRun) == []


@pytest.mark.parametrize("sample", samples())
def test_no_text_of_a_prompt_or_a_command_is_kept(sqlite_server: Server, sample: str) -> None:
    database = sqlite_server.world.db
    tell_sample(sqlite_server, sample, new_token(database))
    with database.reading() as session:
        dump = "\n".join(session.connection().connection.iterdump())
    assert CANARY not in dump


def test_telemetry_that_ends_before_the_last_answer_is_a_lower_bound_until_that_comes(server: Server) -> None:
    token, second = new_token(server.world.db), timedelta(seconds=1)

    def judged() -> str:
        (run,) = everything(server.world.db, AgentRun)
        return f"{run.completeness}: {run.completeness_reason}"

    tell(server, "logs", logs(prompt(START - second)), token)
    assert judged() == "missing: its telemetry ends before the model's last answer"
    tell(server, "logs", logs(api_request("req_1", START), prompt(START + second)), token)
    for kind, value in (("input", 1_000), ("output", 1_300)):
        tell(server, "metrics", token_usage("s-1", kind, value, START, START + second), token)
    assert judged() == "lower_bound: its telemetry ends before the model's last answer"
    tell(server, "logs", logs(api_request("req_2", START + 2 * second, input_tokens=0, output_tokens=1)), token)
    tell(server, "metrics", token_usage("s-1", "output", 1, START + second, START + 3 * second), token)
    assert judged() == "complete: "


def prompt(at: datetime) -> dict[str, Any]:
    nanoseconds = int(at.timestamp() * 1_000_000) * 1_000
    told = {"event.name": "user_prompt", "session.id": "s-1", "prompt": CANARY}
    return {"timeUnixNano": str(nanoseconds), "attributes": attributes(told)}

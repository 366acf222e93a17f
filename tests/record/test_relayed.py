"""Records that one job sends for another of its workflow run: whose they become, and which are refused."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.facts import AccountId, Claims, RepositoryId
from app.core.reported import JobReport, read_report
from app.store.agent_runs import job_key
from app.store.tables import AgentRun, WorkflowJob
from app.stories.record import RecordRefusedError, _check_run
from tests.record.issuer import ACCOUNT, REPOSITORY
from tests.record.ledger import check_books, everything
from tests.record.reports import CALL_COST, agent_run, closing, opening
from tests.record.serving import Server

RUN, ATTEMPT = 900, 1  # of the issuer's tokens


def relayed(*runs: dict[str, Any], **job: Any) -> dict[str, Any]:
    return closing(*runs, relayed=True, job={"run_id": RUN, "run_attempt": ATTEMPT, **job})


def own(*runs: dict[str, Any], **job: Any) -> dict[str, Any]:
    return closing(*runs, job=job)


def test_a_relayed_record_is_of_the_job_it_names_in_the_run_that_is_signed(server: Server) -> None:
    answer = server.post(relayed(agent_run(), name="fix", matrix="a" * 64), job_workflow_ref="x/y/send.yml@v1")
    assert answer.status == 201
    assert [run["provenance"] for run in answer.content["agent_runs"]] == ["relayed"]
    (job,) = everything(server.world.db, WorkflowJob)
    assert (job.account_id, job.repository_id, job.run_id, job.run_attempt) == (ACCOUNT, REPOSITORY, RUN, ATTEMPT)
    assert (job.job_key, job.ref) == (f"relayed:fix:{'a' * 64}", "refs/pull/5/merge")
    assert (job.check_run_id, job.job_workflow_ref) == (None, "")  # those of the token are the sender's
    (run,) = everything(server.world.db, AgentRun)
    assert run.provenance == "relayed"


def test_a_jobs_own_record_is_of_the_job(server: Server) -> None:
    answer = server.post(closing(agent_run()))
    assert [run["provenance"] for run in answer.content["agent_runs"]] == ["job"]
    (run,) = everything(server.world.db, AgentRun)
    assert run.provenance == "job"


def test_one_sender_brings_the_records_of_several_jobs(server: Server) -> None:
    for name in ("one", "two"):
        assert server.post(relayed(agent_run(name), name=name)).status == 201
    assert sorted(job.job_key for job in everything(server.world.db, WorkflowJob)) == ["relayed:one:", "relayed:two:"]
    assert check_books(server.world.db) == 4 * CALL_COST


def test_the_same_relayed_record_again_is_a_repeat_whichever_job_sends_it(server: Server) -> None:
    body = relayed(agent_run())
    server.post(body)
    assert server.post(body, check_run_id="78").content["status"] == "repeat"
    assert len(everything(server.world.db, WorkflowJob)) == 1


def test_calls_that_the_job_sent_itself_are_not_counted_again(server: Server) -> None:
    server.post(closing(agent_run()))
    answer = server.post(relayed(agent_run()))
    assert answer.content["agent_runs"][0]["calls_counted_elsewhere"] == 2
    assert check_books(server.world.db) == 2 * CALL_COST


@pytest.mark.parametrize("elsewhere", [{"run_id": 901}, {"run_attempt": 2}, {"run_id": 1, "run_attempt": 9}])
@pytest.mark.parametrize("sent", [relayed, own], ids=["relayed", "own"])
def test_a_record_of_another_run_or_attempt_is_refused(server: Server, sent: Any, elsewhere: dict[str, int]) -> None:
    answer = server.post(sent(agent_run(), **elsewhere))
    assert (answer.status, answer.content["code"]) == (409, "other-run")
    assert "another workflow run, or another attempt" in answer.content["message"]
    assert everything(server.world.db, WorkflowJob) == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (closing(relayed=True), "/job/run_id"),
        (closing(relayed=True, job={"run_id": RUN}), "/job/run_attempt"),
        (relayed(name=""), "/job/name"),
        (opening(relayed=True, job={"run_id": RUN, "run_attempt": ATTEMPT}), "/phase"),
        (closing(relayed=False), "/relayed"),
        (closing(relayed="yes"), "/relayed"),
        (relayed(run_id="900"), "/job/run_id"),
    ],
)
def test_a_relayed_record_that_does_not_say_whose_it_is_is_refused(
    sqlite_server: Server, body: dict[str, Any], place: str
) -> None:
    answer = sqlite_server.post(body)
    assert (answer.status, answer.content["code"]) == (422, "body-invalid")
    assert answer.content["message"].startswith(f"{place}:")


NOW = datetime.now(UTC)
REPORT = read_report(relayed(), NOW)


def claims(run_id: int, run_attempt: int) -> Claims:
    empty: dict[str, Any] = {field.name: "" for field in fields(Claims)}
    numbers = {"account_id": AccountId(1), "repository_id": RepositoryId(2), "actor_id": 3, "check_run_id": 4}
    places = {"expires_at": NOW, "repository_properties": {}, "run_id": run_id, "run_attempt": run_attempt}
    return Claims(**{**empty, **numbers, **places})


runs = st.tuples(st.integers(1, 3), st.integers(1, 3))
told_runs = st.tuples(st.none() | st.integers(1, 3), st.none() | st.integers(1, 3))


@given(told_runs, runs)
def test_only_the_signed_run_and_attempt_pass(told: tuple[int | None, int | None], signed: tuple[int, int]) -> None:
    agrees = told[0] in (None, signed[0]) and told[1] in (None, signed[1])
    try:
        _check_run(claims(*signed), replace(REPORT, run=told))
    except RecordRefusedError:
        assert not agrees
    else:
        assert agrees


legs = st.sampled_from(["", "a" * 64, "b" * 64])
names = st.text(alphabet="a:b", min_size=1, max_size=70)


@given(names, legs, names, legs)
def test_two_claimed_jobs_never_share_an_identity(name: str, leg: str, other: str, other_leg: str) -> None:
    def key(name: str, leg: str) -> str:
        report: JobReport = replace(REPORT, job_name=name, matrix=leg)
        return job_key(claims(1, 1), report)

    assert (key(name, leg) == key(other, other_leg)) == ((name, leg) == (other, other_leg))
    assert not key(name, leg).startswith(("check_run:", "job:"))

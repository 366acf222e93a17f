"""What is counted, once: identities, repeats, revisions, replays, tenants and months, on both databases."""

import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from app.store.queue_tables import Job
from app.store.tables import AgentRun, CommitMade, LedgerEntry, ModelCallRow, Record, UsedToken, WorkflowJob
from tests.record.issuer import ACCOUNT, REPOSITORY
from tests.record.ledger import check_books, everything
from tests.record.reports import CALL_COST, START, agent_run, call, closing, opening, stamp
from tests.record.serving import Server, install

SHA = "b" * 40


def test_who_and_where_come_from_the_token(server: Server) -> None:
    server.post(closing(agent_run(), job={"name": "claimed", "pull_number": 8, "commits_made": [SHA]}))
    (job,) = everything(server.world.db, WorkflowJob)
    assert (job.account_id, job.repository_id, job.run_id, job.run_attempt) == (ACCOUNT, REPOSITORY, 900, 1)
    assert (job.job_key, job.check_run_id, job.ref, job.state) == ("check_run:77", 77, "refs/pull/5/merge", "closed")
    assert (job.job_name, job.pull_number, json.loads(job.commits_made)) == ("claimed", 8, [SHA])
    assert json.loads(job.repository_properties) == {"cost_center": "CC-7"}
    assert [made.sha for made in everything(server.world.db, CommitMade)] == [SHA]


def test_without_a_signed_job_the_claimed_one_and_its_matrix_leg_tell_jobs_apart(server: Server) -> None:
    for leg in ("a" * 64, "b" * 64, "a" * 64):
        server.post(closing(agent_run(leg[:4]), job={"matrix": leg}), check_run_id=None)
    keys = sorted(job.job_key for job in everything(server.world.db, WorkflowJob))
    assert keys == [f"job:agent:{'a' * 64}", f"job:agent:{'b' * 64}"]


def test_an_agent_run_is_kept_with_its_sums(server: Server) -> None:
    calls = [
        call(1, cache_read_tokens=10, cache_write_5m_tokens=20, cache_write_1h_tokens=30, reasoning_tokens=40),
        call(2, cache_write_other_tokens=50, at=stamp(START + timedelta(minutes=2))),
        call(3, model="claude-opus-4-5"),
    ]
    server.post(closing(agent_run(calls=calls, reported_cost_usd="0.1234567894")))
    (run,) = everything(server.world.db, AgentRun)
    assert (run.input_tokens, run.output_tokens, run.reasoning_tokens) == (3_000, 3_900, 40)
    assert (run.cache_read_tokens, run.cache_write_5m_tokens) == (10, 20)
    assert (run.cache_write_1h_tokens, run.cache_write_other_tokens) == (30, 50)
    assert (run.ended_at_us - run.started_at_us, run.reported_cost_nano_usd) == (120_000_000, 123_456_789)
    assert list(json.loads(run.models)) == ["claude-sonnet-4-5-20250929", "claude-opus-4-5"]
    assert (run.team, run.purpose, json.loads(run.labels)) == ("payments", "author", {"loop": "nightly"})
    assert run.cost_nano_usd == check_books(server.world.db)


SHAPE = {
    "turns": 2,
    "tool_calls": {"read": 3, "edit": 1, "command": 2, "search": 0, "web": 0, "agent": 0, "other": 0},
    "repeated_reads": 1,
    "failed_tool_calls": 6,
}


def test_the_shape_of_the_work_is_kept_as_it_came_and_unknown_stays_unknown(server: Server) -> None:
    server.post(closing(agent_run("s-1", shape=SHAPE), agent_run("s-2"), agent_run("s-3", shape={})))
    kept = {run.session: run.shape for run in everything(server.world.db, AgentRun)}
    assert json.loads(kept["s-1"] or "") == SHAPE
    assert (kept["s-2"], kept["s-3"]) == (None, "{}")


def test_the_whole_record_is_kept_compressed_with_its_claims(server: Server) -> None:
    body = json.dumps(closing(agent_run())).encode()
    server.post(body)
    (record,) = everything(server.world.db, Record)
    assert zlib.decompress(record.body) == body
    assert json.loads(record.claims)["run_id"] == 900


def test_the_same_body_again_is_a_repeat_and_free(server: Server) -> None:
    body = closing(agent_run(calls=[call(1), call(2, model="unheard-of")]))
    first, second = server.post(body).content, server.post(body).content
    assert (first.pop("status"), second.pop("status")) == ("recorded", "repeat")
    assert [run.pop("status") for run in first["agent_runs"] + second["agent_runs"]] == ["recorded", "repeat"]
    assert first == second
    assert check_books(server.world.db) == CALL_COST
    assert len(everything(server.world.db, Record)) == 1


def test_a_repeat_is_known_whatever_its_spacing_and_order(server: Server) -> None:
    server.post(closing(agent_run()))
    again = json.dumps(closing(agent_run()), indent=4, sort_keys=True).encode()
    assert server.post(again).content["status"] == "repeat"
    assert len(everything(server.world.db, Record)) == 1


def test_another_body_under_a_known_identity_is_a_flagged_revision_and_not_counted(server: Server) -> None:
    server.post(closing(agent_run(calls=[call(1)])))
    answer = server.post(closing(agent_run(calls=[call(1), call(2)])))
    assert answer.content["agent_runs"][0]["status"] == "revision"
    assert answer.content["agent_runs"][0]["model_calls"] == 1
    (run,) = everything(server.world.db, AgentRun)
    assert run.revisions == 1
    assert sorted(record.state for record in everything(server.world.db, Record)) == ["accepted", "revision"]
    assert check_books(server.world.db) == CALL_COST


def test_a_second_record_of_a_job_adds_its_new_sessions(server: Server) -> None:
    server.post(closing(agent_run("a", 1), job={"commits_made": [SHA]}))
    answer = server.post(closing(agent_run("a", 1), agent_run("b", 1), job={"commits_made": ["c" * 40]}))
    assert [run["status"] for run in answer.content["agent_runs"]] == ["repeat", "recorded"]
    (job,) = everything(server.world.db, WorkflowJob)
    assert json.loads(job.commits_made) == [SHA, "c" * 40]
    assert check_books(server.world.db) == 2 * CALL_COST


def test_a_token_with_its_own_body_again_is_a_repeat(server: Server) -> None:
    token = server.token()
    assert server.post(closing(agent_run()), token).status == 201
    assert server.post(closing(agent_run()), token).status == 200


def test_a_token_with_another_body_is_refused(server: Server) -> None:
    token = server.token()
    server.post(closing(agent_run("a")), token)
    answer = server.post(closing(agent_run("b")), token)
    assert (answer.status, answer.content["code"]) == (409, "token-reused")
    assert len(everything(server.world.db, AgentRun)) == len(everything(server.world.db, UsedToken)) == 1


def test_a_refused_body_does_not_use_up_the_token(server: Server) -> None:
    token = server.token()
    assert server.post({"broken": True}, token).status == 422
    assert server.post(closing(agent_run()), token).status == 201


def test_a_call_sent_by_two_jobs_counts_for_the_first(server: Server) -> None:
    server.post(closing(agent_run("a", calls=[call(1), call(2)])))
    answer = server.post(closing(agent_run("a", calls=[call(2), call(3)])), check_run_id="78").content
    assert answer["agent_runs"][0]["model_calls"] == 1
    assert answer["agent_runs"][0]["calls_counted_elsewhere"] == 1
    assert check_books(server.world.db) == 3 * CALL_COST


def test_a_call_sent_twice_in_one_record_counts_once(server: Server) -> None:
    answer = server.post(closing(agent_run("a", calls=[call(1), call(1)]), agent_run("b", calls=[call(1)]))).content
    assert [run["model_calls"] for run in answer["agent_runs"]] == [1, 0]
    assert check_books(server.world.db) == CALL_COST


def test_the_same_response_id_of_another_provider_is_another_call(server: Server) -> None:
    server.post(closing(agent_run(calls=[call(1), call(1, provider="openai", model="gpt-5")])))
    assert len(everything(server.world.db, ModelCallRow)) == 2


def test_a_rerun_of_a_workflow_is_real_extra_cost(server: Server) -> None:
    server.post(closing(agent_run("a", 1)), run_attempt="1")
    server.post(closing(agent_run("b", 1)), run_attempt="2")
    assert check_books(server.world.db) == 2 * CALL_COST


def test_nothing_crosses_from_one_account_to_another(server: Server) -> None:
    with server.world.db.transaction() as session:
        install(session, account_id=2_002, repository_id=REPOSITORY)
    first = server.post(closing(agent_run())).content
    second = server.post(closing(agent_run()), repository_owner_id="2002").content
    assert first["agent_runs"] == second["agent_runs"]
    assert first["record_id"] != second["record_id"]
    tables: tuple[type[WorkflowJob | AgentRun | Record | UsedToken], ...] = (WorkflowJob, AgentRun, Record, UsedToken)
    for table in tables:
        assert {row.account_id for row in everything(server.world.db, table)} == {ACCOUNT, 2_002}
    calls = everything(server.world.db, ModelCallRow)
    assert sorted(call.account_id for call in calls) == [ACCOUNT] * 2 + [2_002] * 2
    assert {job.account_id: job.lane.split("/")[0] for job in everything(server.world.db, Job)} == {
        ACCOUNT: str(ACCOUNT),
        2_002: "2002",
    }
    assert check_books(server.world.db) == 4 * CALL_COST


def test_a_token_id_of_another_account_is_no_way_in(server: Server) -> None:
    with server.world.db.transaction() as session:
        install(session, account_id=2_002)
    server.post(closing(agent_run()), jti="same")
    assert server.post(closing(agent_run()), jti="same", repository_owner_id="2002").status == 409


def test_a_run_over_the_end_of_a_month_is_split_by_the_time_of_each_call(server: Server) -> None:
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    before, after = month - timedelta(microseconds=1), month
    server.post(
        closing(agent_run(calls=[call(1, at=stamp(before)), call(2, at=stamp(after)), call(3, at=stamp(after))]))
    )
    by_month = {
        e.month: e.amount_nano_usd for e in everything(server.world.db, LedgerEntry) if e.book == "unattributed"
    }
    assert by_month == {
        before.year * 100 + before.month: CALL_COST,
        after.year * 100 + after.month: 2 * CALL_COST,
    }
    check_books(server.world.db)


def test_a_job_without_agents_is_recorded_and_costs_nothing(server: Server) -> None:
    answer = server.post(closing())
    assert (answer.status, answer.content["cost_nano_usd"], answer.content["agent_runs"]) == (201, 0, [])
    assert everything(server.world.db, AgentRun) == []
    assert everything(server.world.db, LedgerEntry) == []


def test_an_agent_run_without_calls_is_kept(server: Server) -> None:
    server.post(closing(agent_run(calls=[], completeness="missing", completeness_reason="the log is not readable")))
    (run,) = everything(server.world.db, AgentRun)
    assert (run.completeness, run.model_calls, run.cost_nano_usd) == ("missing", 0, 0)


def test_unpriced_calls_are_kept_without_a_cost(server: Server) -> None:
    server.post(closing(agent_run(calls=[call(1, model="unheard-of"), call(2)])))
    assert {row.model: row.cost_nano_usd for row in everything(server.world.db, ModelCallRow)} == {
        "unheard-of": None,
        "claude-sonnet-4-5-20250929": CALL_COST,
    }


def test_a_closing_record_asks_for_its_place_and_an_opening_one_for_a_look_in_six_hours(server: Server) -> None:
    server.post(opening())
    (expecting,) = everything(server.world.db, Job)
    assert (expecting.kind, expecting.run_at_us - expecting.created_at_us) == ("expect", 6 * 3_600 * 1_000_000)
    server.post(closing(agent_run()))
    (job,) = everything(server.world.db, WorkflowJob)
    jobs = {each.kind: each for each in everything(server.world.db, Job)}
    assert jobs["place"].lane == f"{ACCOUNT}/{REPOSITORY}/run/900"
    assert json.loads(jobs["place"].args) == {"workflow_job_id": job.id}


def test_an_opening_record_after_the_closing_one_changes_nothing(server: Server) -> None:
    server.post(closing(agent_run()))
    assert server.post(opening()).content["status"] == "repeat"
    assert [job.state for job in everything(server.world.db, WorkflowJob)] == ["closed"]
    assert [job.kind for job in everything(server.world.db, Job)] == ["place"]


def test_records_that_come_at_once_are_each_counted_once(server: Server) -> None:
    bodies = [closing(agent_run("a", calls=[call(n) for n in range(30)])) for _ in range(4)]
    bodies += [
        closing(agent_run(f"s{n}", calls=[call(i) for i in range(n, n + 20)][:: n % 2 * 2 - 1])) for n in range(8)
    ]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: server.post(bodies[n], check_run_id=str(n % 3 + 1)), range(len(bodies))))
    assert {answer.status for answer in answers} <= {200, 201}
    assert check_books(server.world.db) == 30 * CALL_COST
    runs = everything(server.world.db, AgentRun)
    assert sum(run.model_calls for run in runs) == 30
    assert sum(run.cost_nano_usd for run in runs) == 30 * CALL_COST


def test_a_job_cannot_fill_the_disk_with_revisions(sqlite_server: Server) -> None:
    for n in range(200):
        assert sqlite_server.post(closing(agent_run(calls=[call(n)]))).status == 201
    assert sqlite_server.post(closing(agent_run(calls=[call(999)]))).status == 422
    assert len(everything(sqlite_server.world.db, Record)) == 200


def test_a_large_record_is_counted_to_the_last_call(server: Server) -> None:
    assert server.post(closing(agent_run(calls=3_000))).content["agent_runs"][0]["model_calls"] == 3_000
    assert check_books(server.world.db) == 3_000 * CALL_COST

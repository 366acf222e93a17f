"""A call that a job's record and telemetry both tell of counts once, in the record, whichever comes first."""

import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.store.database import Database
from app.store.tables import AgentRun, ModelCallRow, WorkflowJob
from tests.record.issuer import Issuer, issuing
from tests.record.ledger import check_books, everything
from tests.record.reports import CALL_COST, START, agent_run, call, closing, stamp
from tests.record.serving import Server, install, serving, world_of
from tests.record.telling import api_request, attributes, logs, new_token, tell, token_usage

SECOND = timedelta(seconds=1)
Step = Callable[[], object]


def record_of(server: Server, *runs: dict[str, Any], job: int = 1) -> Step:
    return lambda: expect(server.post(closing(*runs), check_run_id=str(job)), 201)


def expect(answer: Any, status: int) -> None:
    assert answer.status == status, answer


def in_either_order(database: Database, first: Step, second: Step, backwards: bool) -> dict[str, list[str]]:
    """Which calls each agent run has after both, by provenance and session."""
    for step in (second, first) if backwards else (first, second):
        step()
    check_books(database)
    calls = everything(database, ModelCallRow)
    return {
        f"{run.provenance} {run.session}": sorted(c.response_id for c in calls if c.agent_run_id == run.id)
        for run in everything(database, AgentRun)
    }


@pytest.mark.parametrize("backwards", [False, True])
def test_calls_of_the_same_request_count_in_the_record_alone(server: Server, backwards: bool) -> None:
    token = new_token(server.world.db)
    body = logs(*(api_request(f"req_{n}", START) for n in range(3)))
    record = record_of(server, agent_run("s-1", [call(0, id="req_0"), call(1, id="req_1"), call(2, id="req_2")]))
    found = in_either_order(server.world.db, lambda: tell(server, "logs", body, token), record, backwards)
    assert found == {"job s-1": ["req_0", "req_1", "req_2"]}
    assert check_books(server.world.db) == 3 * CALL_COST
    assert [job.issuer for job in everything(server.world.db, WorkflowJob) if job.issuer == "telemetry"] == []


@pytest.mark.parametrize("backwards", [False, True])
def test_side_calls_that_the_record_lacks_stay_with_the_telemetry(server: Server, backwards: bool) -> None:
    token = new_token(server.world.db)
    body = logs(api_request("req_0", START), api_request("req_title", START, output_tokens=20))
    record = record_of(server, agent_run("s-1", [call(0, id="req_0")]))
    found = in_either_order(server.world.db, lambda: tell(server, "logs", body, token), record, backwards)
    assert found == {"job s-1": ["req_0"], "token s-1": ["req_title"]}
    (told,) = [run for run in everything(server.world.db, AgentRun) if run.provenance == "token"]
    assert (told.model_calls, told.output_tokens, told.calls_counted_elsewhere) == (1, 20, 1)
    assert told.cost_nano_usd == 1_000 * 3_000 + 20 * 15_000
    assert told.completeness == "lower_bound"


@pytest.mark.parametrize("backwards", [False, True])
def test_a_record_without_request_ids_stands_alone_for_its_session_and_time(server: Server, backwards: bool) -> None:
    token = new_token(server.world.db)
    body = logs(api_request("req_0", START), api_request("req_late", START + timedelta(hours=1)))
    record = record_of(server, agent_run("s-1", [call(0, id="msg_0")]))
    found = in_either_order(server.world.db, lambda: tell(server, "logs", body, token), record, backwards)
    assert found == {"job s-1": ["msg_0"], "token s-1": ["req_late"]}


@pytest.mark.parametrize("backwards", [False, True])
def test_metrics_alone_of_a_recorded_session_are_no_agent_run(server: Server, backwards: bool) -> None:
    token = new_token(server.world.db)
    body = token_usage("s-1", "output", 1_300, START, START + SECOND)
    record = record_of(server, agent_run("s-1", [call(0, id="req_0")]))
    found = in_either_order(server.world.db, lambda: tell(server, "metrics", body, token), record, backwards)
    assert found == {"job s-1": ["req_0"]}


def codex_event(conversation: str, at: Any, output: int = 74, **changed: Any) -> dict[str, Any]:
    told = {
        "event.name": "codex.sse_event", "event.kind": "response.completed", "conversation.id": conversation,
        "model": "gpt-5.1-codex", "input_token_count": "5042", "cached_token_count": "3104",
        "cache_write_token_count": "120", "output_token_count": str(output), "reasoning_token_count": "22",
        "tool_token_count": "5116",
    }  # fmt: skip
    nanoseconds = int(at.timestamp() * 1_000_000) * 1_000
    return {"timeUnixNano": str(nanoseconds), "attributes": attributes({**told, **changed})}


def codex_call(number: int, at: Any, output: int = 74, written: int = 120) -> dict[str, Any]:
    return {
        "id": f"resp_{number}", "provider": "openai", "model": "gpt-5.1-codex", "at": stamp(at),
        "input_tokens": 5042 - 3104 - written, "cache_read_tokens": 3104, "cache_write_other_tokens": written,
        "output_tokens": output, "reasoning_tokens": 22,
    }  # fmt: skip


@pytest.mark.parametrize("written", [120, 0], ids=["its log tells cache writes", "an old log does not"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_codex_sub_agent_is_known_by_what_it_used_and_when(server: Server, backwards: bool, written: int) -> None:
    token = new_token(server.world.db)
    body = logs(
        codex_event("root", START), codex_event("child", START + SECOND, 80), codex_event("other", START + SECOND, 81)
    )
    calls = [codex_call(0, START, written=written), codex_call(1, START + 2 * SECOND, 80, written)]
    record = record_of(server, agent_run("root", calls, agent="codex"))
    found = in_either_order(server.world.db, lambda: tell(server, "logs", body, token), record, backwards)
    (other,) = found.pop("token other")
    assert other.startswith("sha256:")
    assert found == {"job root": ["resp_0", "resp_1"]}


def test_another_agents_calls_at_the_same_time_are_its_own(server: Server) -> None:
    token = new_token(server.world.db)
    tell(server, "logs", logs(api_request("req_9", START, "s-9")), token)
    record_of(server, agent_run("s-1", [call(0, id="msg_0")]))()
    assert {run.session for run in everything(server.world.db, AgentRun)} == {"s-9", "s-1"}


def test_a_record_and_telemetry_that_come_at_the_same_moment_see_each_other(server: Server) -> None:
    """Codex has no ids in common: only the record's and the telemetry's taking turns keeps them from both counting."""
    token = new_token(server.world.db)
    for number in range(12):
        at = START - number * timedelta(minutes=20)
        body = logs(codex_event(f"s-{number}", at), api_request(f"req_{number}", at, f"s-{number}"))
        runs = [
            agent_run(f"s-{number}", [codex_call(number, at)], agent="codex"),
            agent_run(f"s-{number}", [call(0, id=f"req_{number}", at=stamp(at))]),
        ]
        at_once(partial(tell, server, "logs", body, token), record_of(server, *runs, job=number + 1))
    runs_kept = everything(server.world.db, AgentRun)
    assert {run.provenance for run in runs_kept} == {"job"}
    assert len(everything(server.world.db, ModelCallRow)) == 24
    check_books(server.world.db)


def at_once(*steps: Step) -> None:
    barrier = threading.Barrier(len(steps))

    def do(step: Step) -> None:
        barrier.wait()
        step()

    threads = [threading.Thread(target=do, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ---- for any order ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def issuer_once() -> Iterator[Issuer]:
    with issuing() as one:
        yield one


EVENTS = st.lists(st.integers(0, 9), min_size=1, max_size=8)
Sending = st.tuples(st.sampled_from(["logs", "record"]), EVENTS)


@given(sendings=st.lists(Sending, min_size=1, max_size=6), seed=st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_any_order_and_any_repetition_gives_the_same_books(
    sendings: list[tuple[str, list[int]]], seed: Any, sqlite_template: Path, issuer_once: Issuer
) -> None:
    """Records know some calls, telemetry others, and both overlap. A job has one session and sends one record."""
    told = [calls for kind, calls in sendings if kind == "logs"]
    recorded: dict[int, set[int]] = {}
    for number in (number for kind, calls in sendings if kind == "record" for number in calls):
        recorded.setdefault(number % 3, set()).add(number)
    outcomes = []
    for shuffled in (False, True):
        with tempfile.TemporaryDirectory() as folder, fresh(Path(folder), sqlite_template, issuer_once) as server:
            token = new_token(server.world.db)
            steps = [telling_of(server, calls, token) for calls in told]
            steps += [record_of(server, run_of(s, numbers), job=s + 1) for s, numbers in recorded.items()]
            if shuffled:
                steps += [step for step in steps[: len(told)] if seed.random() < 0.5]
                seed.shuffle(steps)
            for step in steps:
                step()
            outcomes.append(outcome(server.world.db))
    assert outcomes[0] == outcomes[1]
    everything_told = {number for calls in told for number in calls}
    assert outcomes[0]["calls"] == len(everything_told | {n for of in recorded.values() for n in of})


def fresh(folder: Path, template: Path, issuer: Issuer) -> Any:
    path = folder / "fresh.sqlite3"
    shutil.copy(template, path)
    database = Database(f"sqlite:///{path}")
    with database.transaction() as session:
        install(session)
    return serving(world_of(database, issuer.url), issuer)


def telling_of(server: Server, calls: list[int], token: str) -> Step:
    return lambda: expect(tell(server, "logs", body_of(calls), token), 200)


def session_of(number: int) -> str:
    """A request is of one session: telemetry and record agree on it."""
    return f"s-{number % 3}"


def body_of(calls: list[int]) -> dict[str, Any]:
    return logs(*(api_request(f"req_{n}", START + n * SECOND, session_of(n)) for n in calls))


def run_of(session: int, numbers: set[int]) -> dict[str, Any]:
    calls = [call(n, id=f"req_{n}", at=stamp(START + n * SECOND)) for n in sorted(numbers)]
    return agent_run(f"s-{session}", calls)


def outcome(database: Database) -> dict[str, Any]:
    cost = check_books(database)
    calls = everything(database, ModelCallRow)
    runs = everything(database, AgentRun)
    held = {
        (run.provenance, run.session): (
            sorted(c.response_id for c in calls if c.agent_run_id == run.id),
            run.model_calls, run.cost_nano_usd, run.input_tokens, run.output_tokens, run.started_at_us,
            json.loads(run.models),
        )
        for run in runs
    }  # fmt: skip
    return {"cost": cost, "calls": len(calls), "runs": held}

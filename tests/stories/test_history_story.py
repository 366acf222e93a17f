"""Pulls that no event told of: found by lists, read on from where a process ended, behind all other work."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.outcomes import Later
from app.github.client import GitHubClient
from app.store.accounts import active_accounts
from app.store.lanes import claim
from app.store.queue import NewJob, behind, enqueue
from app.store.readings import ask_for_history, ask_for_readings, never_read, progress, readable
from app.store.spare import Spare
from app.stories import history
from tests.stories.stage import CALL_NANO_USD, ORGANISATION, REPOSITORY, Stage

DAY_S = 86_400


def unheard(stage: Stage) -> None:
    """What was sent until now never arrives."""
    stage.waiting.clear()


def sweep(stage: Stage) -> None:
    """A sweep of every account, and all that is due after it."""
    with stage.world.db.transaction() as session:
        for account_id in active_accounts(session):
            new = NewJob(account_id, behind(account_id), "sweep", "sweep", {}, stage.now())
            enqueue(session, new, stage.now())
    stage.settle()


def pulls(stage: Stage) -> list[tuple[int, str]]:
    return [tuple(row) for row in stage.rows("SELECT number, state FROM pull ORDER BY number")]


def many(stage: Stage, count: int, repository: str = REPOSITORY) -> None:
    for number in range(count):
        stage.gh.open_pull(repository, f"b{number}", files={f"{number}.py": "1"})
    unheard(stage)


def reading(stage: Stage) -> dict[str, Any]:
    [row] = stage.rows("SELECT * FROM pull_reading")
    return dict(row._mapping)


def test_the_history_is_read_when_the_app_is_installed(stage: Stage) -> None:
    stage.gh.create_account(ORGANISATION)
    stage.gh.create_repository(REPOSITORY)
    merged = stage.gh.open_pull(REPOSITORY, "a", files={"a.py": "1"})
    stage.gh.merge(REPOSITORY, merged)
    stage.gh.close(REPOSITORY, stage.gh.open_pull(REPOSITORY, "b", files={"b.py": "1"}))
    stage.gh.open_pull(REPOSITORY, "c", files={"c.py": "1"})
    stage.gh.install(ORGANISATION)
    stage.settle()
    assert pulls(stage) == [(1, "merged"), (2, "closed"), (3, "open")]
    assert reading(stage)["part"] == ""


def test_a_repository_that_is_added_later_is_read_too(stage: Stage) -> None:
    stage.install()
    stage.gh.create_repository(f"{ORGANISATION}/gears", files={"a": "1"})
    stage.gh.open_pull(f"{ORGANISATION}/gears", "a", files={"a.py": "1"})
    unheard(stage)
    with stage.world.db.transaction() as session:
        [account_id] = active_accounts(session)
        lane = f"{account_id}/installation"
        enqueue(session, NewJob(account_id, lane, "refresh", "refresh", {}, stage.now()), stage.now())
    stage.settle()
    assert pulls(stage) == [(1, "open")]


def test_closed_pulls_older_than_ninety_days_are_left_and_old_open_ones_are_read(stage: Stage) -> None:
    stage.gh.create_account(ORGANISATION)
    stage.gh.create_repository(REPOSITORY)
    for branch in ("a", "b"):
        stage.gh.open_pull(REPOSITORY, branch, files={f"{branch}.py": "1"})
    stage.gh.close(REPOSITORY, 1)
    stage.gh.advance(91 * DAY_S)
    stage.gh.install(ORGANISATION)
    stage.settle()
    assert pulls(stage) == [(2, "open")]


def test_history_goes_back_as_far_as_agent_runs_do(stage: Stage) -> None:
    account_id = stage.install()
    number = stage.gh.open_pull(REPOSITORY, "a", files={"a.py": "1"})
    unheard(stage)
    stage.agent(event="push", branch="a")
    stage.gh.merge(REPOSITORY, number)
    unheard(stage)
    stage.gh.advance(200 * DAY_S)
    with stage.world.db.transaction() as session:
        ask_for_history(session, account_id, None, stage.now())
    stage.settle()
    assert pulls(stage) == [(1, "merged")]
    assert stage.books()["pull", number] == CALL_NANO_USD


def test_a_reading_goes_page_by_page_and_on_from_the_last_whole_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PAGE", 3)
    account_id = stage.install()
    many(stage, 8)
    sweep_begun(stage, account_id)
    stage.worker.step(only=behind(account_id))
    assert (reading(stage)["part"], reading(stage)["page"], len(pulls(stage))) == ("open", 2, 3)
    asked = len(stage.gh.requests)
    stage.settle()
    listed = [path for method, path, _ in stage.gh.requests[asked:] if method == "GET" and path.endswith("/pulls")]
    assert (len(pulls(stage)), len(listed)) == (8, 3)  # two of open pulls, one of closed ones


def sweep_begun(stage: Stage, account_id: int) -> None:
    with stage.world.db.transaction() as session:
        ask_for_readings(session, account_id, readable(session, account_id), stage.now())


def test_a_failed_sweep_does_not_move_the_watermark(stage: Stage) -> None:
    account_id = stage.install()
    before = reading(stage)["read_until_us"]
    stage.tick()
    many(stage, 1)
    stage.gh.grant(next(iter(stage.gh.hub.installations)), {"metadata": "read"})
    unheard(stage)
    sweep(stage)
    assert (reading(stage)["read_until_us"], reading(stage)["part"], pulls(stage)) == (before, "", [])
    stage.gh.grant(next(iter(stage.gh.hub.installations)), {"metadata": "read", "pull_requests": "read"})
    unheard(stage)
    sweep(stage)
    assert reading(stage)["read_until_us"] > before
    assert pulls(stage) == [(1, "open")]
    with stage.world.db.reading() as session:
        assert progress(session, account_id).done == 1


@pytest.mark.parametrize("days", [1, 7, 40])
def test_a_missed_time_mends_itself(stage: Stage, days: int) -> None:
    stage.install()
    kept, closed, pushed, renamed = (
        stage.gh.open_pull(REPOSITORY, branch, files={f"{branch}.py": "1"}) for branch in ("a", "b", "c", "d")
    )
    for number in (kept, closed, pushed):
        stage.agent(pull=number)
    stage.settle()
    stage.tick()
    stage.gh.merge(REPOSITORY, kept, "squash")
    stage.gh.close(REPOSITORY, closed)
    stage.gh.push_to_pull(REPOSITORY, pushed, {"c.py": "2"})
    stage.gh.edit_pull(REPOSITORY, renamed, title="Another name")
    unheard(stage)
    stage.gh.advance(days * DAY_S)
    sweep(stage)
    assert pulls(stage) == [(kept, "merged"), (closed, "closed"), (pushed, "open"), (renamed, "open")]
    assert stage.comment(kept) is not None
    assert len(stage.gh.checks(REPOSITORY, pushed)) == 1
    assert stage.rows("SELECT title FROM pull WHERE number = :n", n=renamed) == [("Another name",)]


def test_a_sweep_of_what_is_known_asks_for_lists_alone(stage: Stage) -> None:
    stage.install()
    for number in range(3):
        stage.gh.open_pull(REPOSITORY, f"b{number}", files={"a.py": str(number)})
    stage.agent(pull=1)
    stage.gh.merge(REPOSITORY, 2)
    stage.settle()
    stage.tick()
    asked = len(stage.gh.requests)
    sweep(stage)
    assert [path for _, path, _ in stage.gh.requests[asked:]] == [f"/repos/{REPOSITORY}/pulls"] * 2


def test_an_open_pull_that_no_list_shows_any_more_is_read_again(stage: Stage) -> None:
    stage.install()
    stage.gh.open_pull(REPOSITORY, "a", files={"a.py": "1"})
    stage.settle()
    stage.gh.close(REPOSITORY, 1)
    stage.gh.hub.repository(REPOSITORY).pulls[1].issue.updated_at = datetime(2020, 1, 1, tzinfo=UTC)
    unheard(stage)
    stage.tick()
    sweep(stage)
    assert pulls(stage) == [(1, "closed")]


def test_what_an_event_told_meanwhile_is_not_overwritten(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page was listed while the pull was open; before it is written, the pull's own lane reads the merge."""
    account_id = stage.install()
    number = stage.gh.open_pull(REPOSITORY, "a", files={"a.py": "1"})
    unheard(stage)
    sweep_begun(stage, account_id)
    listing, once = GitHubClient.list_pulls, iter([True])

    def list_and_dawdle(client: GitHubClient, *asked: Any) -> Any:
        answer = listing(client, *asked)
        if next(once, False):
            stage.gh.merge(REPOSITORY, number)
            stage.deliver()
        return answer

    monkeypatch.setattr(GitHubClient, "list_pulls", list_and_dawdle)
    stage.worker.step(only=behind(account_id))
    assert pulls(stage) == [(number, "merged")]


def test_a_pull_that_reverts_one_we_know_is_told_there(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "a", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    stage.tick()
    stage.gh.merge(REPOSITORY, stage.gh.revert(REPOSITORY, number))
    unheard(stage)
    sweep(stage)
    assert stage.rows("SELECT reverts_number FROM pull WHERE number = 2") == [(number,)]


def test_an_issue_that_a_pull_closes_now_is_told_by_its_list(stage: Stage) -> None:
    stage.install()
    stage.gh.create_issue(REPOSITORY, "Do it")
    number = stage.gh.open_pull(REPOSITORY, "a", files={"a.py": "1"})
    stage.settle()
    stage.tick()
    stage.gh.edit_pull(REPOSITORY, number, body="Closes #1")
    unheard(stage)
    sweep(stage)
    assert stage.rows("SELECT number, issue FROM pull_issue") == [(number, 1)]


def test_commits_of_closed_pulls_are_asked_for_only_where_agents_ran(stage: Stage) -> None:
    account_id = stage.install()
    many(stage, 2)
    stage.gh.merge(REPOSITORY, 1)
    stage.gh.merge(REPOSITORY, 2)
    unheard(stage)
    sweep(stage)
    assert stage.rows("SELECT COUNT(*) FROM pull_commit") == [(0,)]
    stage.tick()
    third = stage.gh.open_pull(REPOSITORY, "c", files={"c.py": "1"})
    stage.agent(event="schedule")
    stage.gh.merge(REPOSITORY, third)
    unheard(stage)
    with stage.world.db.transaction() as session:
        ask_for_history(session, account_id, None, stage.now())
    stage.settle()
    assert stage.rows("SELECT DISTINCT number FROM pull_commit") == [(third,)]


def test_half_of_the_hours_requests_is_left_to_others(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE", 2)
    account_id = stage.install()
    many(stage, 20)
    stage.gh.limit_requests(20)
    sweep(stage)
    budget = stage.gh.limits.budget(f"installation {next(iter(stage.gh.hub.installations))}")
    assert budget.used <= 11
    assert len(pulls(stage)) < 20
    stage.gh.merge(REPOSITORY, 1)  # live work goes on
    stage.settle()
    assert (1, "merged") in pulls(stage)
    stage.gh.limit_requests(5000)
    stage.gh.advance(2 * 3600)
    stage.settle()
    assert len(pulls(stage)) == 20
    with stage.world.db.reading() as session:
        assert progress(session, account_id).over


def test_a_client_without_limits_told_never_rests(stage: Stage) -> None:
    account_id = stage.install()
    spare = Spare(stage.world.allowance(account_id))
    spare.saw({}, 200)
    spare.check()
    spare.saw({"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "2499", "X-RateLimit-Reset": "0"}, 200)
    with pytest.raises(Later, match="left to what cannot wait"):
        spare.check()


def test_what_may_wait_is_taken_last(stage: Stage) -> None:
    account_id = stage.install()
    many(stage, 1)
    sweep_begun(stage, account_id)
    stage.tick()
    with stage.world.db.transaction() as session:
        for number in range(9):
            lane = f"{account_id}/installation/{number}"
            enqueue(session, NewJob(account_id, lane, "refresh", f"n/{number}", {}, stage.now()), stage.now())
    taken: list[str] = []
    with stage.world.db.transaction() as session:
        taken += [hold.lane for hold in claim(session, stage.now(), timedelta(minutes=1), 20)]
        taken += [hold.lane for hold in claim(session, stage.now(), timedelta(minutes=1), 20, waits=True)]
    assert (len(taken), taken[-1]) == (10, behind(account_id))


def test_at_least_half_of_the_threads_never_do_what_may_wait(stage: Stage) -> None:
    account_id = stage.install()
    going, at_most = threading.Semaphore(0), []

    def wait(_job: Any, _world: Any) -> None:
        at_most.append(len(stage.worker._held))
        going.acquire(timeout=5)

    stage.worker.stories = {"slow": wait}
    with stage.world.db.transaction() as session:
        for number in range(4):
            new = NewJob(account_id + number, behind(account_id + number), "slow", "slow", {}, stage.now())
            enqueue(session, new, stage.now())
    runner = threading.Thread(target=stage.worker.run)
    runner.start()
    while len(at_most) < 2:
        threading.Event().wait(0.01)
    threading.Event().wait(0.6)
    assert len(at_most) == 2  # of four threads
    for _ in range(4):
        going.release()
    stage.worker.stop()
    runner.join()


def test_a_reading_under_way_starts_anew_only_to_go_further_back(stage: Stage) -> None:
    account_id = stage.install()
    many(stage, 1)
    sweep_begun(stage, account_id)
    first = reading(stage)
    stage.tick()
    sweep_begun(stage, account_id)
    assert reading(stage) == first
    with stage.world.db.transaction() as session:
        ask_for_history(session, account_id, stage.now() - timedelta(days=400), stage.now())
        assert never_read(session, account_id) == []
    assert reading(stage)["since_us"] < first["since_us"]

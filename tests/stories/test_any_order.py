"""The conservation law, and one final state, whatever order the facts come in.

Two Apps watch one GitHub. One gets everything at the end, in order and once. The other gets it while it happens:
shuffled, duplicated, redelivered, with records before, during and after the merge. Both must agree.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sandbox import Sandbox
from app.store.database import Database
from tests.stories.stage import CALL_NANO_USD, ORGANISATION, PATH, REPOSITORY, WORKFLOW, Stage

START = datetime(2026, 10, 5, 9, tzinfo=UTC)
NO_RUN = "**No agent run**"
BRANCHES = ("one", "two")
OPS = (
    "push", "force", "open", "open", "merge", "close", "reopen", "revert",
    "agent on pull", "agent on pull", "agent on push", "agent on dispatch", "agent on comment", "agent on schedule",
    "agent opens pull", "agent opens pull",
    "attribute", "attribute", "detach",
)  # fmt: skip


class Happenings:
    """What happens on GitHub, drawn at random, and who hears of it when."""

    def __init__(self, gh: Sandbox, tidy: Stage, untidy: Stage, random: Random) -> None:
        self.gh, self.tidy, self.untidy, self.random = gh, tidy, untidy, random
        self.reports: list[Callable[[Stage], Any]] = []  # what the tidy one is told at the end
        self.pending: list[Callable[[Stage], Any]] = []  # what the untidy one has not been told yet
        self.runs: list[tuple[int, Callable[[Stage], Any]]] = []  # a workflow run, and what tells of its agent run
        self.files = 0
        self.calls = 0
        self.by_hand = 0

    def happen(self, op: str) -> None:
        self.tidy.tick()
        getattr(self, op.replace(" ", "_"))()
        for delivery in self.untidy.waiting:
            self.pending.append(lambda stage, delivery=delivery: stage.deliver([delivery]))  # type: ignore[misc]
        self.untidy.waiting = []

    def tell_some(self) -> None:
        """Tell the untidy one something of what has happened, some of it twice."""
        self.random.shuffle(self.pending)
        count = self.random.randint(0, len(self.pending))
        told, self.pending = self.pending[:count], self.pending[count:]
        for tell in told:
            tell(self.untidy)
            if self.random.random() < 0.3:
                self.pending.append(tell)  # it comes again, later
        if self.random.random() < 0.5:
            self.untidy.worker.drain()

    def finish(self) -> None:
        self.random.shuffle(self.pending)
        for tell in self.pending:
            tell(self.untidy)
        self.untidy.worker.drain()
        for report in self.reports:
            report(self.tidy)
        self.tidy.settle()
        self.tidy.tick(3600)  # those who saw a run go on ask how it ended
        self.tidy.settle()
        self.untidy.settle()

    # ---- operations ----------------------------------------------------------------------------------------------

    def push(self) -> None:
        self.files += 1
        self.gh.push(REPOSITORY, self.random.choice(BRANCHES), {"a.py": str(self.files)})

    def force(self) -> None:
        self.files += 1
        self.gh.push(REPOSITORY, self.random.choice(BRANCHES), {"a.py": str(self.files)}, force=True)

    def open(self) -> None:
        branch = self.random.choice(BRANCHES)
        self.files += 1
        if not [pull for pull in self._pulls("open") if pull["head"]["ref"] == branch]:
            self.gh.open_pull(REPOSITORY, branch, files={"a.py": str(self.files)})

    def merge(self) -> None:
        if number := self._one("open"):
            self.gh.merge(REPOSITORY, number, self.random.choice(["merge", "squash", "rebase"]))

    def close(self) -> None:
        if number := self._one("open"):
            self.gh.close(REPOSITORY, number)

    def reopen(self) -> None:
        taken = {pull["head"]["ref"] for pull in self._pulls("open")}
        closed = [p for p in self._pulls("closed") if not p["merged_at"] and p["head"]["ref"] not in taken]
        if closed:
            self.gh.reopen(REPOSITORY, closed[-1]["number"])

    def revert(self) -> None:
        merged = [p for p in self._pulls("closed") if p["merged_at"] and not p["head"]["ref"].startswith("revert-")]
        if merged and len(self._pulls("all")) < 8:
            number = self.gh.revert(REPOSITORY, merged[-1]["number"])
            self.gh.merge(REPOSITORY, number)

    def agent_on_pull(self) -> None:
        if number := self._one("all"):
            self._agent({}, pull=number)

    def agent_on_push(self) -> None:
        self._agent_on_branch("push")

    def agent_on_dispatch(self) -> None:
        self._agent_on_branch("workflow_dispatch")

    def agent_on_comment(self) -> None:
        if number := self._one("all"):
            self._agent({"pull_number": number}, event="issue_comment", pull=number)

    def agent_on_schedule(self) -> None:
        self._agent({}, event="schedule")

    def agent_opens_pull(self) -> None:
        """A run on the default branch names pulls: one that somebody opened in its time or after it, and others."""
        branch, other = self.random.choice(BRANCHES), self._one("all")
        if branch in {pull["head"]["ref"] for pull in self._pulls("open")}:
            return
        run = self.gh.start_workflow_run(REPOSITORY, "workflow_dispatch", path=PATH)
        ended = self.random.choice(["before", "after", "never"])
        if ended == "before":
            self.gh.finish_run(run["run_id"])
        self.tidy.tick()
        self.files += 1
        author = self.random.choice(["ada", "ada", "bob"])
        number = self.gh.open_pull(REPOSITORY, branch, files={"a.py": str(self.files)}, author=author)
        if ended == "after":
            self.gh.finish_run(run["run_id"])
        claimed = {number, other or number}
        self._tell(run, {}, pulls=sorted(claimed), named=self.random.choice([None, *sorted(claimed)]))

    def _agent_on_branch(self, event: str) -> None:
        self.push()
        branches = {pull["head"]["ref"] for pull in self._pulls("open")} & set(BRANCHES)
        if branches:
            self._agent({}, event=event, branch=min(branches))

    def _agent(self, job: dict[str, Any], **event: Any) -> None:
        self._tell(self.gh.start_workflow_run(REPOSITORY, path=PATH, **event), job)

    def _tell(self, run: dict[str, Any], job: dict[str, Any], named: int | None = None, **more: Any) -> None:
        session = f"{run['run_id']:012}"
        self.calls += 1
        calls = [self.tidy.call(f"{session}", **({"pull": named} if named else {}))]
        at = {"started_at": calls[0]["at"], **job}

        def report(stage: Stage) -> None:
            stage.report(run, calls, session, job=at, **more)

        self.reports.append(report)
        self.pending.append(report)
        self.runs.append((run["run_id"], report))

    def attribute(self) -> None:
        self._by_hand("attribute")

    def detach(self) -> None:
        self._by_hand("detach")

    def _by_hand(self, verb: str) -> None:
        """A person decides on an agent run that they can see: its record has come, whatever else has not."""
        number = self._one("all")
        if number is None or not self.runs:
            return
        run_id, report = self.random.choice(self.runs)
        if report in self.pending:
            self.pending.remove(report)
            report(self.untidy)
        self.by_hand += 1
        address = f"https://github.com/{REPOSITORY}/actions/runs/{run_id}"
        self.gh.comment(REPOSITORY, number, "ada", f"/mergemeter {verb} {address} because {self.files} {self.calls}")

    def _pulls(self, state: str) -> list[dict[str, Any]]:
        place = self.gh.hub.repository(REPOSITORY)
        found = [self.gh.pull(REPOSITORY, number) for number in sorted(place.pulls)]
        return [pull for pull in found if state in ("all", pull["state"])]

    def _one(self, state: str) -> int | None:
        found = self._pulls(state)
        return int(self.random.choice(found)["number"]) if found else None


def play(first: Database, second: Database, ops: list[str], random: Random) -> None:
    with Sandbox() as gh:
        gh.set_time(START)
        tidy, untidy = Stage(gh, first, "tidy"), Stage(gh, second, "untidy")
        with closing(tidy), closing(untidy):
            _play(gh, tidy, untidy, ops, random)


def _play(gh: Sandbox, tidy: Stage, untidy: Stage, ops: list[str], random: Random) -> None:
    gh.create_account(ORGANISATION)
    gh.create_repository(REPOSITORY, files={PATH: WORKFLOW})
    gh.permit(REPOSITORY, "ada", "write")
    for stage in (tidy, untidy):
        gh.install(ORGANISATION, app_id=stage.app["app_id"])
        stage.settle()
    happenings = Happenings(gh, tidy, untidy, random)
    for op in ops:
        happenings.happen(op)
        happenings.tell_some()
        assert sum(untidy.books().values()) == 0
    happenings.finish()
    assert_they_agree(happenings, tidy, untidy)


def assert_they_agree(happenings: Happenings, tidy: Stage, untidy: Stage) -> None:
    assert untidy.books() == tidy.books()
    assert untidy.evidence() == tidy.evidence()
    books = untidy.books()
    assert -books.pop(("usage", 0), 0) == sum(books.values()) == happenings.calls * CALL_NANO_USD
    rolled_up = "SELECT book, number, SUM(amount_nano_usd) FROM balance GROUP BY book, number"
    assert {(b, n): int(total) for b, n, total in untidy.rows(rolled_up) if total} == untidy.books()
    for number in happenings.gh.hub.repository(REPOSITORY).pulls:
        comments = {words(stage.comment(number)) for stage in (tidy, untidy)}
        # An agent run that came and went by hand leaves a comment with whoever saw it there.
        assert len(comments) == 1 or (happenings.by_hand and {each[:16] for each in comments} == {"none", NO_RUN})
        assert answers(happenings.gh, untidy, number) == answers(happenings.gh, tidy, number)
        checks = [checks_of(happenings.gh, stage, number) for stage in (tidy, untidy)]
        # A notice on a line cannot be taken back: when people take its cost away, a new check takes the old's place.
        assert len(checks[1]) <= 1 or happenings.by_hand
        titles = [check[-1]["output"]["title"] for check in checks if check]
        # So it leaves a check.
        assert len(set(titles)) <= 1
        assert len(titles) != 1 or titles == ["No agent run is tied to this pull"]


def checks_of(gh: Sandbox, stage: Stage, number: int) -> list[dict[str, Any]]:
    """An App's checks on a pull's head, the youngest, which people see, last."""
    return [check for check in gh.checks(REPOSITORY, number) if check["app"]["id"] == stage.app["app_id"]]


def answers(gh: Sandbox, stage: Stage, number: int) -> list[str]:
    """What an App answered to commands on a pull, in whatever order."""
    ours = [one["body"] for one in gh.comments(REPOSITORY, number) if one["user"]["id"] == stage.app["bot_id"]]
    return sorted(body for body in ours if "<!-- mergemeter:answer:" in body)


def words(comment: str | None) -> str:
    """A comment without what it tells of the rest of the repository, which was so when it was written."""
    return re.sub(r"Unattributed in this repository[^<]*", "", comment or "none")


@contextmanager
def copies(template: Path) -> Iterator[tuple[Database, Database]]:
    with tempfile.TemporaryDirectory() as name:
        databases = []
        for copy in ("first", "second"):
            shutil.copyfile(template, Path(name) / copy)
            databases.append(Database(f"sqlite:///{Path(name) / copy}"))
        yield databases[0], databases[1]
        for database in databases:
            database.close()


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(OPS), min_size=4, max_size=14), st.randoms(use_true_random=False))
def test_any_order_of_facts_gives_the_same_books_and_the_same_words(
    sqlite_template: Path, ops: list[str], random: Random
) -> None:
    with copies(sqlite_template) as (first, second):
        play(first, second, ops, random)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_story_ends_the_same_on_both_kinds_of_database(
    database: Database, sqlite_template: Path, seed: int
) -> None:
    random = Random(seed)
    with copies(sqlite_template) as (first, _):
        play(first, database, [random.choice(OPS) for _ in range(30)], random)


BY_HAND = ("attribute", "attribute", "detach", "agent on schedule", "agent on push", "merge", "open")


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(BY_HAND), min_size=6, max_size=12), st.randoms(use_true_random=False))
def test_what_people_say_of_the_same_few_agent_runs_in_any_order_ends_as_the_last_of_it(
    sqlite_template: Path, ops: list[str], random: Random
) -> None:
    with copies(sqlite_template) as (first, second):
        play(first, second, ["open", "open", "agent on schedule", "agent on push", *ops], random)


@pytest.mark.parametrize("seed", range(2))
def test_many_words_on_two_agent_runs_end_the_same_on_both_kinds_of_database(
    database: Database, sqlite_template: Path, seed: int
) -> None:
    random = Random(seed)
    ops = ["open", "open", "agent on schedule", "agent on push", *(random.choice(BY_HAND[:3]) for _ in range(16))]
    with copies(sqlite_template) as (first, _):
        play(first, database, ops, random)

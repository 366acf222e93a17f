"""The tools of a case: what people and agents do in one repository, each agent run with its truth beside it."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from app.oidc.claims import claims_of, read_claims
from app.sandbox import events, pulls
from app.sandbox.commits import add_commit, edited, tree_of
from app.sandbox.state import Hub, Pull, Repository
from tests.simulate.github import SimulatedGitHub, Steered
from tests.simulate.reports import CALL_NANO_USD, body_of
from tests.simulate.truth import NONE, AgentRunTruth, Pulls, Report, RevertTruth, Truth

AUDIENCE = "https://meter.example"
WEB = "https://github.com"
PATH = ".github/workflows/agent.yml"
OVERHEAD_PATH = ".github/workflows/housekeeping.yml"
PEOPLE = tuple(f"person-{n}" for n in range(12))
MAINTAINER = "maintainer"
SESSIONS = (1, 1, 1, 1, 1, 1, 2, 2, 3)  # in one job
LEGS = (0,) * 28 + (2, 3)  # of a matrix
# What else an agent does for a pull before it is merged: event, purpose, evidence.
MORE = (
    ("pull_request_review", "review", "E1"),
    ("pull_request_review", "author", "E1"),
    ("pull_request", "ci-fix", "E1"),
    ("issue_comment", "author", "E5"),
    ("pull_request_target", "review", "E5"),
)
MOST_MORE = 1
RETRIED = 0.15


@dataclass(frozen=True)
class Rules:
    """What the account's configuration says in the end."""

    claims_count: bool = False
    overhead: bool = False  # of OVERHEAD_PATH


class Place:
    """One repository of the organisation: who steers it, and the counters that cases share."""

    def __init__(
        self, github: SimulatedGitHub, full_name: str, visibility: str = "private", rules: Rules | None = None
    ) -> None:
        self.github = github
        self.rules = rules or Rules()
        self.desk, self.repository = github.create_repository(full_name, visibility)
        self.desk.permit(full_name, MAINTAINER, "write")
        self.branches = 0
        self.files = 0


class Scene:
    """One case on its way. `after` are reports that jobs will send, each with the seconds that its job takes."""

    def __init__(self, case: str, place: Place, random: Random, truth: Truth) -> None:
        self.case, self.place, self.random, self.truth = case, place, random, truth
        self.after: list[tuple[float, Report]] = []
        self.begun = False
        self.neighbours: Sequence[Place] = ()
        self._sessions: dict[str, list[str]] = {}  # by workflow run and attempt

    # ---- where -------------------------------------------------------------------------------------------------

    @property
    def desk(self) -> Steered:
        return self.place.desk

    @property
    def hub(self) -> Hub:
        return self.place.desk.hub

    @property
    def repository(self) -> Repository:
        return self.place.repository

    @property
    def name(self) -> str:
        return self.repository.full_name

    @property
    def rules(self) -> Rules:
        return self.place.rules

    def neighbour(self) -> "Scene":
        """The same case in another repository of the account, or in this one where there is none."""
        others = [place for place in self.neighbours if place.repository.owner is self.repository.owner]
        there = Scene(self.case, self.random.choice(others or [self.place]), self.random, self.truth)
        there.after = self.after
        return there

    def person(self) -> str:
        return self.random.choice(PEOPLE)

    def branch(self, words: str = "feature") -> str:
        """A branch name that nobody else in the repository uses."""
        self.place.branches += 1
        return f"{words}-{self.place.branches}"

    def pull(self, number: int) -> Pull:
        return self.repository.pulls[number]

    # ---- commits and pulls ---------------------------------------------------------------------------------------

    def files(self) -> dict[str, str | None]:
        """Another change: of a few files only, as trees are kept whole."""
        self.place.files += 1
        return {f"part-{self.place.files % 7}.py": f"change = {self.place.files}\n"}

    def tick(self) -> None:
        """GitHub writes whole seconds: what happens one after the other must be seconds apart."""
        self.place.github.set_time(self.hub.now() + timedelta(seconds=1))

    def push(self, branch: str, *, force: bool = False, message: str = "Change") -> str:
        self.tick()
        return self.desk.push(self.name, branch, self.files(), self.person(), message, force=force)

    def commit_on(self, branch: str, parent: str, message: str = "Change", author: str = "") -> str:
        """A commit on a branch that starts anew from `parent`, wherever the branch stood."""
        self.tick()
        with self.hub.lock:
            person = self.hub.account(author or self.person())
            tree = edited(tree_of(self.hub, parent), self.files())
            sha = add_commit(self.hub, (parent,), tree, message, person)
            pulls.move_branch(self.hub, self.repository, branch, sha, person)
            return sha

    def open(self, branch: str, base: str | None = None, *, body: str = "", draft: bool = False) -> int:
        self.tick()
        return self.desk.open_pull(self.name, branch, base, f"Change {branch}", body, None, self.person(), draft)

    def into_two_bases(self) -> tuple[str, list[int]]:
        """A branch with a pull into the default branch and one into another."""
        line = self.branch("line")
        self.push(line)
        branch = self.branch()
        self.push(branch)
        return branch, [self.open(branch), self.open(branch, line)]

    def two_that_close(self, issue: int) -> Generator[float, None, list[int]]:
        """Two pulls that close an issue, one after the other; each wait is given."""
        numbers = []
        for _ in range(2):
            yield minutes(self.random, 2, 60)
            branch = self.branch("issue")
            self.push(branch)
            numbers.append(self.open(branch, body=f"Fixes #{issue}"))
        return numbers

    def opened(self, branch: str = "", base: str | None = None) -> tuple[str, int]:
        """A branch with a commit and a pull from it."""
        branch = branch or self.branch()
        self.push(branch)
        return branch, self.open(branch, base)

    def merge(self, number: int, method: str = "", *, more: bool = True) -> str:
        """`more`: agents may do some work for it before."""
        if more:
            self.work_more(number)
        self.tick()
        return self.desk.merge(self.name, number, method or self.random.choice(["merge", "squash", "rebase"]))

    def head(self, branch: str) -> str:
        return self.repository.branches[branch]

    def announce(self, number: int, action: str) -> None:
        pulls.announce(self.hub, self.repository, self.pull(number), action, self.hub.account(self.person()))

    def set_draft(self, number: int, *, draft: bool) -> None:
        self.pull(number).draft = draft
        self.announce(number, "converted_to_draft" if draft else "ready_for_review")

    def delete_branch(self, branch: str) -> None:
        """An open pull from it is closed, as GitHub does."""
        del self.repository.branches[branch]
        for pull in list(self.repository.pulls.values()):
            if pull.issue.state == "open" and pull.head_label == f"{self.repository.owner.login}:{branch}":
                pulls.close(self.hub, self.repository, pull, self.hub.account(self.person()))

    def rename_branch(self, old: str, new: str) -> None:
        """Pulls into it follow; an open pull from it is closed."""
        self.repository.branches[new] = self.repository.branches[old]
        for pull in list(self.repository.pulls.values()):
            if pull.issue.state == "open" and pull.base_ref == old:
                self.desk.edit_pull(self.name, pull.number, base=new)
        self.delete_branch(old)

    def reverts(self, number: int, reverted: int, *, known: bool) -> None:
        self.truth.reverts.append(RevertTruth(self.case, self.repository.repository_id, number, reverted, known))

    def repository_event(self, action: str) -> None:
        events.repository_changed(self.hub, self.repository, action, self.repository.owner)

    # ---- agents ----------------------------------------------------------------------------------------------------

    def agent(
        self, event: str, *, pull: int | None = None, branch: str | None = None, path: str = PATH, **more: Any
    ) -> dict[str, Any]:
        """An agent ran in a job that this event started, and reports when it is done. `more`: as `report` takes it."""
        about = pull if pull is not None else more.get("issue")
        run = self.start(event, pull=about, branch=branch, path=path)
        self.report(run, **more)
        return run

    def start(
        self, event: str, *, pull: int | None = None, branch: str | None = None, path: str = PATH
    ) -> dict[str, Any]:
        """A job with an agent begins; `report` ends it."""
        self.tick()
        return self.desk.start_workflow_run(self.name, event, pull=pull, path=path, branch=branch, actor=self.person())

    def retry(self, run: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """The next attempt of the same workflow run."""
        self.tick()
        again = self.desk.rerun(int(run["run_id"]), actor=self.person())
        self.report(again, **more)
        return again

    def work_more(self, number: int) -> None:
        """Reviews, repairs and answers, of which every pull has some; now and then one of them is tried again."""
        pull = self.pull(number)
        ours = pull.head_repository_id == self.repository.repository_id
        for _ in range(self.random.randint(0, MOST_MORE)):
            event, purpose, level = self.random.choice(MORE)
            if ours or level != "E1":  # a fork's jobs get no token
                told: dict[str, Any] = {"served": {number}, "level": level, "purpose": purpose}
                run = self.agent(event, pull=number, **told)
                if self.random.random() < RETRIED:
                    self.retry(run, **told)

    def report(
        self,
        run: Mapping[str, Any],
        *,
        served: Iterable[int] | None,
        level: str = "",
        names: int | None = None,
        issue: int | None = None,
        commits: Sequence[str] = (),
        purpose: str = "author",
        expected: Iterable[int] | None = None,
        also: tuple[Pulls, ...] = (),
    ) -> None:
        """The jobs of a run's latest attempt report when they are done: one, or each leg of a matrix.

        `served`: the pulls that were worked for; None where a later `later_known` says so. `level`: by which evidence
        that can be known; without one it cannot, and nothing is expected. `names`: a pull that the job itself names.
        """
        by_served = frozenset(served or ())
        wanted = (by_served if level else NONE) if expected is None else frozenset(expected)
        legs = 0 if commits else self.random.choice(LEGS)
        jobs = [run, *(self.desk.add_job(int(run["run_id"]), "agent") for _ in range(legs - 1))]
        record = self.hub.runs[int(run["run_id"])]
        attempt = record.attempts[int(run["run_attempt"]) - 1]
        at = f"{attempt.started_at:%Y-%m-%dT%H:%M:%SZ}"
        longest_s = 0.0
        for place, job in enumerate(jobs, 1):
            first = f"{job['run_id']}-{job['run_attempt']}-{job['job_id']}"
            calls = {f"{first}-{n}": self.random.randint(1, 3) for n in range(self.random.choice(SESSIONS))}
            for session, count in calls.items():
                cost = count * CALL_NANO_USD
                self.truth.agent_runs[session] = AgentRunTruth(
                    self.case, self.repository.repository_id, session, cost, by_served, wanted, level, also
                )
            self._sessions.setdefault(f"{job['run_id']}-{job['run_attempt']}", []).extend(calls)
            leg = place if legs else 0
            body = body_of(job, calls, at, pull=names, issue=issue, commits=commits, purpose=purpose, leg=leg)
            signed = self.place.github.issuer.claims(self.repository, record, record.jobs[int(job["job_id"])], AUDIENCE)
            takes_s = self.random.uniform(60, 1500)
            longest_s = max(longest_s, takes_s)
            self.after.append((takes_s, Report(claims_of(read_claims(signed), signed), body)))
        conclusion = self.random.choice(("success", "success", "failure"))
        self.place.github.end_later(self.hub.now() + timedelta(seconds=longest_s + 30), record, attempt, conclusion)

    def later_known(self, run: Mapping[str, Any], served: Iterable[int], level: str, *, pulls_in: int = 0) -> None:
        """Write down whom a run served once that is so: its pull was opened after the run, or a person said so."""
        by_served = frozenset(served)
        for session in self._sessions[f"{run['run_id']}-{run['run_attempt']}"]:
            self.truth.agent_runs[session] = replace(
                self.truth.agent_runs[session], served=by_served, expected=by_served if level else NONE, levels=level,
                pulls_in=pulls_in,
            )  # fmt: skip

    # ---- what people say ---------------------------------------------------------------------------------------------

    def say(self, number: int, text: str, user: str = MAINTAINER, via_app: int | None = None) -> int:
        """A comment on a pull; gives its id."""
        self.tick()
        return self.desk.comment(self.name, number, user, text, via_app)

    def address(self, run: Mapping[str, Any], *, attempt: bool = False, job: bool = False) -> str:
        """A workflow run's page, or that of its attempt or of a job in it."""
        url = f"{WEB}/{self.name}/actions/runs/{run['run_id']}"
        if job:
            return f"{url}/job/{run['job_id']}"
        return f"{url}/attempts/{run['run_attempt']}" if attempt else url


def minutes(random: Random, least: float, most: float) -> float:
    """A wait, in seconds."""
    return random.uniform(least, most) * 60


def days(random: Random, least: float, most: float) -> float:
    return random.uniform(least, most) * timedelta(days=1).total_seconds()

"""The tools of a case: what people and agents do in one repository, each agent run with its truth beside it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from app.oidc.claims import claims_of, read_claims
from app.sandbox import events, pulls
from app.sandbox.commits import add_commit, edited, tree_of
from app.sandbox.state import Hub, Pull, Repository
from tests.simulate.github import SimulatedGitHub, Steered
from tests.simulate.truth import NONE, AgentRunTruth, Pulls, Report, RevertTruth, Truth

CALL_NANO_USD = 1_000 * 3_000 + 1_300 * 15_000  # claude-sonnet-4-5: $3 and $15 a million tokens
AUDIENCE = "https://meter.example"
PATH = ".github/workflows/agent.yml"
PEOPLE = tuple(f"person-{n}" for n in range(12))


class Place:
    """One repository of the organisation: who steers it, and the counters that cases share."""

    def __init__(self, github: SimulatedGitHub, full_name: str, visibility: str = "private") -> None:
        self.github = github
        self.desk, self.repository = github.create_repository(full_name, visibility)
        self.branches = 0
        self.files = 0


class Scene:
    """One case on its way. `after` are reports that jobs will send, each with the seconds that its job takes."""

    def __init__(self, case: str, place: Place, random: Random, truth: Truth) -> None:
        self.case, self.place, self.random, self.truth = case, place, random, truth
        self.after: list[tuple[float, Report]] = []

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

    def opened(self, branch: str = "", base: str | None = None) -> tuple[str, int]:
        """A branch with a commit and a pull from it."""
        branch = branch or self.branch()
        self.push(branch)
        return branch, self.open(branch, base)

    def merge(self, number: int, method: str = "") -> str:
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
        self,
        event: str,
        *,
        served: Iterable[int] | None,
        level: str = "",
        pull: int | None = None,
        branch: str | None = None,
        issue: int | None = None,
        commits: Sequence[str] = (),
        purpose: str = "author",
        expected: Iterable[int] | None = None,
        also: tuple[Pulls, ...] = (),
        sessions: int = 1,
    ) -> dict[str, Any]:
        """An agent ran in a job that this event started, and reports when it is done.

        `served`: the pulls it worked for; None where a later `later_known` says so. `level`: by which evidence that
        can be known; without one it cannot, and nothing is expected.
        """
        run = self.start(event, pull=pull if pull is not None else issue, branch=branch)
        self.report(
            run, served=served, level=level, issue=issue, commits=commits, purpose=purpose, expected=expected,
            also=also, sessions=sessions,
        )  # fmt: skip
        return run

    def start(self, event: str, *, pull: int | None = None, branch: str | None = None) -> dict[str, Any]:
        """A job with an agent begins; `report` ends it."""
        self.tick()
        return self.desk.start_workflow_run(self.name, event, pull=pull, path=PATH, branch=branch, actor=self.person())

    def retry(self, run: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The next attempt of the same workflow run."""
        again = self.desk.rerun(int(run["run_id"]), actor=self.person())
        self.report(again, **more)
        return again

    def report(
        self,
        run: dict[str, Any],
        *,
        served: Iterable[int] | None,
        level: str = "",
        issue: int | None = None,
        commits: Sequence[str] = (),
        purpose: str = "author",
        expected: Iterable[int] | None = None,
        also: tuple[Pulls, ...] = (),
        sessions: int = 1,
    ) -> None:
        calls = {f"{run['run_id']}-{run['run_attempt']}-{n}": self.random.randint(1, 3) for n in range(sessions)}
        by_served = frozenset(served or ())
        wanted = (by_served if level else NONE) if expected is None else frozenset(expected)
        for session, count in calls.items():
            self.truth.agent_runs[session] = AgentRunTruth(
                self.case, self.repository.repository_id, session, count * CALL_NANO_USD, by_served, wanted, level, also
            )
        body = self._body(run, calls, issue, commits, purpose)
        record = self.hub.runs[int(run["run_id"])]
        signed = self.place.github.issuer.claims(self.repository, record, record.jobs[int(run["job_id"])], AUDIENCE)
        claims = claims_of(read_claims(signed), signed)
        self.after.append((self.random.uniform(60, 1500), Report(claims, body)))

    def later_known(self, run: dict[str, Any], served: Iterable[int], level: str, **more: Any) -> None:
        """Write down whom a run served once that is so: its pull was opened after the run."""
        for session, known in list(self.truth.agent_runs.items()):
            if session.startswith(f"{run['run_id']}-{run['run_attempt']}-"):
                by_served = frozenset(served)
                expected = frozenset(more.get("expected", by_served if level else NONE))
                self.truth.agent_runs[session] = AgentRunTruth(
                    known.case, known.repository_id, session, known.cost_nano_usd, by_served, expected, level,
                    more.get("also", ()),
                )  # fmt: skip

    def _body(
        self, run: dict[str, Any], calls: dict[str, int], issue: int | None, commits: Sequence[str], purpose: str
    ) -> dict[str, Any]:
        attempt = self.hub.runs[int(run["run_id"])].attempts[int(run["run_attempt"]) - 1]
        at = f"{attempt.started_at:%Y-%m-%dT%H:%M:%SZ}"
        job: dict[str, Any] = {"name": "agent", "started_at": at}
        named = named_pull(run)
        if named:
            job["pull_number"] = named
        if issue is not None and not named:
            job["issue_number"] = issue
        if commits:
            job["commits_made"] = list(commits)
        return {
            "schema": "mergemeter.agent-runs/1",
            "phase": "closed",
            "action_version": "0.1.0",
            "job": job,
            "tags": {"team": "platform", "purpose": purpose},
            "agent_runs": [
                {
                    "agent": "claude-code",
                    "session": session,
                    "completeness": "complete",
                    "calls": [model_call(f"{session}/{n}", at) for n in range(count)],
                }
                for session, count in calls.items()
            ],
        }


def named_pull(run: dict[str, Any]) -> int | None:
    """The pull that the runner finds named by the ref or the event."""
    if run["ref"].startswith("refs/pull/"):
        return int(run["ref"].split("/")[2])
    event = run["event"]
    if "pull_request" in event:
        return int(event["pull_request"]["number"])
    issue = event.get("issue", {})
    return int(issue["number"]) if "pull_request" in issue else None


def model_call(number: str, at: str) -> dict[str, Any]:
    """One model call that costs CALL_NANO_USD."""
    return {
        "id": f"msg_{number}",
        "provider": "anthropic",
        "model": "claude-sonnet-4-5-20250929",
        "at": at,
        "input_tokens": 1_000,
        "output_tokens": 1_300,
    }


def minutes(random: Random, least: float, most: float) -> float:
    """A wait, in seconds."""
    return random.uniform(least, most) * 60


def days(random: Random, least: float, most: float) -> float:
    return random.uniform(least, most) * timedelta(days=1).total_seconds()

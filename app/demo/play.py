"""The story that the demo plays: a month of one organisation in half a minute, from the first job to the summary.

Everything is real but GitHub and the models: webhooks are signed and delivered, the Action runs as a process and
sends signed tokens, the App is a process of its own on SQLite.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from app.demo.runner import Done, run_job
from app.demo.samples import Session
from app.demo.server import Server
from app.demo.workflows import CONFIG, FILES
from app.sandbox import Sandbox

ORGANISATION = "acme"
WIDGETS, GADGETS, WEBSITE = (f"{ORGANISATION}/{name}" for name in ("widgets", "gadgets", "website"))
SUMMARIES = f"{ORGANISATION}/finance"
PATIENCE_S = 60
REQUEST_S = 5
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One workflow job with the agent sessions that run in it."""

    repository: str
    workflow: str
    purpose: str
    sessions: tuple[Session, ...]
    pull: int | None = None
    event: str = "pull_request"
    team: str = "platform"


class Play:
    """The stage: a GitHub, a server, a folder for runners, and what was said in the step summaries."""

    def __init__(self, gh: Sandbox, server: Server, folder: Path, say: Say) -> None:
        self.gh, self.server, self.folder, self.say = gh, server, folder, say
        self.jobs = 0
        self.pool = ThreadPoolExecutor(2)

    def run(self, jobs: Sequence[Job]) -> list[Done]:
        """Play jobs, two runners at a time."""
        return [each.result() for each in [self._start(job) for job in jobs]]

    def _start(self, job: Job) -> "Future[Done]":
        self.jobs += 1
        path = f".github/workflows/{job.workflow}.yml"
        run = self.gh.start_workflow_run(
            job.repository, job.event, pull=job.pull, path=path, name=job.workflow.capitalize(), job=job.workflow
        )
        inputs = {"server-url": self.server.url, "team": job.team, "purpose": job.purpose}
        return self.pool.submit(run_job, self.folder / f"runner-{self.jobs}", run, inputs, job.sessions)

    def wait(self, what: str, found: Callable[[], Any]) -> Any:
        """Wait until something stands on GitHub; raises with the server's log when it does not come."""
        deadline = time.monotonic() + PATIENCE_S
        while not (result := found()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not come within {PATIENCE_S} s:\n{self.server.log()}")
            time.sleep(0.1)
        return result


def is_idle(server_url: str) -> bool:
    """Whether nothing that is due now waits or is being done, by the App's own metrics."""
    with urlopen(f"{server_url}/metrics", timeout=REQUEST_S) as answer:  # noqa: S310 - our own loopback address
        lines = answer.read().decode().splitlines()
    busy = [line for line in lines if line.startswith(("mergemeter_jobs_due", "mergemeter_jobs_running"))]
    return not any(float(line.rpartition(" ")[2]) for line in busy)


def claude(name: str, scale: int, model: str = "") -> Session:
    return Session("claude-code", name, scale, model)


def codex(name: str, scale: int) -> Session:
    return Session("codex", name, scale)


def play(say: Say, after: Callable[[Play], None]) -> None:
    """Play the story in a folder that is removed afterwards, then hand the stage to `after`."""
    with tempfile.TemporaryDirectory(prefix="mergemeter-demo-") as name, Sandbox() as gh:
        folder = Path(name)
        say("GitHub on loopback: an organisation with three repositories where agents work")
        app = gh.register_app(slug="mergemeter")
        _repositories(gh)
        say("App: migrating SQLite and starting")
        with Server(folder, gh.url, gh.oidc_issuer, app) as server:
            gh.set_hook_url(f"{server.url}/webhooks/github")
            gh.install(ORGANISATION)
            stage = Play(gh, server, folder, say)
            _act(stage)
            after(stage)


def _repositories(gh: Sandbox) -> None:
    gh.create_account(ORGANISATION)
    for repository in (WIDGETS, GADGETS):
        gh.create_repository(repository, files=FILES)
    gh.create_repository(WEBSITE, visibility="public", files=FILES)
    gh.create_repository(f"{ORGANISATION}/.github-private", files={"mergemeter.yml": CONFIG})
    gh.create_repository(SUMMARIES)


def _act(stage: Play) -> None:
    gh, say = stage.gh, stage.say
    say("Pulls: opened in all three repositories")
    limits = gh.open_pull(WIDGETS, "claude/rate-limits", title="Limit requests per client", files={"limits.py": "1\n"})
    parser = gh.open_pull(WIDGETS, "faster-parser", title="A faster parser", files={"parser.py": "1\n"})
    search = gh.open_pull(GADGETS, "search", title="Search in all gadgets", files={"search.py": "1\n"})
    colours = gh.open_pull(GADGETS, "colours", title="Gadgets have colours", files={"colours.py": "1\n"})
    footer = gh.open_pull(WEBSITE, "footer", title="A footer for every page", files={"footer.html": "1\n"})

    say("Agents: the real Action records nine jobs of Claude Code and Codex")
    gh.comment(GADGETS, colours, "ada", "@claude make them readable")
    jobs = [
        Job(WIDGETS, "author", "author", (claude("a1", 40), claude("a2", 25)), limits),
        Job(WIDGETS, "review", "review", (codex("r1", 12),), limits),
        Job(WIDGETS, "author", "author", (claude("a3", 30),), parser),
        Job(GADGETS, "author", "author", (claude("a4", 35, "claude-opus-4-5-20251101"),), search),
        Job(GADGETS, "answer", "author", (claude("a5", 20),), colours, "issue_comment", "apps"),
        Job(GADGETS, "nightly", "triage", (claude("a6", 15, "claude-haiku-4-5-20251001"),), None, "schedule", ""),
        Job(WEBSITE, "author", "author", (claude("a7", 8),), footer),
    ]
    stage.run(jobs)
    say("Pushes: one pull gets another commit, and its check follows")
    gh.push_to_pull(WIDGETS, limits, {"limits.py": "2\n"}, message="Tell clients when to come back")
    stage.run([
        Job(WIDGETS, "author", "author", (claude("a8", 20), codex("r2", 8)), limits),
        Job(WIDGETS, "review", "review", (codex("r3", 9),), limits),
    ])  # fmt: skip

    say("Merges: three pulls merge, one of them is reverted, one is closed without a merge")
    for repository, number, method in (
        (WIDGETS, limits, "squash"),
        (WIDGETS, parser, "merge"),
        (WEBSITE, footer, "rebase"),
    ):
        gh.merge(repository, number, method)
    gh.close(GADGETS, search)
    gh.merge(WIDGETS, gh.revert(WIDGETS, parser), "squash")
    stage.wait("the comment", lambda: gh.comments(WIDGETS, limits))
    stage.wait("the comment", lambda: gh.comments(WEBSITE, footer))
    stage.wait("the check", lambda: gh.checks(WIDGETS, limits))
    stage.wait("the check of the answering agent", lambda: gh.checks(GADGETS, colours))

    gh.drain()
    stage.wait("the end of the App's work", lambda: is_idle(stage.server.url))  # no comment tells of a revert

    month = f"{datetime.now(UTC):%Y-%m}"
    say(f"Month: python -m app summary {month}")
    stage.server.command("summary", month)
    stage.wait("the summary", lambda: gh.issues(SUMMARIES))


def show(stage: Play) -> str:
    """The merged pull's comment and check, and the month's summary, as Markdown."""
    gh = stage.gh
    comment = gh.comments(WIDGETS, 1)[0]["body"]
    check = gh.checks(WIDGETS, 1)[-1]
    issue = gh.issues(SUMMARIES)[0]
    parts = [
        _heading(f"The comment on {WIDGETS}#1"), comment,
        _heading(f"The check on {WIDGETS}#1: {check['output']['title']} ({check['conclusion']})"),
        check["output"]["summary"], *map(_annotation, check["annotations"]),
        _heading(f"The issue in {SUMMARIES}: {issue['title']}"), issue["body"],
    ]  # fmt: skip
    return "\n\n".join(parts)


def _heading(text: str) -> str:
    return f"{'=' * 100}\n{text}\n{'=' * 100}"


def _annotation(annotation: Mapping[str, Any]) -> str:
    return f"{annotation['path']}:{annotation['start_line']}: {annotation['message']}"

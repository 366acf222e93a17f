"""Every client in every scenario, as jobs under act against one App, and what came of each."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.clients import agents
from tests.clients.agents import Client
from tests.clients.job import Played, Step, play
from tests.clients.stand_in import StandIn
from tests.clients.verdict import Verdict, booked, judge, leaks
from tests.e2e.stage import Organisation, Stage, staged


@dataclass(frozen=True)
class Case:
    """One row of the table. `jobs`: the steps of each job, one job after the other in the same home."""

    client: Client
    name: str
    jobs: Sequence[Sequence[Step]]
    child: str = "general-purpose"
    settings: str = ""

    @property
    def title(self) -> str:
        return f"{self.client.name}/{self.name}"


@dataclass(frozen=True)
class Row:
    """What came of a case, or of one of its jobs."""

    title: str
    responses: int
    errors: Sequence[int]
    verdict: Verdict
    seconds: float
    output: str


def cases() -> Iterator[Case]:
    """All that is played."""
    for client, child in (
        (agents.claude(), "checker"), (agents.codex(), ""), (agents.gemini(), "generalist"),
        (agents.qwen(), "general-purpose"), (agents.copilot(), "general-purpose"), (agents.opencode(), "general"),
        (agents.pi(), ""), (agents.cline(), ""),
    ):  # fmt: skip
        yield from _of(client, child)


def _of(client: Client, child: str) -> Iterator[Case]:
    yield Case(client, "plain", [[Step("basic")]])
    if client.sub_agent:
        yield Case(client, "sub-agent", [[Step("sub")]], child)
    if client.again:
        yield Case(client, "resumed in the job", [[Step("basic"), Step("short", again=True)]])
        yield Case(client, "resumed in a later job", [[Step("basic")], [Step("short", again=True)]])
    yield Case(client, "killed in flight", [[Step("kill", killed=True)]])
    if client.limited:
        yield Case(client, "limit reached", [[Step("endless", more=client.limited)]])
    if client.limited_by is not None:
        yield Case(client.limited_by, "limit reached", [[Step("endless")]])
    yield Case(client, "errors and retries", [[Step("retry")]])
    yield Case(client, "refused", [[Step("refused")]])


def run(chosen: Sequence[Case], programs: Path, say: Callable[[Row], None]) -> list[str]:
    """Play the cases on a stage of their own; gives what is wrong."""
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mm-clients-") as name, staged(Path(name)) as stage:
        organisations: dict[str, Organisation] = {}
        for number, case in enumerate(chosen):
            if case.client.name not in organisations:
                organisations[case.client.name] = stage.organisation(case.client.name)
            folder = Path(name) / f"case-{number}"
            for row in _play(case, organisations[case.client.name], programs, folder):
                say(row)
                wrong += [f"{row.title}: {row.verdict.note}"] if row.verdict.wrong else []
        wrong += [f"a word of a runner is in the database: {found}" for found in leaks(stage)]
    return wrong


def _play(case: Case, org: Organisation, programs: Path, folder: Path) -> Iterator[Row]:
    folder.mkdir()
    with StandIn(case.child, folder / "in-flight") as api:
        for number, steps in enumerate(case.jobs):
            before, failed, began = len(api.served), len(api.failed), time.monotonic()
            title = case.title + (f" (job {number + 1})" if len(case.jobs) > 1 else "")
            played = _job(org, case, steps, api, programs, folder, number)
            org.settle()
            served = api.served[before:]
            verdict = judge(served, *booked(org, played.run_id))
            yield Row(title, len(served), api.failed[failed:], verdict, time.monotonic() - began, played.output)


def _job(
    org: Organisation, case: Case, steps: Sequence[Step], api: StandIn, programs: Path, folder: Path, number: int
) -> Played:
    """One job in a folder of its own, in the home of the job before."""
    here = folder / f"{folder.name}-job-{number}"
    here.mkdir()
    (folder / "home").mkdir(exist_ok=True)
    (here / "home").symlink_to(folder / "home", target_is_directory=True)
    return play(org, case.client, steps, api, programs, here)

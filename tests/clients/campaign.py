"""Every client in every scenario, as jobs under act against one App, and what came of each."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.clients import agents
from tests.clients.agents import Client
from tests.clients.installed import Programs
from tests.clients.job import Step, Surroundings, play
from tests.clients.receiver import came, told_to
from tests.clients.stand_in import StandIn
from tests.clients.truth import Served
from tests.clients.verdict import Verdict, booked, judge, leaks
from tests.e2e.stage import Organisation, Stage, staged

ENDLESS = 10  # a client that was to stop early and made more calls than this did not


@dataclass(frozen=True)
class Case:
    """Some rows of the table. `jobs`: the steps of each job, one job after the other in the same home.

    `encoding`: its telemetry goes to the App, in this form; then all that the account has is looked at, in which
    nothing else was. `action`: whether the jobs have the Action as their first step.
    """

    client: Client
    name: str
    jobs: Sequence[Sequence[Step]]
    encoding: str = ""
    action: bool = True

    @property
    def title(self) -> str:
        return f"{self.client.name}: {self.name}"


@dataclass(frozen=True)
class Row:
    """What came of a job."""

    title: str
    served: Sequence[Served]
    errors: Sequence[int]
    verdict: Verdict
    seconds: float
    output: str


def cases() -> Iterator[Case]:
    """All that is played."""
    for client in agents.everyone():
        yield from _of(client)
        if client.telemetry:
            yield from _telling(client)


def _of(client: Client) -> Iterator[Case]:
    yield Case(client, "plain", [[Step("basic")]])
    if client.child is not None:
        yield Case(client, "sub-agent", [[Step("sub")]])
    if client.again:
        yield Case(client, "resumed in the job", [[Step("basic"), Step("short", again=True)]])
        yield Case(client, "resumed in a later job", [[Step("basic")], [Step("short", again=True)]])
    yield Case(client, "killed in flight", [[Step("kill", signal="KILL")]])
    yield Case(client, "terminated in flight", [[Step("kill", signal="TERM")]])
    for limit, more in client.limits.items():
        yield Case(client, f"limit of {limit} reached", [[Step("endless", more=more)]])
    if client.limited:
        yield Case(client.limited, "limit of turns reached", [[Step("endless")]])
    yield Case(client, "errors and retries", [[Step("retry")]])
    yield Case(client, "refused", [[Step("refused")]])


def _telling(client: Client) -> Iterator[Case]:
    """What a client tells by telemetry: beside the Action's record, so that both come, and without it."""
    both = [Step("sub" if client.child is not None else "basic"), Step("short", again=True)]
    yield Case(client, "telemetry and record", [both], agents.JSON)
    yield Case(client, "telemetry alone", [both], agents.JSON, action=False)
    if client.name not in {"gemini-cli", "qwen-code"}:  # these send the one form alone
        yield Case(client, "telemetry alone, as protobuf", [both], agents.PROTOBUF, action=False)
    yield Case(client, "telemetry alone, killed in flight", [[Step("kill", signal="KILL")]], agents.JSON, action=False)
    yield Case(client, "telemetry and record, killed in flight", [[Step("kill", signal="KILL")]], agents.JSON)


# ---- playing -------------------------------------------------------------------------------------------------------


def run(chosen: Sequence[Case], programs: Programs, say: Callable[[Row], None]) -> list[str]:
    """Play the cases on a stage of their own; gives what is wrong."""
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mm-clients-") as name, staged(Path(name)) as stage:
        for number, case in enumerate(chosen):
            folder = Path(name) / f"case-{number}"
            folder.mkdir()
            for row in _play(case, stage, programs, folder):
                say(row)
                wrong += [f"{row.title}: {row.verdict.lacks}"] if row.verdict.wrong else []
        wrong += leaks(stage)
    return wrong


def _play(case: Case, stage: Stage, programs: Programs, folder: Path) -> Iterator[Row]:
    org = stage.organisation(folder.name)
    told = told_to(org, case.encoding, in_a_job=case.action) if case.encoding else None
    sessions: set[str] = set()
    with StandIn(case.client.child or "", folder / "in-flight") as api:
        where = programs.older if case.client.older else programs.newest
        around = Surroundings(org, case.client, api, where, told, case.action)
        for number, steps in enumerate(case.jobs):
            before, failed, began = len(api.served), len(api.failed), time.monotonic()
            played = play(around, steps, _job_folder(folder, number))
            if not case.encoding:  # the cost of telemetry follows within a minute, which nothing here waits for
                org.settle()
            served, errors = api.served[before:], api.failed[failed:]
            found = booked(org, None if case.encoding else played.run_id)
            sessions |= set(found.sessions)
            happened = Happened(served, errors, len(sessions), found.children, case)
            verdict = _checked(judge(served, found), case, org, steps, happened)
            title = case.title + (f", job {number + 1}" if len(case.jobs) > 1 else "")
            yield Row(title, served, errors, verdict, time.monotonic() - began, played.output)


def _job_folder(folder: Path, number: int) -> Path:
    """A folder for one job, with the home of the jobs before."""
    here = folder / f"{folder.name}-{number}"
    here.mkdir()
    (folder / "home").mkdir(exist_ok=True)
    (here / "home").symlink_to(folder / "home", target_is_directory=True)
    return here


# ---- did it happen? ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Happened:
    """What a job's steps did: the API's answers and errors, the sessions of all jobs so far, sub-agents' calls."""

    served: Sequence[Served]
    errors: Sequence[int]
    sessions: int
    children: int
    case: Case


def _checked(verdict: Verdict, case: Case, org: Organisation, steps: Sequence[Step], happened: Happened) -> Verdict:
    """The verdict, but WRONG where what the case is about did not happen: an exact record of nothing proves nothing."""
    problems = [problem for step in steps if (problem := _not_played(step, happened))]
    if case.encoding and not came(org):
        if any(step.signal for step in steps):
            # Nobody can mark what nobody heard of. Beside a record that is nothing to tell.
            return (
                verdict if case.action else replace(verdict, outcome="unknown", lacks="killed before it told anything")
            )
        problems.append("no telemetry came")
    return replace(verdict, outcome="WRONG", lacks=", ".join(problems)) if problems else verdict


def _not_played(step: Step, happened: Happened) -> str:
    served = happened.served
    children = sum(one.kind == "child" for one in served)
    # Telemetry alone tells Codex's sub-agents as sessions of their own.
    if happened.case.action and happened.sessions != 1:
        return f"it is told as {happened.sessions} sessions"
    if happened.case.action and happened.children != children:
        return f"{happened.children} of {children} calls of a sub-agent are marked so"
    if step.scenario == "sub" and not children:
        return "it started no sub-agent"
    if step.signal and all(one.whole for one in served):
        return "nothing was in flight"
    if step.scenario in {"retry", "refused"} and not happened.errors:
        return "the API did not fail"
    if step.scenario == "endless" and not 1 < len(served) < ENDLESS:
        return f"it did not stop at its limit: {len(served)} responses"
    return ""

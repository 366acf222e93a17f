"""The three things that the Action does: begin (main), finish (post), look (collect). All branching is here."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import record
import summary
from collect import AGENTS, VARIABLES, collect, find
from collect.calls import AgentRun
from collect.files import Budget, tail_digest
from collect.places import Surroundings
from collect.window import UNTOUCHED_US, Window
from runner import commits, event, inputs, memory
from runner.commands import append, put, say

OPENING_S = 2.5
SNAPSHOT_S = 1.0
SNAPSHOT_FILES = 5000
SENDING_S = 10.0
COLLECTING_S = 20.0
HOMES = ("HOME", "USERPROFILE")
MACHINES_TEMPORARY = "/tmp"  # noqa: S108 - fixed by agents that keep their logs there
KEPT_FOR_SENDING = {"https_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"}
FORK = (
    "GitHub gives workflows of pulls from forks no OIDC token, so this job's agents are not recorded. "
    "That is as it should be; do not use pull_request_target to change it."
)
NO_PERMISSION = (
    "This job's agents are not recorded, because the job has no OIDC token. "
    "Add to the job, or to the workflow: permissions: id-token: write"
)


class Outcome(NamedTuple):
    """What became of the closing record."""

    answer: dict[str, Any] | None
    problem: str


def begin(environ: Mapping[str, str]) -> int:
    """Check the inputs, tag the job, remember how it stood and tell the server that it began."""
    started_us = time.time_ns() // 1000
    strict = False
    try:
        strict = inputs.strict(environ)
        _remember_interpreter(environ, strict)
        return _begin(environ, inputs.read(environ, AGENTS), started_us)
    except inputs.Wrong as mistake:
        return _fail(strict, f"This job's agents are not recorded: {mistake}.")
    except Exception as problem:  # noqa: BLE001 - a meter must not break the job
        return _fail(strict, f"This job's agents are not recorded: an unexpected {type(problem).__name__}.")


def _remember_interpreter(environ: Mapping[str, str], strict: bool) -> None:
    state = environ.get("GITHUB_STATE", "")
    put(state, "python", os.path.realpath(sys.executable))
    put(state, "strict", str(strict).lower())


def _begin(environ: Mapping[str, str], given: dict[str, Any], started_us: int) -> int:
    from runner import telemetry  # noqa: PLC0415 - only this phase needs it

    pull = event.pull_number(environ)
    put(environ.get("GITHUB_ENV", ""), telemetry.VARIABLE, telemetry.attributes(environ, given, pull))
    remembered = memory.Memory(
        inputs=given,
        job=record.job_of(environ, given["matrix"], started_us, pull),
        started_us=started_us,
        lacking=_lacks_token(environ) if given["server_url"] else "",
        places={name: environ[name] for name in (*HOMES, *VARIABLES) if name in environ},
        sending={name: value for name, value in environ.items() if name.lower() in KEPT_FOR_SENDING},
        token_url=environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", ""),
        standalone={} if given["server_url"] else _needed_later(environ, given),
    )
    memory.keep(environ, remembered, _snapshot(environ, remembered))
    if remembered.lacking:
        return _fail(given["strict"], remembered.lacking)
    if given["server_url"]:
        _open(environ, remembered)
    return 0


def _needed_later(environ: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    from standalone import start  # noqa: PLC0415 - only without a server

    return start.remembered(environ, given["show_money"])


def _lacks_token(environ: Mapping[str, str]) -> str:
    if environ.get("ACTIONS_ID_TOKEN_REQUEST_URL") and environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        return ""
    return FORK if event.is_fork(environ) else NO_PERMISSION


def _snapshot(environ: Mapping[str, str], values: memory.Memory) -> dict[str, object]:
    """The logs that are there already (a restored cache, a machine of one's own), and the branch tips."""
    found = find(_surroundings(values, environ), list(AGENTS), Budget(SNAPSHOT_S), [])
    recent = [file for _, file in found if file.changed_us >= values.started_us - UNTOUCHED_US]
    recent.sort(key=lambda file: file.changed_us, reverse=True)
    until = time.monotonic() + SNAPSHOT_S
    known = {f.path: [f.size, tail_digest(f.path, f.size)] for f in recent[:SNAPSHOT_FILES] if time.monotonic() < until}
    return {"known": known, "tips": sorted(set(commits.tips(environ.get("GITHUB_WORKSPACE", "")).values()))}


def _surroundings(values: memory.Memory, environ: Mapping[str, str]) -> Surroundings:
    """Places as they were when the job began, and as they are named now: an agent's action may set its own."""

    def every(*names: str) -> list[str]:
        given = (source.get(name, "") for source in (values.places, environ) for name in names)
        return list(dict.fromkeys(path for path in given if os.path.isabs(path)))

    variables = {name: every(name) for name in VARIABLES}
    temporary, workspace = environ.get("RUNNER_TEMP", ""), environ.get("GITHUB_WORKSPACE", "")
    return Surroundings(every(*HOMES), variables, temporary, workspace, MACHINES_TEMPORARY)


def _open(environ: Mapping[str, str], values: memory.Memory) -> None:
    """Best effort: when this fails, the closing record still tells everything."""
    import send  # noqa: PLC0415 - loads TLS

    body = record.opened(values.job, values.inputs)
    try:
        send.within(OPENING_S, lambda deadline: send.deliver(environ, values.inputs, body, deadline), patient=False)
    except send.Unsent:
        return


def finish(environ: Mapping[str, str]) -> int:
    """Collect what the agents wrote since the start, send it, and show it."""
    values = memory.recall(environ)
    if values is None:
        return 0  # `main` said why
    try:
        return _finish(environ, values)
    except Exception as problem:  # noqa: BLE001 - a meter must not break the job
        return _fail(
            values.inputs["strict"], f"This job's agents were not recorded: an unexpected {type(problem).__name__}."
        )


def _finish(environ: Mapping[str, str], values: memory.Memory) -> int:
    before = memory.recall_start(values)
    ended_us = time.time_ns() // 1000
    window = Window(values.started_us, ended_us, _known(before))
    runs, notices = collect(_surroundings(values, environ), window, values.inputs["agents"], COLLECTING_S)
    if before is None:
        notices.append("the notes from the job's start are gone; only times tell what is new")
    made = commits.made(environ.get("GITHUB_WORKSPACE", ""), _tips(before), values.started_us // 1_000_000)
    body = record.closed(values.job, values.inputs, runs, notices, made, ended_us)
    outcome = _comment(environ, values, runs, body) if values.standalone else _record(environ, values, body)
    _show(environ, runs, outcome, notices)
    if outcome.problem and outcome.problem != values.lacking:  # `main` told what was lacking
        return _fail(values.inputs["strict"], outcome.problem)
    if notices:
        say("notice", "; ".join(notices) + ".")
    return 0


def _known(start: Mapping[str, object] | None) -> dict[str, tuple[int, str]]:
    known = start.get("known") if start else None
    return {path: (entry[0], entry[1]) for path, entry in known.items()} if isinstance(known, dict) else {}


def _tips(start: Mapping[str, object] | None) -> set[str]:
    tips = start.get("tips") if start else None
    return set(map(str, tips)) if isinstance(tips, list) else set()


def _comment(environ: Mapping[str, str], values: memory.Memory, runs: Sequence[AgentRun], body: bytes) -> Outcome:
    """Without a server: the job's own comment. Nothing is installed where no agent ran."""
    if not runs:
        return Outcome(None, "")
    from standalone import start  # noqa: PLC0415 - only without a server

    return Outcome(*start.report({**environ, **values.sending}, values.standalone, values.job, body))


def _record(environ: Mapping[str, str], values: memory.Memory, body: bytes) -> Outcome:
    if values.lacking:
        return Outcome(None, values.lacking)
    import send  # noqa: PLC0415 - loads TLS

    os.environ.update(values.sending)  # OpenSSL reads SSL_CERT_* from here
    trusted = {**environ, **values.sending, "ACTIONS_ID_TOKEN_REQUEST_URL": values.token_url}
    try:
        work = lambda deadline: send.deliver(trusted, values.inputs, body, deadline)  # noqa: E731
        return Outcome(send.within(SENDING_S, work), "")
    except send.Unsent as problem:
        return Outcome(None, f"This job's agents were not recorded: {problem}.")


def _show(environ: Mapping[str, str], runs: Sequence[AgentRun], outcome: Outcome, notices: list[str]) -> None:
    answer = outcome.answer
    append(environ.get("GITHUB_STEP_SUMMARY", ""), summary.markdown(runs, answer, outcome.problem, notices))
    for name, value in _outputs(runs, answer or {}).items():
        put(environ.get("GITHUB_OUTPUT", ""), name, value[:256])


def _outputs(runs: Sequence[AgentRun], answer: Mapping[str, object]) -> dict[str, str]:
    sums = summary.totals(runs)
    return {
        "status": str(answer.get("status", "recorded")) if answer else "not-sent",
        "record-id": str(answer.get("record_id", "")),
        "cost-usd": summary.usd(answer.get("cost_nano_usd")) if answer.get("show_money") is True else "",
        "agent-runs": str(sums["agent_runs"]),
        "model-calls": str(sums["model_calls"]),
        "input-tokens": str(sums["input"]),
        "output-tokens": str(sums["output"]),
    }


def _fail(strict: bool, sentence: str) -> int:
    """One sentence, and a failed step only for who asked for it."""
    say("error" if strict else "notice", sentence)
    return 1 if strict else 0


def look(arguments: list[str]) -> int:
    """`collect --home DIR`: print the record of a home folder as JSON and send nothing."""
    import argparse  # noqa: PLC0415 - only for people

    parser = argparse.ArgumentParser(prog="main.py", description="Mergemeter's Action. Only `collect` is for people.")
    commands = parser.add_subparsers(dest="command", required=True)
    looking = commands.add_parser("collect", help="print what would be recorded of a home folder, and send nothing")
    looking.add_argument("--home", default=os.path.expanduser("~"), help="the home folder (default: yours)")
    looking.add_argument("--temp", default="", help="the runner's temporary folder, for the file of claude-code-action")
    looking.add_argument(
        "--workspace", default="", help="the folder that the agent worked in, for agents that log there"
    )
    chosen = parser.parse_args(arguments)
    if not os.path.isdir(chosen.home):
        parser.error(f"{chosen.home} is not a folder")
    now_us = time.time_ns() // 1000
    where = Surroundings([os.path.abspath(chosen.home)], {}, chosen.temp, chosen.workspace)
    runs, notices = collect(where, Window(), None, 600)
    given = {"purpose": "other", "team": "", "tags": {}}
    body = record.closed(record.job_of(os.environ, "", now_us, None), given, runs, notices, [], now_us)
    sys.stdout.write(_for_people(json.loads(body)).replace("##[", "#\\u0023[") + "\n")
    for notice in notices:
        sys.stderr.write(f"notice: {notice}\n")
    return 0


def _for_people(value: object, indent: str = "") -> str:
    """JSON over several lines, where what holds nothing deeper has one."""
    deeper = indent + "  "
    if isinstance(value, dict) and any(isinstance(each, (dict, list)) for each in value.values()):
        parts = [f"{json.dumps(name)}: {_for_people(each, deeper)}" for name, each in value.items()]
        return "{\n" + ",\n".join(deeper + part for part in parts) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(deeper + _for_people(each, deeper) for each in value) + f"\n{indent}]"
    return json.dumps(value)

"""The three things that the Action does: begin (main), finish (post), look (collect). All branching is here."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import record
import summary
from collect import AGENTS, Surroundings, collect, find
from collect.calls import AgentRun
from collect.files import Budget, tail_digest
from collect.window import UNTOUCHED_US, Window
from runner import commits, event, inputs, memory
from runner.commands import append, put, say

OPENING_S = 2.5
SNAPSHOT_S = 1.0
SNAPSHOT_FILES = 5000
SENDING_S = 10.0
COLLECTING_S = 20.0
KEPT_FOR_SENDING = {"https_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"}
FORK = (
    "GitHub gives workflows of pulls from forks no OIDC token, so this job's agents are not recorded. "
    "That is as it should be; do not use pull_request_target to change it."
)
NO_PERMISSION = (
    "this job's agents are not recorded, because the job has no OIDC token. "
    "Add to the job (or the workflow): permissions: id-token: write"
)


class Outcome(NamedTuple):
    """What became of the closing record."""

    answer: dict[str, object] | None
    problem: str


def begin(environ: Mapping[str, str]) -> int:
    """Check the inputs, tag the job, remember how it stood and tell the server that it began."""
    started_us = time.time_ns() // 1000
    strict = False
    try:
        strict = inputs.strict(environ)
        given = inputs.read(environ, AGENTS)
    except inputs.Wrong as mistake:
        _remember_interpreter(environ, strict)
        return _fail(strict, f"this job's agents are not recorded: {mistake}.")
    _remember_interpreter(environ, strict)
    try:
        return _begin(environ, given, started_us)
    except Exception as problem:  # noqa: BLE001 - a meter must not break the job
        return _fail(strict, f"this job's agents are not recorded: an unexpected {type(problem).__name__}.")


def _begin(environ: Mapping[str, str], given: dict[str, object], started_us: int) -> int:
    from runner import telemetry  # noqa: PLC0415 - only this phase needs it

    pull = event.pull_number(environ)
    tagged = telemetry.attributes(environ, given, pull)
    put(environ.get("GITHUB_ENV", ""), "OTEL_RESOURCE_ATTRIBUTES", tagged)
    job = record.job_of(environ, str(given["matrix"]), started_us, pull)
    lacking = _lacks_token(environ)
    values: dict[str, object] = {
        "inputs": given,
        "job": job,
        "started_us": started_us,
        "lacking": lacking,
        "places": {
            name: environ[name]
            for name in ("HOME", "USERPROFILE", "CLAUDE_CONFIG_DIR", "CODEX_HOME")
            if name in environ
        },
        "sending": {name: value for name, value in environ.items() if name.lower() in KEPT_FOR_SENDING},
        "token_url": environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", ""),
    }
    memory.keep(environ, values, _snapshot(environ, values))
    if lacking:
        return _fail(bool(given["strict"]), lacking)
    _open(environ, given, job)
    return 0


def _remember_interpreter(environ: Mapping[str, str], strict: bool) -> None:
    state = environ.get("GITHUB_STATE", "")
    put(state, "python", os.path.realpath(sys.executable))
    put(state, "strict", str(strict).lower())


def _lacks_token(environ: Mapping[str, str]) -> str:
    if environ.get("ACTIONS_ID_TOKEN_REQUEST_URL") and environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        return ""
    return FORK if event.is_fork(environ) else NO_PERMISSION


def _snapshot(environ: Mapping[str, str], values: dict[str, object]) -> dict[str, object]:
    """The logs that are there already (a restored cache, a machine of one's own), and the branch tips."""
    started_us = values["started_us"]
    assert isinstance(started_us, int)
    found = find(_surroundings(values, environ), list(AGENTS), Budget(SNAPSHOT_S), [])
    recent = [file for _, file in found if file.changed_us >= started_us - UNTOUCHED_US]
    recent.sort(key=lambda file: file.changed_us, reverse=True)
    until = time.monotonic() + SNAPSHOT_S
    known = {f.path: [f.size, tail_digest(f.path, f.size)] for f in recent[:SNAPSHOT_FILES] if time.monotonic() < until}
    return {"known": known, "tips": sorted(set(commits.tips(environ.get("GITHUB_WORKSPACE", "")).values()))}


def _surroundings(values: Mapping[str, object], environ: Mapping[str, str]) -> Surroundings:
    """Places as they were when the job began, and as they are named now: an agent's action may set its own."""
    remembered = values.get("places")
    sources = [remembered if isinstance(remembered, dict) else {}, environ]

    def every(*names: str) -> list[str]:
        return list(dict.fromkeys(s[name] for s in sources for name in names if s.get(name) and os.path.isabs(s[name])))

    return Surroundings(
        every("HOME", "USERPROFILE"), every("CLAUDE_CONFIG_DIR"), every("CODEX_HOME"), environ.get("RUNNER_TEMP", "")
    )


def _open(environ: Mapping[str, str], given: Mapping[str, object], job: Mapping[str, object]) -> None:
    """Best effort: when this fails, the closing record still tells everything."""
    import send  # noqa: PLC0415 - loads TLS

    body = record.opened(job, given)
    try:
        send.within(OPENING_S, lambda deadline: _send(environ, given, body, deadline))
    except (send.Unsent, OSError):
        return


def _send(environ: Mapping[str, str], given: Mapping[str, object], body: bytes, deadline: object) -> dict[str, object]:
    import send  # noqa: PLC0415 - loads TLS

    assert isinstance(deadline, send.Deadline)
    bearer = send.token(environ, str(given["audience"]), deadline)
    return send.record(environ, str(given["server_url"]), bearer, body, deadline)


def finish(environ: Mapping[str, str]) -> int:
    """Collect what the agents wrote since the start, send it, and show it."""
    values = memory.recall(environ)
    if values is None:
        return 0  # `main` said why
    given = values["inputs"]
    assert isinstance(given, dict)
    try:
        return _finish(environ, values, given)
    except Exception as problem:  # noqa: BLE001 - a meter must not break the job
        return _fail(
            bool(given["strict"]), f"this job's agents were not recorded: an unexpected {type(problem).__name__}."
        )


def _finish(environ: Mapping[str, str], values: dict[str, object], given: dict[str, Any]) -> int:
    started_us = values["started_us"]
    assert isinstance(started_us, int)
    start = memory.recall_start(values)
    ended_us = time.time_ns() // 1000
    window = Window(started_us, ended_us, _known(start))
    runs, notices = collect(_surroundings(values, environ), window, given["agents"], COLLECTING_S)
    if start is None:
        notices.append("the notes from the job's start are gone; only times tell what is new")
    made = commits.made(environ.get("GITHUB_WORKSPACE", ""), _tips(start), started_us // 1_000_000)
    job = values["job"]
    assert isinstance(job, dict)
    outcome = _record(environ, values, given, record.closed(job, given, runs, notices, made, ended_us))
    _show(environ, runs, outcome, notices)
    return _conclude(values, given, outcome, notices)


def _tips(start: Mapping[str, object] | None) -> set[str]:
    tips = start.get("tips") if start else None
    return set(map(str, tips)) if isinstance(tips, list) else set()


def _known(start: Mapping[str, object] | None) -> dict[str, tuple[int, str]]:
    known = start.get("known") if start else None
    return {path: (entry[0], entry[1]) for path, entry in known.items()} if isinstance(known, dict) else {}


def _record(
    environ: Mapping[str, str], values: Mapping[str, object], given: Mapping[str, object], body: bytes
) -> Outcome:
    lacking = str(values.get("lacking") or "")
    if lacking:
        return Outcome(None, lacking)
    import send  # noqa: PLC0415 - loads TLS

    sending = values.get("sending")
    os.environ.update(sending if isinstance(sending, dict) else {})  # OpenSSL reads SSL_CERT_* from here
    trusted = {**environ, **os.environ, "ACTIONS_ID_TOKEN_REQUEST_URL": str(values["token_url"])}
    try:
        return Outcome(send.within(SENDING_S, lambda deadline: _send(trusted, given, body, deadline)), "")
    except send.Unsent as problem:
        return Outcome(None, f"this job's agents were not recorded: {problem}.")


def _show(environ: Mapping[str, str], runs: list[AgentRun], outcome: Outcome, notices: list[str]) -> None:
    answer = outcome.answer
    page = summary.markdown(runs, answer, outcome.problem, notices)
    append(environ.get("GITHUB_STEP_SUMMARY", ""), page)
    sums = summary.totals(runs)
    shown = answer is not None and answer.get("show_money") is True
    values = {
        "status": str(answer.get("status", "recorded")) if answer else "not-sent",
        "record-id": str(answer.get("record_id", "")) if answer else "",
        "cost-usd": summary.usd(answer.get("cost_nano_usd")) if answer and shown else "",
        "agent-runs": str(sums["agent_runs"]),
        "model-calls": str(sums["model_calls"]),
        "input-tokens": str(sums["input"]),
        "output-tokens": str(sums["output"]),
    }
    for name, value in values.items():
        put(environ.get("GITHUB_OUTPUT", ""), name, value[:256])


def _conclude(values: Mapping[str, object], given: Mapping[str, object], outcome: Outcome, notices: list[str]) -> int:
    if outcome.problem and outcome.problem != values.get("lacking"):  # `main` told what was lacking
        return _fail(bool(given["strict"]), outcome.problem)
    if notices:
        say("notice", "; ".join(notices) + ".")
    return 0


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
    chosen = parser.parse_args(arguments)
    if not os.path.isdir(chosen.home):
        parser.error(f"{chosen.home} is not a folder")
    now_us = time.time_ns() // 1000
    runs, notices = collect(Surroundings([os.path.abspath(chosen.home)], [], [], chosen.temp), Window(), None, 600)
    given: dict[str, object] = {"purpose": "other", "team": "", "tags": {}}
    body = record.closed(record.job_of(os.environ, "", now_us, None), given, runs, notices, [], now_us)
    sys.stdout.write(json.dumps(json.loads(body), indent=2).replace("##[", "#\\u0023[") + "\n")
    for notice in notices:
        sys.stderr.write(f"notice: {notice}\n")
    return 0

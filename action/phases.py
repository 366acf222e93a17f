"""What the Action does in a job: begin (main), finish (post). `begin` asks relay.py for its other modes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import record
import started
import summary
from collect import AGENTS
from collect.calls import AgentRun
from runner import inputs, memory
from runner.commands import append, fail, put, say
from runner.token import lacking

OPENING_S = 2.5
SENDING_S = 10.0
KEPT_FOR_SENDING = {"https_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"}


class Outcome(NamedTuple):
    """What became of the closing record."""

    answer: dict[str, Any] | None
    problem: str


def begin(environ: Mapping[str, str]) -> int:
    """Check the inputs and do what the mode asks for at this place in the job."""
    started_us = time.time_ns() // 1000
    strict = False
    try:
        strict = inputs.strict(environ)
        return _begin(environ, inputs.mode(environ), strict, started_us)
    except inputs.Wrong as mistake:
        return fail(strict, f"This job's agents are not recorded: {mistake}.")
    except Exception as problem:  # noqa: BLE001 - a meter must not break the job
        return fail(strict, f"This job's agents are not recorded: an unexpected {type(problem).__name__}.")


def _begin(environ: Mapping[str, str], mode: str, strict: bool, started_us: int) -> int:
    import relay  # noqa: PLC0415 - only this phase needs it

    if mode == "collect":
        return relay.collect(environ, strict)
    if mode == "send":
        import forward  # noqa: PLC0415 - loads TLS

        return forward.send(environ, inputs.read_sending(environ))
    given = inputs.read(environ, AGENTS)
    values = started.remembered(environ, given, started_us)
    _tag(environ, values)
    if mode == "watch":
        return relay.watch(environ, values)
    return _record_at_the_end(environ, values)


def _tag(environ: Mapping[str, str], values: memory.Memory) -> None:
    from runner import telemetry  # noqa: PLC0415 - only this phase needs it

    pull = values.job.get("pull_number")
    put(environ.get("GITHUB_ENV", ""), telemetry.VARIABLE, telemetry.attributes(environ, values.inputs, pull))


def _record_at_the_end(environ: Mapping[str, str], values: memory.Memory) -> int:
    """Remember how the job stood, for `post`, and tell the server, where there is one, that it began."""
    state = environ.get("GITHUB_STATE", "")
    put(state, "python", os.path.realpath(sys.executable))
    put(state, "strict", str(values.inputs["strict"]).lower())
    given = values.inputs
    remembered = values._replace(
        lacking=lacking(environ) if given["server_url"] else "",
        sending={name: value for name, value in environ.items() if name.lower() in KEPT_FOR_SENDING},
        token_url=environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", ""),
        standalone={} if given["server_url"] else _needed_later(environ, given),
    )
    memory.keep(environ, remembered, started.snapshot(remembered, environ))
    if remembered.lacking:
        return fail(given["strict"], remembered.lacking)
    if given["server_url"]:
        _open(environ, remembered)
    return 0


def _needed_later(environ: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    from standalone import start  # noqa: PLC0415 - only without a server

    return start.remembered(environ, given["show_money"])


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
        return fail(
            values.inputs["strict"], f"This job's agents were not recorded: an unexpected {type(problem).__name__}."
        )


def _finish(environ: Mapping[str, str], values: memory.Memory) -> int:
    found = started.since(environ, values)
    runs, notices = found.runs, found.notices
    body = record.closed(values.job, values.inputs, runs, notices, found.commits, found.ended_us)
    outcome = _comment(environ, values, runs, body) if values.standalone else _record(environ, values, body)
    _show(environ, runs, outcome, notices)
    if outcome.problem and outcome.problem != values.lacking:  # `main` told what was lacking
        return fail(values.inputs["strict"], outcome.problem)
    if notices:
        say("notice", "; ".join(notices) + ".")
    return 0


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
    for name, value in summary.outputs(runs, answer).items():
        put(environ.get("GITHUB_OUTPUT", ""), name, value[:256])

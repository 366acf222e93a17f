"""The agents' half of recording in two jobs, so that no agent's job can ask for a token: watch first, collect last.

Refuses to send anything: forward.py does, in a job without agents. What agents do after `collect` is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping

import record
import records
import started
import summary
from runner import memory
from runner.commands import append, fail, put, say
from runner.token import lacking

MAY_ASK = (
    "This job can ask for OIDC tokens (id-token: write), and so can any agent in it. "
    "Take the permission from this job; the job that sends the record needs it."
)
NO_START = (
    "the input start must be what the step with mode: watch gave, as in start: ${{ steps.mergemeter.outputs.start }}"
)


def watch(environ: Mapping[str, str], values: memory.Memory) -> int:
    """Note how the job stands, for the step that collects."""
    values = values._replace(job={**values.job, **record.run_of(environ)})
    memory.hand_on(environ, values, started.snapshot(values, environ))
    put(environ.get("GITHUB_OUTPUT", ""), "records", records.folder(environ))
    if not lacking(environ):
        say("notice", MAY_ASK)
    return 0


def collect(environ: Mapping[str, str], strict: bool) -> int:
    """Put the record of what the agents wrote since `watch` into the folder. What they do afterwards is not seen."""
    values = memory.recall(environ, "INPUT_START")
    if values is None:
        return fail(strict, f"This job's agents are not recorded: {NO_START}.")
    found = started.since(environ, values)
    made = (found.runs, found.notices, found.commits, found.ended_us)
    body = record.closed(values.job, values.inputs, *made, relayed=True)
    records.write(records.folder(environ), values.job, body)
    said = [*found.notices, "another job sends this record"]
    append(environ.get("GITHUB_STEP_SUMMARY", ""), summary.markdown(found.runs, None, "", said))
    _output(environ, {**summary.outputs(found.runs, None), "status": "collected", "records": records.folder(environ)})
    if found.notices:
        say("notice", "; ".join(found.notices) + ".")
    return 0


def _output(environ: Mapping[str, str], values: Mapping[str, str]) -> None:
    for name, value in values.items():
        put(environ.get("GITHUB_OUTPUT", ""), name, value[:4096])

"""The other half of recording in two jobs: a job without agents sends what the agents' jobs collected.

Each record goes with a token of its own, since a token that came with one body is taken with no other. Refuses what
`collect` did not make. Who and where come from this job's tokens; the server refuses records of another run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import records
import summary
from runner.commands import append, fail, put
from runner.token import lacking
from send import Unsent, deliver, within

EACH_S = 10.0
ALL_S = 240.0
NO_RECORDS = "there is no record in the folder; did the agents' job upload one, with always() as its condition?"
NO_TIME = "there was no time left to send all records"


def send(environ: Mapping[str, str], given: Mapping[str, Any]) -> int:
    """Send every record of a folder, and show what became of them."""
    lacks = lacking(environ)
    if lacks:
        return fail(given["strict"], lacks)
    paths, problems = records.listed(given["records"])
    sent = [*_each(environ, given, paths, problems)]
    if not paths and not problems:
        problems.append(NO_RECORDS)
    told = [_counted(problem, problems.count(problem)) for problem in dict.fromkeys(problems)]
    append(environ.get("GITHUB_STEP_SUMMARY", ""), summary.relayed(sent, told))
    status = "recorded" if sent and not problems else "not-sent"
    for name, value in {**summary.answered([answer for _, answer in sent]), "status": status}.items():
        put(environ.get("GITHUB_OUTPUT", ""), name, value)
    if told:
        return fail(given["strict"], f"Not every record was sent: {'; '.join(told)}."[:2000])
    return 0


def _each(
    environ: Mapping[str, str], given: Mapping[str, Any], paths: Sequence[str], problems: list[str]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The job's name and the server's answer for each record that arrived; why others did not goes to `problems`."""
    until = time.monotonic() + ALL_S
    for path in paths:
        if time.monotonic() > until - EACH_S:
            problems.append(NO_TIME)
            return
        try:
            job, body = records.read(path)
            yield job, _delivered(environ, given, body)
        except (records.Unusable, Unsent) as problem:
            problems.append(str(problem))


def _delivered(environ: Mapping[str, str], given: Mapping[str, Any], body: bytes) -> Mapping[str, object]:
    return within(EACH_S, lambda deadline: deliver(environ, given, body, deadline))


def _counted(problem: str, times: int) -> str:
    return problem if times == 1 else f"{problem} ({times} times)"

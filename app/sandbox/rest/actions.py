"""/repos/…/actions: GitHub's own record of workflow runs and jobs."""

import re

from app.sandbox import refusals
from app.sandbox.clock import iso
from app.sandbox.refusals import Refusal
from app.sandbox.rest.door import Answer, Call, Operation
from app.sandbox.shapes import runs
from app.sandbox.state import Job, WorkflowRun

CREATED = re.compile(r"(\d{4}-\d\d-\d\d|\*)\.\.(\d{4}-\d\d-\d\d|\*)")


def _run(call: Call) -> WorkflowRun:
    run = call.hub.runs.get(call.number("run_id"))
    if run is None or run.repository_id != call.repository.repository_id:
        raise refusals.not_found()
    return run


def get_run(call: Call) -> Answer:
    run = _run(call)
    return Answer(body=runs.workflow_run(call.hub, call.repository, run, run.attempts[-1]))


def get_attempt(call: Call) -> Answer:
    run, number = _run(call), call.number("attempt_number")
    if not 1 <= number <= len(run.attempts):
        raise refusals.not_found()
    return Answer(body=runs.workflow_run(call.hub, call.repository, run, run.attempts[number - 1]))


def get_attempt_jobs(call: Call) -> Answer:
    run, number = _run(call), call.number("attempt_number")
    if not 1 <= number <= len(run.attempts):
        raise refusals.not_found()
    return _listed(call, run, [job for job in run.jobs.values() if job.run_attempt == number])


def get_run_jobs(call: Call) -> Answer:
    run = _run(call)
    newest = call.query.get("filter", "latest") == "latest"
    return _listed(
        call, run, [job for job in run.jobs.values() if not newest or job.run_attempt == run.attempts[-1].number]
    )


def _listed(call: Call, run: WorkflowRun, jobs: list[Job]) -> Answer:
    page, headers = call.paged(jobs)
    listed = [runs.job(call.hub, call.repository, run, job) for job in page]
    return Answer(body={"total_count": len(jobs), "jobs": listed}, headers=headers)


def get_job(call: Call) -> Answer:
    number = call.number("job_id")
    for run in call.hub.runs.values():
        if number in run.jobs and run.repository_id == call.repository.repository_id:
            return Answer(body=runs.job(call.hub, call.repository, run, run.jobs[number]))
    raise refusals.not_found()


def get_workflow_runs(call: Call) -> Answer:
    path = f".github/workflows/{call.arguments['workflow_id']}"
    if not _is_workflow(call, path):
        raise refusals.not_found()
    of = [run for run in call.hub.runs.values() if (run.repository_id, run.path) == (_repository_id(call), path)]
    start, end = _created(call.query.get("created", "*..*"))
    found = [run for run in of if start <= iso(run.created_at) <= end and _has(run, call.query.get("status", ""))]
    page, headers = call.paged(sorted(found, key=lambda run: -run.run_id))
    listed = [runs.workflow_run(call.hub, call.repository, run, run.attempts[-1]) for run in page]
    return Answer(body={"total_count": len(found), "workflow_runs": listed}, headers=headers)


def _repository_id(call: Call) -> int:
    return call.repository.repository_id


def _is_workflow(call: Call, path: str) -> bool:
    """GitHub knows a workflow from the moment its file is on the default branch, or it has run."""
    head = call.repository.branches.get(call.repository.default_branch, "")
    there = head in call.hub.commits and path in call.hub.commits[head].tree
    return there or (_repository_id(call), path) in call.hub.workflows


def _created(text: str) -> tuple[str, str]:
    """The ends of a range of days, both of them in it, as they compare with an instant."""
    if not CREATED.fullmatch(text):
        raise Refusal(422, "Validation Failed: created is not a range of days that this sandbox knows")
    first, _, last = text.partition("..")
    return first.replace("*", ""), last.replace("*", "9999") + "T23:59:59Z"


def _has(run: WorkflowRun, status: str) -> bool:
    latest = run.attempts[-1]
    return not status or status in (latest.status, latest.conclusion)


OPERATIONS = (
    Operation("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}", ("actions:read",), get_run),
    Operation(
        "GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}", ("actions:read",), get_attempt
    ),
    Operation(
        "GET",
        "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs",
        ("actions:read",),
        get_attempt_jobs,
    ),
    Operation("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs", ("actions:read",), get_run_jobs),
    Operation("GET", "/repos/{owner}/{repo}/actions/jobs/{job_id}", ("actions:read",), get_job),
    Operation(
        "GET", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs", ("actions:read",), get_workflow_runs
    ),
)

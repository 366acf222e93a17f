"""/repos/…/actions: GitHub's own record of workflow runs and jobs."""

from app.sandbox import refusals
from app.sandbox.rest.door import Answer, Call, Operation
from app.sandbox.shapes import runs
from app.sandbox.state import WorkflowRun


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


def get_run_jobs(call: Call) -> Answer:
    run = _run(call)
    newest = call.query.get("filter", "latest") == "latest"
    jobs = [job for job in run.jobs.values() if not newest or job.run_attempt == run.attempts[-1].number]
    page, headers = call.paged(jobs)
    listed = [runs.job(call.hub, call.repository, run, job) for job in page]
    return Answer(body={"total_count": len(jobs), "jobs": listed}, headers=headers)


def get_job(call: Call) -> Answer:
    number = call.number("job_id")
    for run in call.hub.runs.values():
        if number in run.jobs and run.repository_id == call.repository.repository_id:
            return Answer(body=runs.job(call.hub, call.repository, run, run.jobs[number]))
    raise refusals.not_found()


OPERATIONS = (
    Operation("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}", ("actions:read",), get_run),
    Operation(
        "GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}", ("actions:read",), get_attempt
    ),
    Operation("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs", ("actions:read",), get_run_jobs),
    Operation("GET", "/repos/{owner}/{repo}/actions/jobs/{job_id}", ("actions:read",), get_job),
)

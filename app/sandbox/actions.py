"""Workflow runs, their attempts and jobs, and the environment that a runner gives to a step."""

import secrets
import time
from collections.abc import Mapping
from typing import Any

from app.sandbox import diffs
from app.sandbox.shapes.accounts import simple_user
from app.sandbox.shapes.conversations import pull_full
from app.sandbox.state import (
    Account,
    Attempt,
    CheckRun,
    Hub,
    Installation,
    InstallationToken,
    Job,
    Pull,
    Repository,
    WorkflowRun,
)

ACTIONS_APP_ID = 15368  # the "github-actions" App, which owns the check runs of jobs
ACTIONS_BOT_ID = 41_898_282  # who a job's GITHUB_TOKEN is on github.com
TOKEN_LIFETIME_S = 24 * 3600
PULL_EVENTS = {"pull_request", "pull_request_review", "pull_request_review_comment"}


def job_token(hub: Hub, repository: Repository, permissions: Mapping[str, str]) -> InstallationToken:
    """A job's GITHUB_TOKEN: one of the "github-actions" App, for this repository alone."""
    installed = Installation(
        hub.next_id("installation"), hub.apps[ACTIONS_APP_ID], repository.owner, dict(permissions),
        {repository.repository_id}, hub.now(),
    )  # fmt: skip
    token = InstallationToken(
        f"ghs_{secrets.token_urlsafe(27)}", installed, dict(permissions) | {"metadata": "read"},
        {repository.repository_id}, time.time() + TOKEN_LIFETIME_S,
    )  # fmt: skip
    hub.tokens[token.token] = token
    return token


def start_run(
    hub: Hub,
    repository: Repository,
    event: str,
    path: str,
    actor: Account,
    pull: Pull | None,
    branch: str | None,
    name: str | None,
) -> WorkflowRun:
    """Start a run as the event would. Only pull_request events know their pull."""
    workflow = (repository.repository_id, path)
    hub.workflows.setdefault(workflow, hub.next_id("workflow"))
    number = repository.run_numbers[path] = repository.run_numbers.get(path, 0) + 1
    run = WorkflowRun(
        run_id=hub.next_id("run"),
        run_number=number,
        repository_id=repository.repository_id,
        event=event,
        path=path,
        name=name or path.rpartition("/")[2].partition(".")[0],
        actor=actor,
        created_at=hub.now(),
        **_where(hub, repository, event, pull, branch),
    )
    run.attempts.append(Attempt(1, hub.now(), actor))
    hub.runs[run.run_id] = run
    return run


def _where(hub: Hub, repository: Repository, event: str, pull: Pull | None, branch: str | None) -> dict[str, Any]:
    """Which commit the event runs on: a pull's test merge, a branch, or else the default branch."""
    if event in PULL_EVENTS and pull is not None:
        return {
            "head_sha": pull.head_sha,
            "head_branch": pull.head_ref,
            "head_repository_id": pull.head_repository_id,
            "ref": f"refs/pull/{pull.number}/merge",
            "sha": diffs.test_merge_sha(hub, repository, pull),
            "head_ref": pull.head_ref,
            "base_ref": pull.base_ref,
            "pull_number": pull.number,
            "with_id_token": pull.head_repository_id == repository.repository_id,  # a fork's token is read-only
        }
    target = pull is not None and event == "pull_request_target"
    ref = pull.base_ref if pull is not None and target else branch or repository.default_branch
    sha = repository.branches[ref]
    return {
        "head_sha": sha,
        "head_branch": ref,
        "head_repository_id": repository.repository_id,
        "ref": f"refs/heads/{ref}",
        "sha": sha,
        "head_ref": pull.head_ref if pull is not None and target else "",
        "base_ref": pull.base_ref if pull is not None and target else "",
        "pull_number": pull.number if pull is not None else None,
        "with_id_token": True,
    }


def add_job(hub: Hub, run: WorkflowRun, name: str, environment: str | None) -> Job:
    """Start a job in the latest attempt, with its check run and its own token to ask for OIDC tokens."""
    attempt = run.attempts[-1].number
    job = Job(hub.next_id("check"), name, attempt, hub.next_hex("request-token"), hub.now(), environment)
    run.jobs[job.job_id] = job
    hub.checks[job.job_id] = CheckRun(
        check_run_id=job.job_id,
        suite_id=run.run_id + 1,
        app_id=ACTIONS_APP_ID,
        repository_id=run.repository_id,
        head_sha=run.head_sha,
        name=name,
        started_at=hub.now(),
        status="in_progress",
        external_id=hub.next_uuid("job"),
    )
    return job


def rerun(hub: Hub, run: WorkflowRun, actor: Account) -> None:
    """Start the next attempt."""
    run.attempts.append(Attempt(run.attempts[-1].number + 1, hub.now(), actor))


def finish_run(hub: Hub, run: WorkflowRun, conclusion: str) -> None:
    """Complete the latest attempt and its open jobs."""
    attempt = run.attempts[-1]
    attempt.status, attempt.conclusion, attempt.updated_at = "completed", conclusion, hub.now()
    for job in run.jobs.values():
        if job.run_attempt == attempt.number and job.conclusion is None:
            finish_job(hub, job, conclusion)


def finish_job(hub: Hub, job: Job, conclusion: str) -> None:
    """Complete one job and its check run; its attempt goes on."""
    job.conclusion, job.completed_at = conclusion, hub.now()
    check = hub.checks[job.job_id]
    check.status, check.conclusion, check.completed_at = "completed", conclusion, hub.now()


def runner_environment(hub: Hub, repository: Repository, run: WorkflowRun, job: Job) -> dict[str, str]:
    """The variables that a step of this job finds. A fork's job gets no way to ask for OIDC tokens."""
    values = {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": run.actor.login,
        "GITHUB_ACTOR_ID": str(run.actor.account_id),
        "GITHUB_API_URL": hub.url,
        "GITHUB_BASE_REF": run.base_ref,
        "GITHUB_EVENT_NAME": run.event,
        "GITHUB_HEAD_REF": run.head_ref,
        "GITHUB_JOB": job.name,
        "GITHUB_REF": run.ref,
        "GITHUB_REF_NAME": run.ref.partition("/")[2].partition("/")[2],
        "GITHUB_REPOSITORY": repository.full_name,
        "GITHUB_REPOSITORY_ID": str(repository.repository_id),
        "GITHUB_REPOSITORY_OWNER": repository.owner.login,
        "GITHUB_REPOSITORY_OWNER_ID": str(repository.owner.account_id),
        "GITHUB_RUN_ATTEMPT": str(job.run_attempt),
        "GITHUB_RUN_ID": str(run.run_id),
        "GITHUB_RUN_NUMBER": str(run.run_number),
        "GITHUB_SERVER_URL": hub.url,
        "GITHUB_SHA": run.sha,
        "GITHUB_TRIGGERING_ACTOR": run.attempts[job.run_attempt - 1].actor.login,
        "GITHUB_WORKFLOW": run.name,
        "GITHUB_WORKFLOW_REF": f"{repository.full_name}/{run.path}@{run.ref}",
        "GITHUB_WORKFLOW_SHA": run.sha,
        "RUNNER_ENVIRONMENT": "github-hosted",
    }
    if run.with_id_token:
        values["ACTIONS_ID_TOKEN_REQUEST_URL"] = f"{hub.url}/_actions/token?api-version=2.0"
        values["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = job.request_token
    return values


def event_payload(hub: Hub, repository: Repository, run: WorkflowRun) -> dict[str, Any]:
    """What stands in GITHUB_EVENT_PATH, as far as it concerns pulls."""
    pull = repository.pulls.get(run.pull_number or 0)
    place = {"full_name": repository.full_name, "visibility": repository.visibility}
    payload: dict[str, Any] = {"sender": simple_user(hub, run.actor), "repository": place}
    if pull is None:
        return payload
    if run.event.startswith("pull_request"):
        return payload | {"number": pull.number, "pull_request": pull_full(hub, repository, pull)}
    return payload | {"issue": {"number": pull.number, "title": pull.issue.title, "pull_request": {}}}

"""Workflow runs and jobs as JSON."""

from typing import Any

from app.sandbox.clock import iso, iso_or_none
from app.sandbox.shapes.accounts import node_id, simple_user
from app.sandbox.shapes.pull_links import open_pulls
from app.sandbox.shapes.repositories import api_url, minimal_repository
from app.sandbox.state import Account, Attempt, Hub, Job, Repository, WorkflowRun


def _email(account: Account) -> str:
    return f"{account.login.removesuffix('[bot]')}@users.noreply.example"


def workflow_run(hub: Hub, repository: Repository, run: WorkflowRun, attempt: Attempt) -> dict[str, Any]:
    """One attempt of a run, as both the run's and the attempt's addresses give it."""
    api = f"{api_url(hub, repository)}/actions/runs/{run.run_id}"
    workflow_id = hub.workflows[repository.repository_id, run.path]
    suite_id = run.run_id + 1
    head = hub.repositories[run.head_repository_id]
    head_commit = hub.commits[run.head_sha]
    same_branch = [pull for pull in repository.pulls.values() if pull.head_ref == run.head_branch]
    earlier = f"{api}/attempts/{attempt.number - 1}" if attempt.number > 1 else None
    return {
        "id": run.run_id,
        "name": run.name,
        "node_id": node_id("WFR", run.run_id),
        "head_branch": run.head_branch,
        "head_sha": run.head_sha,
        "path": run.path,
        "display_title": head_commit.message.partition("\n")[0],
        "run_number": run.run_number,
        "event": run.event,
        "status": attempt.status,
        "conclusion": attempt.conclusion,
        "workflow_id": workflow_id,
        "check_suite_id": suite_id,
        "check_suite_node_id": node_id("CS", suite_id),
        "url": api,
        "html_url": f"{hub.url}/{repository.full_name}/actions/runs/{run.run_id}",
        "pull_requests": open_pulls(hub, repository, same_branch),
        "created_at": iso(run.created_at),
        "updated_at": iso(attempt.updated_at or attempt.started_at),
        "actor": simple_user(hub, run.actor),
        "run_attempt": attempt.number,
        "referenced_workflows": [],
        "run_started_at": iso(attempt.started_at),
        "triggering_actor": simple_user(hub, attempt.actor),
        "jobs_url": f"{api}/jobs",
        "logs_url": f"{api}/logs",
        "check_suite_url": f"{api_url(hub, repository)}/check-suites/{suite_id}",
        "artifacts_url": f"{api}/artifacts",
        "cancel_url": f"{api}/cancel",
        "rerun_url": f"{api}/rerun",
        "previous_attempt_url": earlier,
        "workflow_url": f"{api_url(hub, repository)}/actions/workflows/{workflow_id}",
        "head_commit": {
            "id": run.head_sha,
            "tree_id": run.head_sha,
            "message": head_commit.message,
            "timestamp": iso(head_commit.committed_at),
            "author": {"name": head_commit.author.login, "email": _email(head_commit.author)},
            "committer": {"name": head_commit.author.login, "email": _email(head_commit.author)},
        },
        "repository": minimal_repository(hub, repository),
        "head_repository": minimal_repository(hub, head),
    }


def job(hub: Hub, repository: Repository, run: WorkflowRun, record: Job) -> dict[str, Any]:
    api = api_url(hub, repository)
    return {
        "id": record.job_id,
        "run_id": run.run_id,
        "workflow_name": run.name,
        "head_branch": run.head_branch,
        "run_url": f"{api}/actions/runs/{run.run_id}",
        "run_attempt": record.run_attempt,
        "node_id": node_id("CR", record.job_id),
        "head_sha": run.head_sha,
        "url": f"{api}/actions/jobs/{record.job_id}",
        "html_url": f"{hub.url}/{repository.full_name}/actions/runs/{run.run_id}/job/{record.job_id}",
        "status": "completed" if record.conclusion else "in_progress",
        "conclusion": record.conclusion,
        "created_at": iso(record.started_at),
        "started_at": iso(record.started_at),
        "completed_at": iso_or_none(record.completed_at),
        "name": record.name,
        "steps": [],
        "check_run_url": f"{api}/check-runs/{record.job_id}",
        "labels": ["ubuntu-latest"],
        "runner_id": 1,
        "runner_name": "sandbox",
        "runner_group_id": 0,
        "runner_group_name": "GitHub Actions",
    }

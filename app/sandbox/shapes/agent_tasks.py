"""Tasks of the cloud agent as REST gives them; the prompt is a person's words, which nobody here needs."""

from typing import Any

from app.sandbox.clock import iso
from app.sandbox.state import AgentSession, AgentTask, Hub


def task(hub: Hub, task_: AgentTask, *, alone: bool) -> dict[str, Any]:
    """A task from a list, or `alone` with its sessions."""
    owner = hub.repositories[task_.repository_id].owner
    whose = {"owner": {"id": owner.account_id}, "repository": {"id": task_.repository_id}}
    latest = task_.sessions[-1].state if task_.sessions else "queued"
    body = {
        "id": task_.task_id,
        "name": "A task",
        "creator": {"id": task_.creator.account_id},
        "creator_type": "user",
        **whose,
        "state": latest,
        "session_count": len(task_.sessions),
        "artifacts": [{"provider": "github", "type": "pull", "data": {"id": each}} for each in task_.pull_ids],
        "archived_at": iso(task_.archived_at) if task_.archived_at else None,
        "created_at": iso(task_.created_at),
        "updated_at": iso(task_.updated_at),
    }
    if alone:
        body["sessions"] = [_session(task_, each) | whose for each in task_.sessions]
    return body


def _session(task_: AgentTask, session: AgentSession) -> dict[str, Any]:
    told = {"model": session.model, "head_ref": session.head_ref, "usage": session.usage}
    return {
        "id": session.session_id,
        "name": "A session",
        "user": {"id": task_.creator.account_id},
        "task_id": task_.task_id,
        "state": session.state,
        "created_at": iso(session.created_at),
        "updated_at": iso(session.updated_at),
        "prompt": "Words of a person",
        **{name: value for name, value in told.items() if value is not None},
    }

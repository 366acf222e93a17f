"""What is read of agent tasks: few fields, tolerantly, and usage only in AI credits."""

from typing import Any

import pytest

from app.core.facts import AgentTask
from app.github.agent_tasks import ReadsOnly, task

BARE = {"id": "t-1", "state": "queued", "created_at": "2026-10-05T09:00:00Z"}


def session(**more: Any) -> AgentTask:
    whole = {"id": "s-1", "state": "completed", "created_at": "2026-10-05T09:00:00Z", **more}
    return task({**BARE, "sessions": [whole]})


def test_a_task_with_nothing_but_what_github_promises_is_read() -> None:
    read = task(BARE)
    assert (read.task_id, read.session_count, read.repository_id, read.pull_ids, read.sessions) == (
        "t-1",
        None,
        0,
        frozenset(),
        (),
    )
    [bare] = session().sessions
    assert (bare.model, bare.head_ref, bare.nano_credits) == ("", "", None)


def test_pulls_are_told_from_branches() -> None:
    branch = {"provider": "github", "type": "branch", "data": {"head_ref": "a", "base_ref": "b"}}
    pull = {"provider": "github", "type": "pull", "data": {"id": 42}}
    assert task({**BARE, "artifacts": [branch, pull]}).pull_ids == {42}


@pytest.mark.parametrize(
    ("usage", "nano_credits"),
    [
        ({"type": "ai_credits", "amount": 12}, 12),
        ({"type": "ai_credits", "amount": 12.0}, 12),
        ({"type": "ai_credits", "amount": 0}, 0),
        ({"type": "ai_credits", "amount": -1}, None),
        ({"type": "ai_credits", "amount": "12"}, None),
        ({"type": "ai_credits", "amount": True}, None),
        ({"type": "ai_credits", "amount": float("nan")}, None),
        ({"type": "ai_credits"}, None),
        ({"type": "premium_requests", "amount": 1.5}, None),
        (None, None),
    ],
)
def test_usage_is_told_in_ai_credits_or_not_at_all(usage: dict[str, Any] | None, nano_credits: int | None) -> None:
    assert session(usage=usage).sessions[0].nano_credits == nano_credits


def test_a_users_token_never_writes() -> None:
    with pytest.raises(AssertionError):
        ReadsOnly().before_write(creating=False)

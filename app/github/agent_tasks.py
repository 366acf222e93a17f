"""Tasks of GitHub's cloud agent, which only a user's token may read. A preview of GitHub's: it may change.

A task holds what people asked the agent for: of all that only the few fields below are taken.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from app.core.facts import AgentSession, AgentTask
from app.github.connection import Connection, Place, Send
from app.github.read import instant
from app.github.tokens import Token, TokenCache

NEVER = datetime.max.replace(tzinfo=UTC)


class ReadsOnly:
    """Limits of a user's token: it has its own at GitHub, and what passes them is told by GitHub's refusal."""

    def before_write(self, creating: bool) -> None:
        raise AssertionError(f"a user's token writes nothing (creating: {creating})")

    def saw(self, headers: Mapping[str, str], status: int) -> None:
        """Nothing to keep."""


class AgentTasks:
    """What the App reads with a user's token. Raises Later, Refused and GitHubFailed (401: the token is not good)."""

    def __init__(self, send: Send, user_token: str, now: Callable[[], datetime]) -> None:
        tokens = TokenCache(lambda _: Token(user_token, NEVER), now)
        self._connection = Connection(send, tokens, 0, ReadsOnly(), now)

    def list_tasks(self, owner: str, name: str, since: datetime, most: int = 10_000) -> list[AgentTask]:
        """A repository's tasks that changed at an instant or later, without their sessions, the longest ago first."""
        question = {"sort": "updated_at", "direction": "desc", "since": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        path = self._path(owner, name)
        found: dict[str, AgentTask] = {}
        for archived in ("false", "true"):  # a task that was put away has cost what it has cost
            for body in self._connection.pages(path, {**question, "is_archived": archived}, "tasks", most):
                read = task(body)
                found[read.task_id] = read
        return sorted(found.values(), key=lambda each: (each.updated_at, each.task_id))

    def read_task(self, owner: str, name: str, task_id: str) -> AgentTask | None:
        """A task with its sessions; None when it is gone."""
        body = self._connection.find(self._path(owner, name, task_id))
        return None if body is None else task(body)

    def _path(self, owner: str, name: str, *task_id: str) -> str:
        place = Place(self._connection, owner, name).path("tasks", *task_id)
        return f"/agents{place}"


def task(body: dict[str, Any]) -> AgentTask:
    """A task from a list or alone."""
    made = instant(body["created_at"])
    data = [each["data"] for each in body.get("artifacts") or () if each.get("type") == "pull"]
    return AgentTask(
        task_id=body["id"],
        repository_id=(body.get("repository") or {}).get("id", 0),
        updated_at=instant(body["updated_at"]) if body.get("updated_at") else made,
        session_count=body.get("session_count"),
        pull_ids=frozenset(each["id"] for each in data if isinstance(each.get("id"), int)),
        sessions=tuple(map(_session, body.get("sessions") or ())),
    )


def _session(body: dict[str, Any]) -> AgentSession:
    return AgentSession(
        session_id=body["id"],
        state=body["state"],
        model=body.get("model") or "",
        head_ref=(body.get("head_ref") or "").removeprefix("refs/heads/"),
        created_at=instant(body["created_at"]),
        nano_credits=_nano_credits(body.get("usage")),
    )


def _nano_credits(usage: dict[str, Any] | None) -> int | None:
    """Premium requests, which older sessions were counted in, have no price of their own: they are not told."""
    amount = usage.get("amount") if usage and usage.get("type") == "ai_credits" else None
    if not isinstance(amount, int | float) or isinstance(amount, bool) or not math.isfinite(amount) or amount < 0:
        return None
    return round(amount)

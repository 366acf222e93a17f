"""People's tokens, and what the cloud agent does."""

import secrets
from collections.abc import Sequence
from typing import Any

from app.sandbox.state import AgentSession, AgentTask, UserToken
from app.sandbox.steer.desk import Desk


class Agents(Desk):
    """Tasks of the cloud agent with their sessions, and tokens that may read them."""

    def create_user_token(self, owner: str, reads: Sequence[str]) -> str:
        """A person's token that reads agent tasks in these accounts' repositories."""
        with self.hub.lock:
            token = f"github_pat_{secrets.token_hex(20)}"
            logins = frozenset(login.lower() for login in reads)
            self.hub.user_tokens[token] = UserToken(token, self.hub.account(owner), logins)
            return token

    def revoke_user_token(self, token: str) -> None:
        with self.hub.lock:
            self.hub.user_tokens[token].revoked = True

    def start_task(self, repository: str, pulls: Sequence[int] = (), by: str = "ada") -> str:
        """A task that made these pulls; gives its id."""
        with self.hub.lock:
            place, now = self.hub.repository(repository), self.hub.now()
            ids = [place.pulls[number].pull_id for number in pulls]
            creator = self.hub.account(by)
            task = AgentTask(self.hub.next_uuid("task"), place.repository_id, creator, now, now, ids, [])
            self.hub.agent_tasks[task.task_id] = task
            return task.task_id

    def name_pull(self, task_id: str, repository: str, number: int) -> None:
        """The task made one more pull."""
        with self.hub.lock:
            task = self.hub.agent_tasks[task_id]
            task.pull_ids.append(self.hub.pull(repository, number)[1].pull_id)
            task.updated_at = self.hub.now()

    def archive_task(self, task_id: str) -> None:
        """The task is put away."""
        with self.hub.lock:
            task = self.hub.agent_tasks[task_id]
            task.archived_at = task.updated_at = self.hub.now()

    def run_session(
        self,
        task_id: str,
        nano_credits: float | None,
        head: str | None = None,
        state: str = "completed",
        model: str | None = "claude-sonnet-4.6",
        unit: str = "ai_credits",
        session_id: str = "",
    ) -> str:
        """A session of the task; gives its id. `nano_credits` None: GitHub does not tell its usage."""
        with self.hub.lock:
            task, now = self.hub.agent_tasks[task_id], self.hub.now()
            usage = None if nano_credits is None else {"type": unit, "amount": nano_credits}
            name = session_id or self.hub.next_uuid("session")
            task.sessions.append(AgentSession(name, now, now, state, model, head, usage))
            task.updated_at = now
            return name

    def change_session(self, session_id: str, **changed: Any) -> None:
        """The session has these fields now, and its task has changed."""
        with self.hub.lock:
            now = self.hub.now()
            for task in self.hub.agent_tasks.values():
                for session in task.sessions:
                    if session.session_id == session_id:
                        for name, value in changed.items():
                            setattr(session, name, value)
                        task.updated_at = session.updated_at = now

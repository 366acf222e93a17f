"""Sessions of GitHub's cloud agent, which leave no log: where an operator gave a user token, GitHub tells their cost.

Without a token nothing is asked, and such pulls stay "agent-made, cost unknown". A session that is read again changes
nothing, and one that used more since is corrected by the difference.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.core import ai_credits
from app.core.costing import LARGEST_COST
from app.core.facts import AgentSession, AgentTask
from app.core.outcomes import Refused
from app.github.failures import GitHubFailed
from app.store.accounts import installation_of
from app.store.jobs import pull_job, run_job
from app.store.queue import Job, enqueue_all
from app.store.tables import Repository
from app.store.told_runs import lock_telemetry
from app.store.vendor_runs import held_elsewhere, note_reading, read_until, repositories_with_agents, take_session
from app.world import World

if TYPE_CHECKING:
    from app.github.agent_tasks import AgentTasks

LOOKED_BACK = timedelta(days=90)
# GitHub does not say whether a task counts as changed when the usage of its sessions is told.
READ_AGAIN = timedelta(hours=3)
AT_ONCE = 20
log = logging.getLogger(__name__)


def read_sessions(job: Job, world: World) -> None:
    """Read the sessions of an account's cloud agents that changed since the last time."""
    since = world.now() - LOOKED_BACK
    with world.db.reading() as session:
        installation = installation_of(session, job.account_id)
        repositories = repositories_with_agents(session, job.account_id, since)
    if installation is None or installation.state != "active":
        return
    token = world.settings.agent_tasks_token(installation.account_login)
    if token is None:
        return
    github = world.github.as_user(token)
    for repository in repositories:
        try:
            _read_repository(world, github, repository, since)
        except Refused as no:  # the token's owner cannot see this one: others may still be read
            log.warning("account %s: agent tasks of %s: %s", job.account_id, repository.name, no)
        except GitHubFailed as failed:
            if failed.status != 401:
                raise
            log.error("account %s: GitHub does not accept the token for agent tasks", job.account_id)  # noqa: TRY400
            return


def _read_repository(world: World, github: "AgentTasks", repository: Repository, since: datetime) -> None:
    with world.db.reading() as session:
        until = read_until(session, repository.account_id, repository.repository_id)
    first = since if until is None else max(since, until - READ_AGAIN)
    tasks = github.list_tasks(repository.owner, repository.name, first)
    for done in range(0, len(tasks), AT_ONCE):
        some = tasks[done : done + AT_ONCE]
        read = [_with_sessions(github, repository, each) for each in some]
        _take(world, repository, [each for each in read if each is not None], some[-1].updated_at)


def _with_sessions(github: "AgentTasks", repository: Repository, task: AgentTask) -> AgentTask | None:
    """The task with its sessions; None where it has none, is gone, or is another repository's by now."""
    if task.session_count == 0:
        return None
    read = github.read_task(repository.owner, repository.name, task.task_id)
    return read if read and read.repository_id in (0, repository.repository_id) else None


def _take(world: World, repository: Repository, tasks: Sequence[AgentTask], until: datetime) -> None:
    now = world.now()
    told = [(session, task.pull_ids) for task in tasks for session in task.sessions if _counts(repository, session)]
    where = repository.account_id, repository.repository_id
    with world.db.transaction() as session:
        lock_telemetry(session, repository.account_id, shared=False)
        elsewhere = held_elsewhere(session, repository, [each for each, _ in told])
        for each, pull_ids in told:
            taken = None if each.session_id in elsewhere else take_session(session, repository, each, pull_ids, now)
            if taken is not None:
                job_id, pulls = taken
                jobs = [run_job(*where, 0, "place", job_id, now), *(pull_job(key, "publish", now) for key in pulls)]
                enqueue_all(session, jobs, now)
        note_reading(session, *where, until)


def _counts(repository: Repository, told: AgentSession) -> bool:
    if not told.has_ended or told.nano_credits is None:
        return False
    if ai_credits.cost_of(told.nano_credits) > LARGEST_COST:
        log.warning("account %s: session %s: more than a million dollars", repository.account_id, told.session_id)
        return False
    return True

"""An attempt of a workflow run still went on when its record was placed: ask GitHub how it and its jobs ended.

Metrics read how a job ended; when the attempt did bounds which pulls were opened during it, so what names a pull is
settled again. One request for the attempt and one for all its jobs.
"""

from datetime import timedelta

from app.core.outcomes import Later
from app.store.accounts import repository_of
from app.store.queue import Job, enqueue_all
from app.store.run_ends import AttemptKey, keep_ends
from app.world import World

LOOK_AGAIN = timedelta(hours=6)
LONGEST = timedelta(days=35)  # that GitHub lets a workflow run go on


def conclude(job: Job, world: World) -> None:
    """Keep how an attempt ended. Raises Later while it goes on; an attempt that GitHub does not know has no end."""
    repository_id, run_id, attempt = (int(job.args[name]) for name in ("repository_id", "run_id", "run_attempt"))
    with world.db.reading() as session:
        repository = repository_of(session, job.account_id, repository_id)
    github = world.client(job.account_id)
    if github is None or repository is None:
        return
    where = repository.owner, repository.name, run_id, attempt
    run = github.read_workflow_run(*where)
    if run is None:
        return
    if run.status != "completed":
        if world.now() < run.started_at + LONGEST:
            raise Later(world.now() + LOOK_AGAIN, "The workflow run still goes on.")
        return
    ends = github.read_job_ends(*where)
    ended_at = max((end.ended_at for end in ends if end.ended_at), default=run.updated_at)
    with world.db.transaction() as session:
        key = AttemptKey(job.account_id, str(job.args["issuer"]), repository_id, run_id, attempt)
        enqueue_all(session, keep_ends(session, key, run.conclusion, ends, ended_at, world.now()), world.now())

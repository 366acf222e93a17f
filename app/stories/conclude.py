"""An attempt of a workflow run still went on when its record was placed: ask GitHub how it ended.

Nothing is moved by it: metrics read the answer. One request for all jobs of the attempt.
"""

from datetime import timedelta

from app.core.outcomes import Later
from app.store.accounts import repository_of
from app.store.queue import Job
from app.store.run_ends import keep_conclusion
from app.world import World

LOOK_AGAIN = timedelta(hours=6)
LONGEST = timedelta(days=35)  # that GitHub lets a workflow run go on


def conclude(job: Job, world: World) -> None:
    """Keep an attempt's conclusion. Raises Later while it goes on; an attempt that GitHub does not know has none."""
    repository_id, run_id, attempt = (int(job.args[name]) for name in ("repository_id", "run_id", "run_attempt"))
    with world.db.reading() as session:
        repository = repository_of(session, job.account_id, repository_id)
    github = world.client(job.account_id)
    if github is None or repository is None:
        return
    run = github.read_workflow_run(repository.owner, repository.name, run_id, attempt)
    if run is None:
        return
    if run.status != "completed":
        if world.now() < run.started_at + LONGEST:
            raise Later(world.now() + LOOK_AGAIN, "The workflow run still goes on.")
        return
    with world.db.transaction() as session:
        issuer = str(job.args["issuer"])
        keep_conclusion(session, job.account_id, issuer, repository_id, run_id, attempt, run.conclusion)

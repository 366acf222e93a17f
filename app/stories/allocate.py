"""A pull changed, or an agent run was recorded: find where its cost belongs and move it there.

Facts are written first, in a transaction of their own; then every agent run that they could concern is settled in
another one. So whichever of two facts comes last settles with both in sight, and any order gives the same books.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, select

from app.core.closing import closes
from app.core.events import PullEvent
from app.core.facts import AgentRunKey, CommitFact, PullFact, PullNumber, WorkflowRunFact
from app.core.ledger import Book, Place, moves
from app.core.matching import (
    VENDOR,
    Evidence,
    Match,
    RunFacts,
    branch_of,
    claimed_branch,
    match,
    pull_of_head,
    signed_pull,
)
from app.core.reverts import reverted_number
from app.core.workflow_lines import workflow_file
from app.store.accounts import installation_of, repository_of, save_repository
from app.store.books import holding, post
from app.store.configs import config_in_force
from app.store.jobs import pull_job, run_job
from app.store.keys import instant, known_instant, us
from app.store.manual_links import links_in_force
from app.store.named_pulls import named_by, named_in_jobs, weights_of
from app.store.pulls import (
    Linked,
    PullKey,
    candidates,
    is_head,
    jobs_after,
    jobs_on_sha,
    jobs_touching,
    pull_of,
    remember_heads,
    reversals_of,
    save_commits,
    save_pull,
)
from app.store.queue import Job, NewJob, enqueue, enqueue_all, resettle_job
from app.store.rollups import mark
from app.store.run_ends import FIRST_LOOK, ended_job
from app.store.tables import AgentRun, Repository, Tie, WorkflowJob
from app.store.vendor_runs import give_way, sessions_held_twice, told_pulls
from app.world import World

ABANDONED_AFTER = timedelta(days=14)
RESETTLED_AT_ONCE = 200
MOST_NAMED = 20  # pulls that the logs of one job name and that are looked at
BY_CALLS = "its cost is split by the model calls that name each pull"
MOST_REVERTED = 100  # commits that one pull says to revert
READ_AGAIN_ON = frozenset(
    {
        "opened", "reopened", "synchronize", "closed", "edited", "ready_for_review", "converted_to_draft",
        "locked", "unlocked", "enqueued", "dequeued", "auto_merge_enabled",
    }
)  # fmt: skip


def on_pull(event: PullEvent, world: World) -> None:
    """A pull_request delivery: remember its heads, read the pull as it is now, settle what it could concern."""
    if event.action not in READ_AGAIN_ON:
        return
    key = PullKey(event.account_id, event.repository.repository_id, event.number)
    with world.db.transaction() as session:
        unknown = installation_of(session, key.account_id) is None
        if unknown:
            enqueue(session, NewJob(0, "0/discover", "discover", "discover", {}, world.now()), world.now())
        if repository_of(session, key.account_id, key.repository_id) is None:
            save_repository(session, key.account_id, event.repository, world.now())
        remember_heads(session, key, event.head_shas)
    if unknown:
        raise LookupError(f"account {key.account_id} is not known yet: its installation is being read")
    read_pull(world, key)
    settle_around(world, key)


def place(job: Job, world: World) -> None:
    """An agent run was recorded: read GitHub's record of its workflow run, and settle it."""
    account_id, job_id = job.account_id, str(job.args["workflow_job_id"])
    with world.db.reading() as session:
        workflow_job = session.get(WorkflowJob, job_id)
    if workflow_job is None or workflow_job.account_id != account_id:
        return
    workflow_job = _with_run_record(world, workflow_job)
    _ask_for_named(world, workflow_job)
    with world.db.reading() as session:
        double = workflow_job.issuer != VENDOR and sessions_held_twice(session, workflow_job)
    if double:
        with world.db.transaction() as session:
            for pull in give_way(session, workflow_job, world.now()):
                ask_to_publish(world, session, pull)
    settle(world, account_id, [job_id])


def _ask_for_named(world: World, job: WorkflowJob) -> None:
    """Have the pulls read that a job names and that are not known: by its token or event, and by its agents' logs.

    Of what logs name only so many in all: they can name what is not there, and each reading is a request.
    """
    sure = signed_pull(job.ref) or job.pull_number
    with world.db.reading() as session:
        linked = named_in_jobs(session, job.account_id, [job.id]).get(job.id, set()) - {sure}
        left = max(0, MOST_NAMED - (job.named_read or 0))
        logged = _unknown(session, job, sorted(linked)[:MOST_NAMED])[:left]
        wanted = _unknown(session, job, [sure] if sure else []) + logged
    if wanted:
        with world.db.transaction() as session:
            session.get_one(WorkflowJob, job.id).named_read = (job.named_read or 0) + len(logged)
            for key in wanted:
                ask_to_read(world, session, key)


def _unknown(session: Session, job: WorkflowJob, numbers: Sequence[int]) -> list[PullKey]:
    keys = [PullKey(job.account_id, job.repository_id, number) for number in numbers]
    return [key for key in keys if pull_of(session, key) is None]


def read(job: Job, world: World) -> None:
    """Read a pull of which no event has told, and settle what it could concern."""
    key = PullKey(job.account_id, int(job.args["repository_id"]), int(job.args["number"]))
    read_pull(world, key)
    settle_around(world, key)


def read_pull(world: World, key: PullKey) -> None:
    """Read a pull and its commits from GitHub and keep them. A pull that GitHub does not know changes nothing.

    Only in the pull's own lane: of two that read at once, the one that was told the older state might write last.
    """
    with world.db.reading() as session:
        repository = repository_of(session, key.account_id, key.repository_id)
    github = world.client(key.account_id)
    if repository is None or github is None:
        return
    fact = github.read_pull(repository.owner, repository.name, key.number)
    if fact is None:
        return
    commits = github.read_pull_commits(repository.owner, repository.name, key.number)
    with world.db.transaction() as session:
        save_pull(session, key, fact, linked(repository, fact, commits), world.now())
        save_commits(session, key, commits)


def linked(repository: Repository, pull: PullFact, commits: Sequence[CommitFact]) -> Linked:
    """What a pull's description and commits say of other pulls and of issues."""
    full_name = f"{repository.owner}/{repository.name}"
    shas = [(commit.sha, sha) for commit in commits for sha in commit.reverts]
    reverts = reverted_number(pull.head_ref, pull.body, full_name)
    only = bool(commits) and all(commit.reverts for commit in commits)
    return Linked(reverts, shas[:MOST_REVERTED], only, closes(pull.body, full_name))


def settle_around(world: World, key: PullKey) -> None:
    """Settle every agent run that a pull could own, and bring what stands on the pull up to date."""
    with world.db.reading() as session:
        touched = jobs_touching(session, key)
        reverted = reversals_of(session, key.account_id, key.repository_id).of(key.number)
    settle(world, key.account_id, touched)
    with world.db.transaction() as session:
        for number in (key.number, *reverted):
            ask_to_publish(world, session, PullKey(key.account_id, key.repository_id, number))


def settle(world: World, account_id: int, workflow_job_ids: Sequence[str]) -> None:
    """Bring the cost of each job's agent runs to where the evidence says it belongs. Repeating it changes nothing."""
    for job_id in workflow_job_ids:
        with world.db.transaction() as session:
            workflow_job = session.get(WorkflowJob, job_id)
            if workflow_job is not None and workflow_job.account_id == account_id:
                _settle_job(world, session, workflow_job)


def _settle_job(world: World, session: Session, job: WorkflowJob) -> None:
    query = (
        select(AgentRun)
        .where(AgentRun.account_id == job.account_id, AgentRun.workflow_job_id == job.id)
        .order_by(col(AgentRun.id))
        .with_for_update()
    )
    agent_runs = session.exec(query).all()
    repository = repository_of(session, job.account_id, job.repository_id)
    config = config_in_force(session, job.account_id)
    facts = run_facts(job, repository.default_branch if repository else "", config.claims_count)
    linked = {agent_run.id: frozenset(named_by(agent_run)) for agent_run in agent_runs}
    told = told_pulls(session, job) if job.event_name == VENDOR else None
    named = sorted(frozenset().union(*linked.values()))[:MOST_NAMED]
    pulls = candidates(
        session,
        job,
        numbers=[
            signed_pull(job.ref),
            job.pull_number,
            *(told or ()),
            *named,
        ],
        shas=[facts.head_sha, *facts.commits_made],
        branches=[branch_of(facts), claimed_branch(job.ref)],
    )
    overhead = repository is not None and config.is_overhead(repository.name, workflow_file(job.workflow_ref))
    by_hand = links_in_force(session, agent_runs)
    waits = False
    for agent_run in agent_runs:
        manual = by_hand.get(agent_run.id)
        found = match(replace(facts, manual=manual, linked_pulls=linked[agent_run.id], told_pulls=told), pulls)
        if overhead and manual is None and not (found.pulls or found.tied):
            found = Match((), Evidence.ALLOCATED, "the configuration calls this workflow overhead")
        weights = weights_of(session, agent_run, found.pulls)
        if len(set(weights)) > 1:
            found = replace(found, note=f"{found.note}; {BY_CALLS}")
        target = _target(found, weights, facts.at, world.now())
        # A tie stays one, however long it is: only other facts can settle it, and they come with jobs of their own.
        waits = waits or (target == [(Place(Book.UNATTRIBUTED), 1)] and not found.tied)
        for repository_id, number in _move(session, agent_run, found, target, world.now()):
            ask_to_publish(world, session, PullKey(job.account_id, repository_id, number))
    if waits:
        enqueue(session, _look_again(job, facts.at), world.now())


def resettle(job: Job, world: World) -> None:
    """The rules of evidence changed: settle every job of the account anew, a page at a time."""
    after = str(job.args["after"])
    with world.db.reading() as session:
        page = jobs_after(session, job.account_id, after, RESETTLED_AT_ONCE)
    settle(world, job.account_id, page)
    if page:
        with world.db.transaction() as session:
            enqueue(session, resettle_job(job.account_id, page[-1], world.now()), world.now())


def run_facts(job: WorkflowJob, default_branch: str, claims_count: bool = False) -> RunFacts:
    """What is known of the workflow run of a job, for matching."""
    created, started = job.run_created_at_us, job.run_started_at_us
    return RunFacts(
        ref=job.ref,
        event_name=job.event_name,
        actor_id=job.actor_id,
        default_branch=default_branch,
        event_at=instant(job.started_at_us if created is None else created),
        at=instant(job.started_at_us if started is None else started),
        recorded_by_github=job.run_state == "read",
        head_sha=job.run_head_sha,
        event=job.run_event,
        run_actor_id=job.run_actor_id,
        named_pull=PullNumber(job.pull_number) if job.pull_number else None,
        ended_at=known_instant(job.run_ended_at_us),
        named_issue=job.issue_number,
        commits_made=frozenset(json.loads(job.commits_made)),
        claims_count=claims_count,
    )


def _target(found: Match, weights: Sequence[int], at: datetime, now: datetime) -> list[tuple[Place, int]]:
    """Where the cost of an agent run belongs: places with weights, in stable order. `weights`: of the pulls."""
    if found.pulls:
        places = (Place(Book.PULL, number, found.repository_id) for number in found.pulls)
        return list(zip(places, weights, strict=True))
    if found.evidence is Evidence.ALLOCATED:
        return [(Place(Book.OVERHEAD), 1)]
    if not found.tied and now >= at + ABANDONED_AFTER:
        return [(Place(Book.ABANDONED), 1)]
    return [(Place(Book.UNATTRIBUTED), 1)]


def _move(
    session: Session, agent_run: AgentRun, found: Match, target: Sequence[tuple[Place, int]], now: datetime
) -> set[tuple[int, int]]:
    """Move one agent run's cost to its target; returns the (repository, pull)s whose cost this changes."""
    key = AgentRunKey(agent_run.account_id, agent_run.repository_id, agent_run.id)
    home = agent_run.repository_id
    entries = moves(holding(session, key), target)
    post(session, key, entries, found.note, now)
    before = _tied_to(session, agent_run)
    after = {(place.repository_id or home, place.number): weight for place, weight in target if found.pulls}
    tied = json.dumps(found.tied)
    # What a person said is shown, so their newer words are news.
    said_anew = found.evidence is Evidence.MANUAL and agent_run.evidence_note != found.note
    same = (agent_run.evidence, agent_run.tied_pulls) == (found.evidence or "", tied)
    if before == after and not entries and same and not said_anew:
        if agent_run.evidence_note != found.note:  # another reason for the same is no news for a pull
            agent_run.evidence_note = found.note
            session.add(agent_run)
        return set()
    for repository_id in {home, found.repository_id or home, *(each for each, _ in before)}:
        mark(session, agent_run.account_id, repository_id)
    candidates_of_tie = {(home, number) for number in (*json.loads(agent_run.tied_pulls), *found.tied)}
    session.exec(delete(Tie).where(col(Tie.account_id) == agent_run.account_id, col(Tie.agent_run_id) == agent_run.id))
    session.add_all(
        Tie(
            account_id=agent_run.account_id,
            agent_run_id=agent_run.id,
            repository_id=repository_id,
            number=number,
            evidence=found.evidence.value if found.evidence else "",
            note=found.note,
            weight=weight,
        )
        for (repository_id, number), weight in after.items()
    )
    agent_run.evidence = found.evidence.value if found.evidence else ""
    agent_run.evidence_note = found.note
    agent_run.tied_pulls = tied
    session.add(agent_run)
    session.flush()
    return {*before, *after, *candidates_of_tie}


def _tied_to(session: Session, agent_run: AgentRun) -> dict[tuple[int, int], int]:
    """The (repository, pull)s of an agent run with their weights."""
    query = select(Tie.repository_id, Tie.number, Tie.weight).where(
        Tie.account_id == agent_run.account_id, Tie.agent_run_id == agent_run.id
    )
    return {(repository_id, number): weight for repository_id, number, weight in session.exec(query)}


def _look_again(job: WorkflowJob, at: datetime) -> NewJob:
    """Cost that still has no pull after 14 days is abandoned; somebody must look then."""
    return run_job(*_where(job), "place", job.id, at + ABANDONED_AFTER, dedupe="abandon")


def ask_to_read(world: World, session: Session, key: PullKey) -> None:
    """Have the pull read soon."""
    enqueue(session, pull_job(key, "read", world.now()), world.now())


def ask_to_publish(world: World, session: Session, key: PullKey) -> None:
    """Have the pull's check and comment put, a little later, so that changes that come together cost one write."""
    due = world.now() + timedelta(seconds=world.settings.debounce_s)
    enqueue(session, pull_job(key, "publish", due), world.now())


def _with_run_record(world: World, job: WorkflowJob) -> WorkflowJob:
    """The job with GitHub's own record of its run, read once; "gone" if GitHub knows no such run."""
    github = world.client(job.account_id)
    if job.run_state == "unread" and github is not None:
        with world.db.reading() as session:
            repository = repository_of(session, job.account_id, job.repository_id)
        if repository is None:
            raise LookupError(
                f"repository {job.repository_id} is not known yet: its event or the hourly refresh brings it"
            )
        run = github.read_workflow_run(repository.owner, repository.name, job.run_id, job.run_attempt)
        with world.db.transaction() as session:
            job = session.get_one(WorkflowJob, job.id)
            _keep_run_record(world, session, job, run)
    return job


def _keep_run_record(world: World, session: Session, job: WorkflowJob, run: WorkflowRunFact | None) -> None:
    job.run_state = "read" if run else "gone"
    if run:
        job.run_head_sha = run.head_sha
        job.run_head_branch = run.head_branch
        job.run_event = run.event
        # GitHub's pages leave open which of the two a later attempt's token names.
        again = job.actor_id == run.triggering_actor_id
        job.run_actor_id = run.triggering_actor_id if again else run.actor_id
        job.run_path = run.path
        job.run_created_at_us = us(run.created_at)
        job.run_started_at_us = us(run.started_at)
        job.run_conclusion = run.conclusion
        # The attempt's conclusion stands until GitHub is asked how this very job ended.
        wait = timedelta(0) if run.status == "completed" else FIRST_LOOK
        enqueue(session, ended_job(job, world.now() + wait), world.now())
    session.add(job)
    session.flush()
    mark(session, job.account_id, job.repository_id)
    if run:
        _keep_head(world, session, job, run.head_sha)


def _keep_head(world: World, session: Session, job: WorkflowJob, sha: str) -> None:
    """A run on a pull tells what the pull's head was then, also where a force-push and a lost delivery hid it.

    Whoever else ran on that commit is settled again, each in its own lane.
    """
    number = pull_of_head(job.ref, job.event_name, job.run_event)
    if number is None:
        return
    key = PullKey(job.account_id, job.repository_id, number)
    if is_head(session, key, sha):
        return
    remember_heads(session, key, [sha])
    others = (other for other in jobs_on_sha(session, key, sha) if other.id != job.id)
    places = [run_job(*_where(other), "place", other.id, world.now()) for other in others]
    enqueue_all(session, places, world.now())


def _where(job: WorkflowJob) -> tuple[int, int, int]:
    return job.account_id, job.repository_id, job.run_id

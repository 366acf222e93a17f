"""A person says which pull an agent run belongs to: in the pull's conversation, or on the command line.

A command is a fact like any other: it is written down first, and settling does the rest. Who may give one is asked of
GitHub at that moment, for every repository that gains or loses. What an agent or an App writes is never a command.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import Session

from app.core.commands import (
    Attribute,
    Detach,
    Explain,
    Target,
    UnreadableCommandError,
    WorkflowRunNamed,
    command_in,
    may_hold_command,
)
from app.core.events import CommentEvent
from app.core.facts import CommentFact, PullNumber
from app.core.matching import signed_pull
from app.core.outcomes import Refused
from app.core.report.answers import ExplainedRun, explanation, refusal
from app.core.report.marker import Kind, marker
from app.core.usage import Completeness
from app.store.accounts import installation_of, repository_of, save_repository
from app.store.costs import tied_runs
from app.store.effect_tables import Effect
from app.store.effects import effect_of, fingerprint, write_effect
from app.store.jobs import answer_jobs, pull_job, run_job
from app.store.manual_links import (
    COMMAND_LINE,
    MOST_NAMED,
    Decision,
    NamedRun,
    add_decision,
    comment_source,
    repositories_called,
    runs_named,
    unattributed_lately,
)
from app.store.pulls import PullKey, pull_of
from app.store.queue import Job, enqueue_all
from app.store.tables import AgentRun, Repository, WorkflowJob
from app.store.told_runs import NO_REPOSITORY
from app.world import World

if TYPE_CHECKING:
    from app.github.client import GitHubClient

DONE, NOT_DONE = "+1", "confused"
LOOSE_SINCE, MOST_LOOSE = timedelta(days=30), 5
# One sentence for both, so that nobody learns what there is where they may not write.
NOT_KNOWN = "There is no such agent run here, or you may not write in a repository that it concerns."
log = logging.getLogger(__name__)


class NotDoneError(Exception):
    """A command that cannot be followed; the message is a sentence for whoever gave it."""


@dataclass(frozen=True, slots=True)
class Said:
    """A command's comment, and where it stands."""

    key: PullKey
    repository: Repository
    comment: CommentFact


# ---- in a pull's conversation ----------------------------------------------------------------------------------


def on_comment(event: CommentEvent, world: World) -> None:
    """`issue_comment`: follow the command in a new comment that a person with write access made on a pull."""
    if not (event.action == "created" and event.on_pull and event.by_person and may_hold_command(event.body)):
        return
    repository, github = _repository(event, world), world.client(event.account_id)
    comment = github.read_comment(repository.owner, repository.name, event.comment_id) if github else None
    if github is None or comment is None or not comment.by_person:
        return
    said = Said(PullKey(event.account_id, event.repository.repository_id, event.number), repository, comment)
    try:
        _follow(said, event.body, github, world)
    except (NotDoneError, UnreadableCommandError) as no:
        with world.db.transaction() as session:
            _answer(session, world, said, NOT_DONE, refusal(comment.login, str(no)))


def _repository(event: CommentEvent, world: World) -> Repository:
    """Where the comment stands. LookupError while the account is not known."""
    with world.db.transaction() as session:
        if installation_of(session, event.account_id) is None:
            raise LookupError(f"account {event.account_id} is not known yet")
        known = repository_of(session, event.account_id, event.repository.repository_id)
        if known is None:
            save_repository(session, event.account_id, event.repository, world.now())
            known = repository_of(session, event.account_id, event.repository.repository_id)
    if known is None:
        raise LookupError(f"repository {event.repository.repository_id} is not known yet")
    return known


def _follow(said: Said, heard: str, github: "GitHubClient", world: World) -> None:
    """Do what the comment says. Raises NotDoneError and UnreadableCommandError."""
    wanted: Attribute | Detach | Explain | UnreadableCommandError | None
    try:
        wanted = command_in(heard)
    except UnreadableCommandError as no:
        wanted = no
    if wanted is None:
        return
    if not _may_write(github, said.repository, said.comment):
        with world.db.transaction() as session:  # whoever may not write makes us write nothing either
            _answer(session, world, said, NOT_DONE, "")
        return
    if said.comment.body != heard:
        raise NotDoneError("The comment was edited before it was read; write the command in a new one.")
    if isinstance(wanted, UnreadableCommandError):
        raise wanted
    if isinstance(wanted, Explain):
        _explain(said, world)
    else:
        _decide(said, wanted, github, world)


def _may_write(github: "GitHubClient", repository: Repository, person: CommentFact) -> bool:
    return github.may_write(repository.owner, repository.name, person.login, person.user_id)


def _decide(said: Said, wanted: Attribute | Detach, github: "GitHubClient", world: World) -> None:
    account_id, here = said.key.account_id, said.key.repository_id
    with world.db.reading() as session:
        named = _named(session, world, account_id, wanted.target)
        others = _concerned(named) - {here, NO_REPOSITORY}
        repositories = [repository_of(session, account_id, each) for each in sorted(others)]
    for repository in repositories:
        if repository is None or not _may_write(github, repository, said.comment):
            raise NotDoneError(NOT_KNOWN)
    runs = _movable(named)
    number = (wanted.number or PullNumber(said.key.number)) if isinstance(wanted, Attribute) else None
    if number not in (None, said.key.number):
        there = github.read_pull(said.repository.owner, said.repository.name, PullNumber(number or 0))
        if there is None:
            raise NotDoneError(f"There is no pull request {number} in this repository.")
    decision = Decision(
        repository_id=here,
        number=number,
        reason=wanted.reason,
        user_id=said.comment.user_id,
        login=said.comment.login,
        source=comment_source(said.comment.comment_id),
        said_at=said.comment.created_at,
    )
    with world.db.transaction() as session:
        _keep(session, world, account_id, runs, decision)
        _answer(session, world, said, DONE, "")


def _explain(said: Said, world: World) -> None:
    key, web = said.key, world.settings.github_web_url
    with world.db.transaction() as session:
        tied = tied_runs(session, key)
        since = world.now() - LOOSE_SINCE
        loose = unattributed_lately(session, key.account_id, key.repository_id, since, MOST_LOOSE)
        jobs = [session.get_one(WorkflowJob, run.workflow_job_id) for run in loose]
        text = explanation(
            said.comment.login,
            tuple(_explained(web, said, each.agent_run, each.job, each.tie.note) for each in tied),
            tuple(_explained(web, said, run, job, "") for run, job in zip(loose, jobs, strict=True)),
        )
        _answer(session, world, said, DONE, text)


def _explained(web: str, said: Said, run: AgentRun, job: WorkflowJob, note: str) -> ExplainedRun:
    at_home = job.run_id and job.repository_id == said.key.repository_id
    url = f"{web}/{said.repository.owner}/{said.repository.name}/actions/runs/{job.run_id}" if at_home else ""
    return ExplainedRun(run.id, run.agent, run.evidence, note or run.evidence_note, url)


# ---- on the command line ----------------------------------------------------------------------------------------


def decide_here(
    world: World, account_id: int, target: Target, pull: tuple[str, str, int] | None, reason: str, by: str
) -> int:
    """Attribute agent runs to a pull (owner, name, number), or with None to no pull; how many. Raises NotDoneError.

    Whoever may use the command line may do anything here: nobody is asked.
    """
    with world.db.transaction() as session:
        named = _named(session, world, account_id, target)
        runs = _movable(named)
        key = _pull_called(session, account_id, *pull) if pull else None
        decision = Decision(
            repository_id=key.repository_id if key else runs[0].agent_run.repository_id,
            number=PullNumber(key.number) if key else None,
            reason=reason,
            user_id=0,
            login=by,
            source=COMMAND_LINE,
            said_at=world.now(),
        )
        _keep(session, world, account_id, runs, decision)
    return len(runs)


def _pull_called(session: Session, account_id: int, owner: str, name: str, number: int) -> PullKey:
    for repository_id in repositories_called(session, account_id, owner, name):
        key = PullKey(account_id, repository_id, number)
        if pull_of(session, key) is not None:
            return key
    raise NotDoneError(f"There is no pull {owner}/{name}#{number} that is known here.")


# ---- both ----------------------------------------------------------------------------------------------------------


def _named(session: Session, world: World, account_id: int, target: Target) -> list[NamedRun]:
    foreign = isinstance(target, WorkflowRunNamed) and target.host != world.settings.github_web_url
    named = [] if foreign else runs_named(session, account_id, target)
    if not named:
        raise NotDoneError(NOT_KNOWN)
    return named


def _concerned(named: Iterable[NamedRun]) -> set[int]:
    """The repositories in which the agents ran, and those whose pulls have their cost now."""
    return {
        repository_id
        for each in named
        for repository_id in (each.agent_run.repository_id, *(repository_id for repository_id, _ in each.tied_to))
    }


def _movable(named: Sequence[NamedRun]) -> list[NamedRun]:
    """Those that a person may decide on. Raises NotDoneError when one of them is beyond it, or none is left."""
    if len(named) > MOST_NAMED:
        raise NotDoneError(f"That names more than {MOST_NAMED} agent runs; name an attempt, a job or a single one.")
    if any(signed_pull(each.job.ref) for each in named):
        raise NotDoneError(
            "The signed token of its workflow run names its pull. That is stronger than what a person says, and stands."
        )
    runs = [each for each in named if each.agent_run.completeness != Completeness.MISSING]
    if not runs:
        raise NotDoneError("Its record never came, so there is no cost to attribute.")
    return runs


def _keep(session: Session, world: World, account_id: int, runs: Sequence[NamedRun], decision: Decision) -> None:
    """Write the decision down, and have the agent runs settled and their new pull read."""
    add_decision(session, account_id, [each.agent_run.id for each in runs], decision)
    now = world.now()
    jobs = [
        run_job(job.account_id, job.repository_id, job.run_id, "place", job.id, now)
        for job in {each.job.id: each.job for each in runs}.values()
    ]
    if decision.number is not None:
        key = PullKey(account_id, decision.repository_id, decision.number)
        jobs += [pull_job(key, "read", now)] if pull_of(session, key) is None else []
    enqueue_all(session, jobs, now)


# ---- the answer ----------------------------------------------------------------------------------------------------


def _answer(session: Session, world: World, said: Said, reaction: str, text: str) -> None:
    now = world.now()
    enqueue_all(session, answer_jobs(said.key, said.comment.comment_id, reaction, text, now), now)


def answer(job: Job, world: World) -> None:
    """Put a reaction below a command, or one comment that answers it. Repeating it changes nothing."""
    key = PullKey(job.account_id, int(job.args["repository_id"]), int(job.args["number"]))
    with world.db.reading() as session:
        repository = repository_of(session, key.account_id, key.repository_id)
    github = world.client(key.account_id)
    if repository is None or github is None:
        return
    comment_id = int(job.args["comment_id"])
    if "text" in job.args:
        _put_answer(world, github, repository, key, comment_id, str(job.args["text"]))
        return
    try:
        github.react(repository.owner, repository.name, comment_id, str(job.args["reaction"]))
    except Refused as no:  # the comment is gone, or the conversation is locked: nobody waits for a sign
        log.warning("account %s: no reaction below comment %s: %s", key.account_id, comment_id, no)


def _put_answer(
    world: World, github: "GitHubClient", repository: Repository, key: PullKey, comment_id: int, text: str
) -> None:
    name = f"answer:{key.repository_id}:{comment_id}"
    with world.db.reading() as session:
        effect = effect_of(session, key.account_id, name)
    if effect is not None and effect.state != "intent":
        return
    where = repository.owner, repository.name, key.number
    location = f"{repository.owner}/{repository.name}#{key.number}"
    effect = effect or Effect(account_id=key.account_id, key=name, location=location, state="intent", updated_at_us=0)
    _note(world, effect)
    mark = marker(Kind.ANSWER, key.repository_id, key.number, comment_id)
    try:
        put = github.put_comment(*where, f"{text}\n\n{mark}", mark, None)
    except Refused as no:
        effect.state, effect.note = "refused", str(no)
        log.warning("account %s: %s at %s: %s", effect.account_id, effect.key, effect.location, no)
    else:
        effect.state, effect.github_id, effect.body_sha256 = "written", put.id, fingerprint(text)
    _note(world, effect)


def _note(world: World, effect: Effect) -> None:
    with world.db.transaction() as session:
        write_effect(session, effect, world.now())

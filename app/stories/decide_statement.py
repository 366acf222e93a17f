"""A budget owner accepts or disputes a statement, in a comment on its issue; an operator does so on the command line.

Who may is what the configuration says at that moment: a file that has changed since it was read is read first. What
bots, Apps and edits say is never a decision. A decision is written down under a lock of the statement, so of two only
the first counts, and the other one is told.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import Session

from app.core.chargeback.decisions import COMMAND_LINE, Speaker, not_now, refusal_of
from app.core.chargeback.periods import StatementState
from app.core.commands import Decision, Dispute, UnreadableCommandError, decision_in, may_hold_command
from app.core.config_file import CONFIG_FILE
from app.core.events import CommentEvent
from app.core.facts import CommentFact
from app.core.outcomes import Later
from app.core.report.answers import refusal
from app.store.accounts import repository_of
from app.store.chargeback_tables import StatementRow
from app.store.configs import config_in_force, config_of
from app.store.jobs import answer_jobs
from app.store.manual_links import comment_source
from app.store.pulls import PullKey
from app.store.queue import NewJob, enqueue, enqueue_all
from app.store.statement_issues import (
    held,
    is_decided_by,
    may_become_one,
    other_id,
    standing,
    statement_job,
    statement_on,
)
from app.store.statements import settle
from app.store.tables import Repository
from app.world import World

if TYPE_CHECKING:
    from app.github.client import GitHubClient

DONE, NOT_DONE = "+1", "confused"
READ_FIRST, NOTED_SOON, MADE_WITHIN = timedelta(seconds=5), timedelta(seconds=30), timedelta(hours=1)


class NotDecidedError(Exception):
    """A decision that cannot be followed; the message is a sentence for whoever made it."""


# ---- on the statement's issue ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """A comment on the issue of a statement."""

    key: PullKey  # of the issue
    number: str  # of the statement
    repository: Repository
    comment: CommentFact


def on_comment(event: CommentEvent, world: World) -> None:
    """`issue_comment` on an issue: follow the decision in a new comment that a person made on a statement's."""
    if not (event.action == "created" and not event.on_pull and event.by_person and may_hold_command(event.body)):
        return
    key = PullKey(event.account_id, event.repository.repository_id, event.number)
    with world.db.reading() as session:
        number = statement_on(session, key.account_id, key.repository_id, key.number)
        repository = repository_of(session, key.account_id, key.repository_id)
        early = number is None and may_become_one(session, key.account_id, key.repository_id, world.now() - MADE_WITHIN)
    if early:
        raise Later(world.now() + NOTED_SOON, "a statement is being put there")
    github = world.client(event.account_id)
    if number is None or repository is None or github is None:
        return
    comment = github.read_comment(repository.owner, repository.name, event.comment_id)
    if comment is None or not comment.by_person or comment.user_id != event.user_id:
        return
    said = Said(key, number, repository, comment)
    try:
        asked = decision_in(event.body)
        if asked is not None:
            _ask_for_present_configuration(world, github, event.account_id)
            _decide(said, asked, event.body, world)
    except (NotDecidedError, UnreadableCommandError) as no:
        _answer(world, said, str(no))


def _ask_for_present_configuration(world: World, github: "GitHubClient", account_id: int) -> None:
    """Raise Later when the configuration file is not the one that was read: it is read first."""
    with world.db.reading() as session:
        version = config_of(session, account_id)
    owner, _, name = version.source.partition("/")
    if not name or github.read_file(owner, name, CONFIG_FILE, "") == version.read_text:
        return
    with world.db.transaction() as session:
        new = NewJob(account_id, f"{account_id}/installation", "refresh", "refresh", {}, world.now())
        enqueue(session, new, world.now())
    raise Later(world.now() + READ_FIRST, "the configuration has changed, and is read first")


def _decide(said: Said, asked: Decision, heard: str, world: World) -> None:
    """Write the decision down and have it shown, or raise NotDecidedError. A comment decides once."""
    if said.comment.body != heard:
        raise NotDecidedError("The comment was edited before it was read; write the command in a new one.")
    account_id, comment, now = said.key.account_id, said.comment, world.now()
    source = comment_source(comment.comment_id)
    with world.db.transaction() as session:
        row = held(session, account_id, said.number)
        if row is None or is_decided_by(session, row, source):
            return
        config = config_in_force(session, account_id)
        by = Speaker(comment.login, comment.user_id, comment.created_at)
        before = other_id(session, account_id, by.login, by.user_id)
        if sentence := refusal_of(asked, by, standing(session, row, config), before):
            raise NotDecidedError(sentence)
        state, reason = _wanted(asked)
        settle(session, row, state, source, now, user_id=by.user_id, login=by.login, reason=reason)
        jobs = answer_jobs(said.key, comment.comment_id, DONE, "", now)
        enqueue_all(session, [*jobs, statement_job(row, now)], now)


def _wanted(asked: Decision) -> tuple[StatementState, str]:
    if isinstance(asked, Dispute):
        return StatementState.DISPUTED, asked.reason
    return StatementState.ACCEPTED, ""


def _answer(world: World, said: Said, sentence: str) -> None:
    """One quiet answer to a comment. Where everybody can write they are not told who may decide."""
    now, public = world.now(), said.repository.visibility == "public"
    text = "" if public else refusal(said.comment.login, sentence)
    with world.db.transaction() as session:
        enqueue_all(session, answer_jobs(said.key, said.comment.comment_id, NOT_DONE, text, now), now)


# ---- on the command line --------------------------------------------------------------------------------------------


def accept_here(world: World, account_id: int, number: str, login: str, reason: str) -> StatementRow:
    """Accept the version in force in somebody's name. Whoever may use the command line may: nobody is asked."""
    return _settle_here(world, account_id, number, StatementState.ACCEPTED, login, reason)


def dispute_here(world: World, account_id: int, number: str, login: str, reason: str) -> StatementRow:
    """Dispute the version in force."""
    return _settle_here(world, account_id, number, StatementState.DISPUTED, login, reason)


def _settle_here(
    world: World, account_id: int, number: str, state: StatementState, login: str, reason: str
) -> StatementRow:
    now = world.now()
    with world.db.transaction() as session:
        row = _held_here(session, account_id, number)
        accepts = state is StatementState.ACCEPTED
        if sentence := not_now(accepts, standing(session, row, config_in_force(session, account_id))):
            raise NotDecidedError(sentence)
        settle(session, row, state, COMMAND_LINE, now, login=login, reason=reason)
        enqueue(session, statement_job(row, now), now)
        return row


def _held_here(session: Session, account_id: int, number: str) -> StatementRow:
    row = held(session, account_id, number)
    if row is None:
        raise NotDecidedError(f"There is no statement {number}.")
    return row

"""Pulls as lists tell them, beside those that we hold. What an event told meanwhile is never overwritten here."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_, text
from sqlmodel import Session, col, select, update

from app.core.facts import CommitFact, PullFact, PullState
from app.core.matching import CLAIMED_BRANCH
from app.store.keys import us
from app.store.pulls import Linked, PullKey, add_issues, pull_row, remember_heads, save_commits
from app.store.queue import NewJob
from app.store.tables import CommitMade, Pull, PullCommit, PullIssue, PullReading, WorkflowJob

COLUMNS = tuple(column.name for column in Pull.metadata.tables["pull"].columns)
ADD = text(
    f"INSERT INTO pull ({', '.join(COLUMNS)}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})"  # noqa: S608
    " ON CONFLICT DO NOTHING RETURNING number"
)


# What no list tells, or what changes with each reading.
UNLISTED = frozenset({"read_at_us", "reverts_shas", "reverts_only"})


def held_pulls(session: Session, reading: PullReading, numbers: Collection[int]) -> dict[int, Pull]:
    """The pulls that we hold of these."""
    found = session.exec(select(Pull).where(_here(Pull, reading), col(Pull.number).in_(numbers)))
    return {pull.number: pull for pull in found}


def without_commits(session: Session, reading: PullReading, numbers: Collection[int]) -> set[int]:
    """Those of these pulls whose commits were never read: there is no pull without any."""
    query = select(PullCommit.number).where(_here(PullCommit, reading), col(PullCommit.number).in_(numbers))
    read = session.exec(query.distinct()).all()
    return set(numbers).difference(read)


def differs(session: Session, held: Pull, fact: PullFact, linked: Linked) -> bool:
    """Whether what we hold of a pull is not what a list tells now. `linked` knows nothing of its commits."""
    key = PullKey(held.account_id, held.repository_id, held.number)
    told = pull_row(key, fact, linked, now=fact.created_at)
    # The test merge of a pull that is not merged is made anew whenever somebody looks: it tells nothing.
    passed_over = UNLISTED if fact.state is PullState.MERGED else UNLISTED | {"merge_commit_sha"}
    if any(getattr(held, name) != getattr(told, name) for name in COLUMNS if name not in passed_over):
        return True
    closes = session.exec(select(PullIssue.issue).where(_here(PullIssue, held), PullIssue.number == held.number))
    return set(closes) != linked.closes


def add_pull(
    session: Session, key: PullKey, fact: PullFact, linked: Linked, commits: Sequence[CommitFact], now: datetime
) -> bool:
    """Write a pull that we do not hold, with its commits where they were read; False where it came in meanwhile.

    Whoever works in the pull's own lane may write at any time: older than what is there this can be, newer never.
    """
    row = pull_row(key, fact, linked, now).model_dump()
    if session.connection().execute(ADD, row).first() is None:
        return False
    remember_heads(session, key, [fact.head_sha])
    add_issues(session, key, linked)
    if commits:
        save_commits(session, key, commits)
    return True


def seen_again(session: Session, reading: PullReading, numbers: Collection[int], now: datetime) -> None:
    """Note that these pulls are just as we hold them."""
    session.exec(update(Pull).where(_here(Pull, reading), col(Pull.number).in_(numbers)).values(read_at_us=us(now)))


def unseen_open(session: Session, reading: PullReading) -> list[int]:
    """The pulls that we hold as open and that no list has shown since the reading began."""
    query = select(Pull.number).where(
        _here(Pull, reading), Pull.state == PullState.OPEN.value, Pull.read_at_us < reading.started_at_us
    )
    return list(session.exec(query.order_by(col(Pull.number))))


def touched(
    session: Session,
    reading: PullReading,
    facts: Iterable[PullFact],
    links: Mapping[int, Linked],
    commits: Mapping[int, Sequence[CommitFact]],
) -> set[int]:
    """Those of these pulls that a recorded job touches by any evidence: its agent runs could be theirs."""
    refs, shas, issues = (defaultdict[Any, set[int]](set) for _ in range(3))
    numbers: set[int] = set()
    for fact in facts:
        number = fact.number
        numbers.add(number)
        for ref in (f"refs/heads/{fact.head_ref}", f"refs/pull/{number}/merge", f"refs/pull/{number}/head"):
            refs[ref].add(number)
        refs[CLAIMED_BRANCH + fact.head_ref].add(number)
        for sha in (fact.head_sha, *(commit.sha for commit in commits.get(number, ()))):
            shas[sha].add(number)
        for issue in links[number].closes:
            issues[issue].add(number)
    job = WorkflowJob
    same = or_(
        col(job.ref).in_(refs),
        col(job.run_head_sha).in_(shas),
        col(job.pull_number).in_(numbers),
        col(job.issue_number).in_(issues) if issues else false(),
    )
    query = select(job.ref, job.run_head_sha, job.issue_number, job.pull_number).where(_here(job, reading), same)
    made = session.exec(select(CommitMade.sha).where(_here(CommitMade, reading), col(CommitMade.sha).in_(shas)))
    found = {number for sha in made for number in shas[sha]}
    for of_ref, of_sha, of_issue, named in session.exec(query):
        found |= refs.get(of_ref, set()) | shas.get(of_sha, set()) | issues.get(of_issue, set()) | (numbers & {named})
    return found


def read_job(key: PullKey, due: datetime) -> NewJob:
    """The job that reads a pull in its own lane and settles what it could concern."""
    lane = f"{key.account_id}/{key.repository_id}/{key.number}"
    args = {"repository_id": key.repository_id, "number": key.number}
    return NewJob(key.account_id, lane, "read", f"read:{lane}", args, due)


def _here(
    table: type[CommitMade | Pull | PullCommit | PullIssue | WorkflowJob], reading: PullReading | Pull
) -> ColumnElement[bool]:
    return and_(col(table.account_id) == reading.account_id, col(table.repository_id) == reading.repository_id)

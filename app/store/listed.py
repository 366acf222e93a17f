"""Pulls as lists tell them, beside those that we hold. What an event told meanwhile is never overwritten here."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Result, and_, text, union
from sqlmodel import Session, col, select, update

from app.core.facts import CommitFact, PullFact, PullState
from app.core.matching import CLAIMED_BRANCH
from app.store.keys import us
from app.store.pulls import Linked, PullKey, pull_row, remember_heads, save_closed_issues, save_commits
from app.store.reading_tables import PullReading
from app.store.rollups import mark
from app.store.tables import CommitMade, Pull, PullCommit, PullIssue, PullNamed, WorkflowJob

COLUMNS = tuple(column.name for column in Pull.metadata.tables["pull"].columns)
ADD = text(
    f"INSERT INTO pull ({', '.join(COLUMNS)}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})"  # noqa: S608
    " ON CONFLICT DO NOTHING RETURNING number"
)


def held_pulls(session: Session, reading: PullReading, numbers: Collection[int]) -> dict[int, Pull]:
    """The pulls that we hold of these."""
    found = session.exec(select(Pull).where(_here(Pull, reading), col(Pull.number).in_(numbers)))
    return {pull.number: pull for pull in found}


def without_commits(session: Session, reading: PullReading, numbers: Collection[int]) -> set[int]:
    """Those of these pulls whose commits were never read: there is no pull without any."""
    query = select(PullCommit.number).where(_here(PullCommit, reading), col(PullCommit.number).in_(numbers))
    read = session.exec(query.distinct()).all()
    return set(numbers).difference(read)


def differs(held: Pull, fact: PullFact, linked: Linked) -> bool:
    """Whether what we hold of a pull is not what GitHub tells now. Its commits are not looked at."""
    told = pull_row(PullKey(held.account_id, held.repository_id, held.number), fact, linked, now=fact.created_at)
    passed_over = {"read_at_us", "reverts_shas", "reverts_only", "lines_changed"}  # no list tells these
    if fact.state is not PullState.MERGED:
        # The test merge of a pull that is not merged is made anew whenever somebody looks: it tells nothing.
        passed_over.add("merge_commit_sha")
    return any(getattr(held, name) != getattr(told, name) for name in COLUMNS if name not in passed_over)


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
    save_closed_issues(session, key, linked.closes)
    if commits:
        save_commits(session, key, commits)
    mark(session, key.account_id, key.repository_id)
    return True


def closed_issues(session: Session, reading: PullReading, numbers: Collection[int]) -> dict[int, set[int]]:
    """The issues that we hold as closed by each of these pulls."""
    query = select(PullIssue.number, PullIssue.issue).where(
        _here(PullIssue, reading), col(PullIssue.number).in_(numbers)
    )
    found: dict[int, set[int]] = defaultdict(set)
    for number, issue in session.exec(query):
        found[number].add(issue)
    return found


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
    commits: Mapping[int, Sequence[CommitFact]],
    closes: Mapping[int, Collection[int]],
) -> set[int]:
    """Those of these pulls whose number, branch, head, commit or issue a recorded job bears: runs could be theirs.

    `closes`: the issues that each pull closes.
    """
    issues = defaultdict[int | None, set[int]](set)
    for number, closed in closes.items():
        for issue in closed:
            issues[issue].add(number)
    refs, shas, numbers = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set), set[int]()
    for fact in facts:
        numbers.add(fact.number)
        for ref in (f"heads/{fact.head_ref}", f"pull/{fact.number}/merge", f"pull/{fact.number}/head"):
            refs[f"refs/{ref}"].add(fact.number)
        refs[CLAIMED_BRANCH + fact.head_ref].add(fact.number)
        for sha in (fact.head_sha, *(commit.sha for commit in commits.get(fact.number, ()))):
            shas[sha].add(fact.number)
    job = WorkflowJob
    same = (
        col(job.ref).in_(refs),
        col(job.run_head_sha).in_(shas),
        col(job.pull_number).in_(numbers),
        col(job.issue_number).in_([issue for issue in issues if issue]),
    )
    # One question for each: joined by OR, SQLite would read all jobs of the repository.
    alike = [
        select(job.ref, job.run_head_sha, job.pull_number, job.issue_number).where(_here(job, reading), one)
        for one in same
    ]
    answer: Result[str, str | None, int | None, int | None] = session.connection().execute(union(*alike))
    found = answer.all()
    naming = session.exec(
        select(PullNamed.number).where(_here(PullNamed, reading), col(PullNamed.number).in_(numbers))
    ).all()
    made = session.exec(select(CommitMade.sha).where(_here(CommitMade, reading), col(CommitMade.sha).in_(shas)))
    by_ref = (number for ref, *_ in found for number in refs.get(ref, ()))
    by_sha = (number for sha in (*(sha for _, sha, *_ in found), *made) for number in shas.get(sha or "", ()))
    by_issue = (number for *_, issue in found for number in issues.get(issue, ()))
    return {*by_ref, *by_sha, *by_issue, *naming, *(numbers & {number for _, _, number, _ in found})}


def _here(
    table: type[CommitMade | Pull | PullCommit | PullIssue | PullNamed | WorkflowJob], reading: PullReading
) -> ColumnElement[bool]:
    return and_(col(table.account_id) == reading.account_id, col(table.repository_id) == reading.repository_id)

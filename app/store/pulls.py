"""Pulls as last read from GitHub, with every head they ever had, and the facts that matching asks for."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Protocol

from sqlalchemy import BigInteger, ColumnElement, CompoundSelect, and_, bindparam, text, union
from sqlmodel import Session, col, delete, select

from app.core.facts import CommitFact, PullFact, PullNumber
from app.core.matching import CLAIMED_BRANCH, PullFacts
from app.core.reverts import Reverting, first_effective, reverters
from app.core.stacks import Stacked
from app.store.keys import instant, known_instant, us
from app.store.rollups import mark
from app.store.tables import (
    REVERTS,
    CommitMade,
    Pull,
    PullCommit,
    PullHead,
    PullIssue,
    PullNamed,
    WorkflowJob,
)
from app.store.vendor_tables import PullTold

ADD_HEAD = text(
    "INSERT INTO pull_head (account_id, repository_id, number, sha) VALUES (:account_id, :repository_id, :number, :sha)"
    " ON CONFLICT DO NOTHING"
)
BEYOND_HEX = "g"  # behind every digit of a sha


@dataclass(frozen=True, slots=True)
class PullKey:
    account_id: int
    repository_id: int
    number: int


@dataclass(frozen=True, slots=True)
class Linked:
    """What a pull's own words say of others: the pull and the commits it reverts, the issues it closes."""

    reverts: int | None = None
    reverts_shas: Sequence[tuple[str, str]] = ()  # a commit of the pull, and the one that it reverts
    reverts_only: bool = False
    closes: frozenset[int] = frozenset()


def save_pull(session: Session, key: PullKey, fact: PullFact, linked: Linked, now: datetime) -> None:
    """Write a pull as GitHub tells it now, and remember its head."""
    session.merge(pull_row(key, fact, linked, now))
    save_closed_issues(session, key, linked.closes)
    session.flush()
    remember_heads(session, key, [fact.head_sha])
    mark(session, key.account_id, key.repository_id)


def save_closed_issues(session: Session, key: PullKey, issues: Iterable[int]) -> None:
    """Replace the issues that a pull's description closes by those of its present one."""
    session.exec(delete(PullIssue).where(_of(PullIssue, key)))
    session.add_all(
        PullIssue(account_id=key.account_id, repository_id=key.repository_id, number=key.number, issue=issue)
        for issue in issues
    )


def pull_row(key: PullKey, fact: PullFact, linked: Linked, now: datetime) -> Pull:
    """A pull as the table holds it."""
    return Pull(
        account_id=key.account_id,
        repository_id=key.repository_id,
        number=key.number,
        title=fact.title,
        state=fact.state.value,
        draft=fact.draft,
        locked=fact.locked,
        head_ref=fact.head_ref,
        head_sha=fact.head_sha,
        head_repository_id=fact.head_repository_id,
        base_ref=fact.base_ref,
        author_id=fact.author_id,
        created_at_us=us(fact.created_at),
        closed_at_us=us(fact.closed_at) if fact.closed_at else None,
        merged_at_us=us(fact.merged_at) if fact.merged_at else None,
        merge_commit_sha=fact.merge_commit_sha,
        reverts_number=linked.reverts,
        reverts_shas=json.dumps(list(linked.reverts_shas)),
        reverts_only=linked.reverts_only,
        lines_changed=fact.lines_changed,
        github_id=fact.github_id,
        read_at_us=us(now),
    )


def remember_heads(session: Session, key: PullKey, shas: Iterable[str]) -> None:
    """Remember shas that were a pull's head at some time: an event may tell one that nobody can read any more."""
    rows = [
        {"account_id": key.account_id, "repository_id": key.repository_id, "number": key.number, "sha": sha}
        for sha in sorted({sha for sha in shas if sha})
    ]
    if rows:
        session.connection().execute(ADD_HEAD, rows)


def is_head(session: Session, key: PullKey, sha: str) -> bool:
    """Whether a sha is known to have been the pull's head."""
    return session.get(PullHead, (key.account_id, key.repository_id, key.number, sha)) is not None


def save_commits(session: Session, key: PullKey, commits: Sequence[CommitFact]) -> None:
    """Replace a pull's commits by those that GitHub lists now."""
    session.exec(delete(PullCommit).where(_of(PullCommit, key)))
    session.add_all(
        PullCommit(
            account_id=key.account_id,
            repository_id=key.repository_id,
            number=key.number,
            sha=sha,
            committed_at_us=us(committed_at),
        )
        for sha, committed_at in {commit.sha: commit.committed_at for commit in commits}.items()
    )
    session.flush()
    mark(session, key.account_id, key.repository_id)


def pull_of(session: Session, key: PullKey) -> Pull | None:
    return session.get(Pull, (key.account_id, key.repository_id, key.number))


@dataclass(frozen=True, slots=True)
class Reversals:
    """Of one repository: each pull with those that revert it, and when each of them merged."""

    by: Mapping[int, Sequence[int]]
    merged_at: Mapping[int, datetime]

    def for_good(self) -> dict[int, datetime]:
        """When each reverted pull was reverted, where that was not reverted itself."""
        return first_effective(self.by, self.merged_at)

    def of(self, number: int) -> list[int]:
        """The pulls whose figures a pull changes by reverting: what it reverts, what that had reverted, and so on."""
        found: list[int] = []
        waiting = [number]
        while waiting:
            one = waiting.pop()
            new = [pull for pull, by in self.by.items() if one in by and pull not in found and pull != number]
            found += new
            waiting += new
        return sorted(found)


def reversals_of(session: Session, account_id: int, repository_id: int) -> Reversals:
    """What a repository's pulls revert, by their numbers and by the commits that merged them."""
    here = (Pull.account_id == account_id, Pull.repository_id == repository_id)
    reverting = session.exec(select(Pull).where(*here, REVERTS)).all()

    def merged_as(sha: str) -> Sequence[int]:
        begins = col(Pull.merge_commit_sha).between(sha, sha + BEYOND_HEX), col(Pull.merge_commit_sha).startswith(sha)
        return session.exec(select(Pull.number).where(*here, *begins)).all()

    return reversals_among(reverting, merged_as)


class KeptPull(Protocol):
    """What reverts and stacks need of a pull, as the table holds it."""

    @property
    def number(self) -> int: ...
    @property
    def repository_id(self) -> int: ...
    @property
    def head_ref(self) -> str: ...
    @property
    def head_repository_id(self) -> int | None: ...
    @property
    def base_ref(self) -> str: ...
    @property
    def created_at_us(self) -> int: ...
    @property
    def closed_at_us(self) -> int | None: ...
    @property
    def merged_at_us(self) -> int | None: ...
    @property
    def merge_commit_sha(self) -> str | None: ...
    @property
    def reverts_number(self) -> int | None: ...
    @property
    def reverts_shas(self) -> str: ...


def reversals_among(pulls: Sequence[KeptPull], merged_as: Callable[[str], Iterable[int]] | None = None) -> Reversals:
    """What pulls of one repository revert. `merged_as`: the pulls that a commit merged, where `pulls` are not all."""

    def among(sha: str) -> list[int]:
        return [pull.number for pull in pulls if (pull.merge_commit_sha or "").startswith(sha)]

    reverting = [
        Reverting(pull.number, pull.reverts_number, json.loads(pull.reverts_shas), known_instant(pull.merged_at_us))
        for pull in pulls
        if pull.reverts_number is not None or pull.reverts_shas != "[]"
    ]
    times = {pull.number: pull.merged_at for pull in reverting if pull.merged_at is not None}
    return Reversals(reverters(reverting, merged_as or among), times)


def stacked(pull: KeptPull, tracked: bool) -> Stacked:
    """A pull as stacks are found. `tracked`: a merge into its base branch counts."""
    return Stacked(
        number=pull.number,
        head_ref=pull.head_ref,
        base_ref=pull.base_ref,
        own_branch=pull.head_repository_id == pull.repository_id,
        created_at=instant(pull.created_at_us),
        closed_at=known_instant(pull.closed_at_us),
        merged_at=known_instant(pull.merged_at_us),
        tracked=tracked,
    )


def candidates(
    session: Session,
    job: WorkflowJob,
    *,
    numbers: Iterable[int | None],
    shas: Iterable[str | None],
    branches: Iterable[str | None],
) -> list[PullFacts]:
    """Every pull of the job's repository that shares a number, a head or commit, a branch or an issue with it."""
    wanted = {number for number in numbers if number is not None}
    known = [sha for sha in shas if sha]
    for table in (PullHead, PullCommit):
        query = select(table.number).where(
            table.account_id == job.account_id, table.repository_id == job.repository_id, col(table.sha).in_(known)
        )
        wanted.update(session.exec(query) if known else ())
    if job.issue_number is not None:
        closing = select(PullIssue.number).where(
            PullIssue.account_id == job.account_id,
            PullIssue.repository_id == job.repository_id,
            PullIssue.issue == job.issue_number,
        )
        wanted.update(session.exec(closing))
    here = and_(col(Pull.account_id) == job.account_id, col(Pull.repository_id) == job.repository_id)
    on = [branch for branch in branches if branch]
    which = [(Pull.number, wanted), (Pull.head_ref, on)]
    # Neither in one question nor in order: for both SQLite would read all pulls of the repository.
    found = {
        pull.number: pull
        for column, values in which
        if values
        for pull in session.exec(select(Pull).where(here, col(column).in_(values)))
    }
    return [_facts(session, found[number], known) for number in sorted(found)]


def _facts(session: Session, pull: Pull, shas: Sequence[str]) -> PullFacts:
    """A pull for matching; of its heads and commits only the asked ones, since it may have hundreds."""
    key = PullKey(pull.account_id, pull.repository_id, pull.number)
    heads = session.exec(select(PullHead.sha).where(_of(PullHead, key), col(PullHead.sha).in_(shas))) if shas else ()
    commits = (
        session.exec(
            select(PullCommit.sha, PullCommit.committed_at_us).where(
                _of(PullCommit, key), col(PullCommit.sha).in_(shas)
            )
        )
        if shas
        else ()
    )
    return PullFacts(
        number=PullNumber(pull.number),
        head_ref=pull.head_ref,
        base_ref=pull.base_ref,
        same_repository=pull.head_repository_id == pull.repository_id,
        created_at=instant(pull.created_at_us),
        closed_at=instant(pull.closed_at_us) if pull.closed_at_us is not None else None,
        heads=frozenset(heads),
        commits={sha: instant(at) for sha, at in commits},
        closes=frozenset(session.exec(select(PullIssue.issue).where(_of(PullIssue, key)))),
        author_id=pull.author_id,
    )


def jobs_touching(session: Session, key: PullKey) -> list[str]:
    """The workflow jobs whose agent runs this pull could own, by any evidence."""
    pull = pull_of(session, key)
    if pull is None:
        return []
    heads = set(session.exec(select(PullHead.sha).where(_of(PullHead, key))))
    commits = set(session.exec(select(PullCommit.sha).where(_of(PullCommit, key))))
    closes = set(session.exec(select(PullIssue.issue).where(_of(PullIssue, key))))
    refs = [f"refs/pull/{key.number}/merge", f"refs/pull/{key.number}/head", f"refs/heads/{pull.head_ref}"]
    values = {
        "account": key.account_id,
        "repository": key.repository_id,
        "refs": [*refs, CLAIMED_BRANCH + pull.head_ref],
        "numbers": [key.number],
        "shas": sorted(heads | commits),
        "commits": sorted(commits),
        "issues": sorted(closes),
        "told": [] if pull.github_id is None else [pull.github_id],
    }
    return sorted(session.connection().execute(_touching(), values).scalars())


@cache
def _touching() -> CompoundSelect[str]:
    """One question for each kind of evidence: joined by OR, SQLite would read all jobs of the repository."""
    job = WorkflowJob
    account, repository = bindparam("account", type_=BigInteger), bindparam("repository", type_=BigInteger)
    here = (col(job.account_id) == account, col(job.repository_id) == repository)
    alike = [
        select(job.id).where(*here, col(column).in_(bindparam(name, expanding=True)))
        for column, name in (
            (job.ref, "refs"),
            (job.pull_number, "numbers"),
            (job.run_head_sha, "shas"),
            (job.issue_number, "issues"),
        )
    ]
    made = select(CommitMade.workflow_job_id).where(
        col(CommitMade.account_id) == account,
        col(CommitMade.repository_id) == repository,
        col(CommitMade.sha).in_(bindparam("commits", expanding=True)),
    )
    naming = select(PullNamed.workflow_job_id).where(
        col(PullNamed.account_id) == account,
        col(PullNamed.repository_id) == repository,
        col(PullNamed.number).in_(bindparam("numbers", expanding=True)),
    )
    told = select(PullTold.workflow_job_id).where(
        col(PullTold.account_id) == account,
        col(PullTold.repository_id) == repository,
        col(PullTold.github_id).in_(bindparam("told", expanding=True)),
    )
    return union(made, naming, told, *alike)


def jobs_on_sha(session: Session, key: PullKey, sha: str) -> list[WorkflowJob]:
    """The jobs of the pull's repository whose workflow runs had this head."""
    query = select(WorkflowJob).where(
        WorkflowJob.account_id == key.account_id,
        WorkflowJob.repository_id == key.repository_id,
        WorkflowJob.run_head_sha == sha,
    )
    return list(session.exec(query.order_by(col(WorkflowJob.id))))


def jobs_after(session: Session, account_id: int, after: str, most: int) -> list[str]:
    """An account's workflow jobs in the order of their ids, behind the id `after`."""
    query = select(WorkflowJob.id).where(WorkflowJob.account_id == account_id, WorkflowJob.id > after)
    return list(session.exec(query.order_by(col(WorkflowJob.id)).limit(most)))


def unread_jobs(session: Session, account_id: int) -> list[WorkflowJob]:
    """Jobs whose workflow run GitHub could not be asked about yet (the App was suspended, the repository unknown)."""
    query = select(WorkflowJob).where(WorkflowJob.account_id == account_id, WorkflowJob.run_state == "unread")
    return list(session.exec(query.where(WorkflowJob.state != "opened").order_by(WorkflowJob.id)))


def _of(table: type[PullHead | PullCommit | PullIssue], key: PullKey) -> ColumnElement[bool]:
    return and_(
        col(table.account_id) == key.account_id,
        col(table.repository_id) == key.repository_id,
        col(table.number) == key.number,
    )

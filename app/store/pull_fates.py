"""What became of every pull of an account, in one statement: as metrics need it. Reads only."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, text
from sqlmodel import Session

from app.core.metrics import PullFate
from app.core.stacks import carriers
from app.store.keys import known_instant
from app.store.pulls import reversals_among, stacked

PullId = tuple[int, int]  # repository id, number


class RepositoryName(NamedTuple):
    owner: str
    name: str
    default_branch: str


NOWHERE = RepositoryName("", "", "")


class _Row(NamedTuple):
    """A row of PULLS."""

    repository_id: int
    number: int
    head_ref: str
    head_repository_id: int | None
    base_ref: str
    created_at_us: int
    closed_at_us: int | None
    merged_at_us: int | None
    merge_commit_sha: str | None
    reverts_number: int | None
    reverts_shas: str
    reverts_only: bool
    lines_changed: int | None


def repository_names(session: Session, account_id: int) -> dict[int, RepositoryName]:
    """The account's repositories by id."""
    rows = session.connection().execute(REPOSITORIES, {"account_id": account_id})
    return {repository_id: RepositoryName(*name) for repository_id, *name in rows}


def pull_fates(
    session: Session,
    account_id: int,
    names: Mapping[int, RepositoryName],
    tracks: Callable[[str, str], bool],
    repositories: Collection[int] | None = None,
) -> tuple[list[PullFate], dict[PullId, PullFate]]:
    """Every pull of the account, or of these repositories; and for each pull the one that work for it counts for.

    That is another one where it merged into that one's branch.
    `tracks(base branch, default branch)` tells whether a merge into a branch counts.
    """
    of_repository: dict[int, list[_Row]] = {}
    for row in _rows(session, account_id, repositories):
        of_repository.setdefault(row.repository_id, []).append(row)
    fates: list[PullFate] = []
    served: dict[PullId, PullFate] = {}
    for repository_id, rows in of_repository.items():
        default_branch = names.get(repository_id, NOWHERE).default_branch
        tracked = {row.number: tracks(row.base_ref, default_branch) for row in rows}
        reverted = reversals_among(rows).for_good()
        own = {row.number: _fate(row, reverted.get(row.number), tracked[row.number]) for row in rows}
        last = carriers([stacked(row, tracked[row.number]) for row in rows])
        fates += own.values()
        served |= {(repository_id, number): own[last.get(number, number)] for number in own}
    return fates, served


def _rows(session: Session, account_id: int, repositories: Collection[int] | None) -> Iterable[_Row]:
    asked: dict[str, Any] = {"account_id": account_id}
    statement = text(PULLS.format(here=""))
    if repositories is not None:
        statement = text(PULLS.format(here=" AND repository_id IN :repositories"))
        statement = statement.bindparams(bindparam("repositories", expanding=True))
        asked["repositories"] = sorted(repositories)
    return (_Row(*row) for row in session.connection().execute(statement, asked))


def _fate(row: _Row, reverted_at: datetime | None, tracked: bool) -> PullFate:
    return PullFate(
        repository_id=row.repository_id,
        number=row.number,
        closed_at=known_instant(row.closed_at_us),
        merged_at=known_instant(row.merged_at_us),
        reverted_at=reverted_at,
        is_revert=row.reverts_number is not None or bool(row.reverts_only),
        tracked=tracked,
        lines_changed=row.lines_changed,
    )


REPOSITORIES = text("""
    SELECT repository_id, owner, name, default_branch FROM repository WHERE account_id = :account_id
""")
PULLS = """
    SELECT repository_id, number, head_ref, head_repository_id, base_ref, created_at_us, closed_at_us, merged_at_us,
           merge_commit_sha, reverts_number, reverts_shas, reverts_only, lines_changed
    FROM pull WHERE account_id = :account_id{here} ORDER BY repository_id, number
"""

"""Sums of each repository's months, kept so that metrics need not be computed from the books each time.

Whoever changes a repository marks it in the same transaction. Sums of a marked one do not count: a reader computes
them from the books, in the snapshot in which it saw the mark, so metrics are never older than the books.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlmodel import Session, col, delete, select

from app.core.combined import Row
from app.core.known import Known
from app.core.month import Month
from app.core.month_sums import DearPull, MonthSums
from app.core.scope_sums import ByScope, RepositorySums, ScopeSums
from app.core.shares import Dimension
from app.store.keys import known_instant, new_key, us
from app.store.raw import Raw
from app.store.rollup_tables import Rollup, RollupMark, RollupState

MARK = Raw("INSERT INTO rollup_mark (id, account_id, repository_id) VALUES (:id, :account_id, :repository_id)")
MONTH = "month"  # stands for a dimension: what is told of the month beside its metrics
ADD = Raw(
    "INSERT INTO rollup (account_id, month, dimension, repository_id, sums)"
    " VALUES (:account_id, :month, :dimension, :repository_id, :sums)"
)


def mark(session: Session, account_id: int, repository_id: int) -> None:
    """Say that something changed of which a repository's metrics are made."""
    MARK.run(session, {"id": new_key(), "account_id": account_id, "repository_id": repository_id})


def mark_all(session: Session, account_id: int) -> None:
    """Say so of every repository that has sums."""
    known = select(RollupState.repository_id).where(RollupState.account_id == account_id)
    for repository_id in session.exec(known).all():
        mark(session, account_id, repository_id)


@dataclass(frozen=True, slots=True)
class Standing:
    """A repository's sums: which they are, and how long they hold."""

    stamp: str
    computed_by: str
    first: Month
    last: Month
    has_pulls: bool
    linked: frozenset[int]
    holds_until: datetime | None
    computed_at_us: int
    took_us: int

    def holds(self, computed_by: str, month: Month, now: datetime) -> bool:
        """Whether they are what the books would give for a month, if nothing was marked."""
        late = self.holds_until is not None and now >= self.holds_until
        return self.computed_by == computed_by and month <= self.last and not late


@dataclass(frozen=True, slots=True)
class Standings:
    """What is kept of an account's repositories, and the marks on them."""

    of: Mapping[int, Standing]
    marks: Mapping[int, Sequence[str]]

    def stale(self, computed_by: str, month: Month, now: datetime) -> set[int]:
        """The repositories whose sums do not count: those that changed, and those that share agent runs with these."""
        found = {each for each, standing in self.of.items() if not standing.holds(computed_by, month, now)}
        found |= self.marks.keys()
        linked = {other for each in found if each in self.of for other in self.of[each].linked}
        return found | linked | {each for each, standing in self.of.items() if standing.linked & found}


def standings(session: Session, account_id: int) -> Standings:
    """What is kept of an account, as of the session's snapshot."""
    of = {
        repository_id: Standing(
            stamp, computed_by, Month.from_int(first), Month.from_int(last), bool(has_pulls),
            frozenset(json.loads(linked)) if linked != "[]" else frozenset(), known_instant(until), at_us, took_us,
        )
        for repository_id, stamp, computed_by, first, last, has_pulls, linked, until, at_us, took_us in (
            session.connection().execute(STANDINGS, {"account_id": account_id})
        )
    }  # fmt: skip
    marks: dict[int, list[str]] = {}
    for key, repository_id in session.connection().execute(MARKS, {"account_id": account_id}):
        marks.setdefault(repository_id, []).append(key)
    return Standings(of, marks)


def rows(
    session: Session, account_id: int, month: Month, dimension: Dimension, known: Standings, without: Collection[int]
) -> list[Row]:
    """A month's sums of the repositories that have some, but for those `without`."""
    asked = {"account_id": account_id, "month": int(month), "dimension": dimension.value}
    kept: dict[int, str] = {row[0]: row[1] for row in session.connection().execute(ROWS, asked)}
    return [
        _row(repository_id, standing.has_pulls, kept.get(repository_id) if standing.first <= month else None)
        for repository_id, standing in known.of.items()
        if repository_id not in without
    ]


def month_rows(
    session: Session, account_id: int, month: Month, known: Standings, without: Collection[int]
) -> dict[int, MonthSums]:
    """What is told of a month beside its metrics, of the repositories of which something is told."""
    asked = {"account_id": account_id, "month": int(month), "dimension": MONTH}
    return {
        repository_id: _month(json.loads(written))
        for repository_id, written in session.connection().execute(ROWS, asked)
        if repository_id in known.of and repository_id not in without and known.of[repository_id].first <= month
    }


def kept_of(
    session: Session, account_id: int, repository_id: int, standing: Standing
) -> tuple[dict[tuple[Month, Dimension], Row], dict[Month, MonthSums]]:
    """All that is kept of a repository: its sums by month and dimension, and what is told of months beside."""
    asked = {"account_id": account_id, "repository_id": repository_id}
    found = {
        (Month.from_int(month), what): sums
        for month, what, sums in session.connection().execute(ROWS_OF_REPOSITORY, asked)
    }
    return (
        {
            (month, Dimension(what)): _row(repository_id, standing.has_pulls, sums)
            for (month, what), sums in found.items()
            if what != MONTH
        },
        {month: _month(json.loads(sums)) for (month, what), sums in found.items() if what == MONTH},
    )


def keep(
    session: Session,
    account_id: int,
    repository_id: int,
    sums: RepositorySums,
    by_month: Mapping[Month, MonthSums],
    months: Sequence[Month],
    standing: RollupState,
    before: Standing | None,
    marks: Iterable[str],
) -> bool:
    """Replace a repository's sums and remove the marks that are in them; False where others did so meanwhile."""
    if not _takes(session, standing, before):
        return False
    session.exec(delete(Rollup).where(col(Rollup.account_id) == account_id, col(Rollup.repository_id) == repository_id))
    made = [
        (months[number], dimension.value, _written(sums.merged[number], by_scope))
        for (number, dimension), by_scope in sums.by_scope.items()
        if by_scope or (dimension is Dimension.ORGANISATION and sums.merged[number])
    ]
    made += [(month, MONTH, json.dumps(asdict(own), separators=(",", ":"))) for month, own in by_month.items() if own]
    key = {"account_id": account_id, "repository_id": repository_id}
    ADD.run_all(session, [{**key, "month": int(of), "dimension": what, "sums": told} for of, what, told in made])
    _remove(session, list(marks))
    return True


def _takes(session: Session, standing: RollupState, before: Standing | None) -> bool:
    values = standing.model_dump()
    if before is None:
        return session.connection().execute(TAKE_NEW, values).rowcount == 1
    return session.connection().execute(TAKE, values | {"before": before.stamp}).rowcount == 1


def _remove(session: Session, marks: list[str]) -> None:
    for done in range(0, len(marks), MOST_MARKS_A_STEP):
        step = marks[done : done + MOST_MARKS_A_STEP]
        session.exec(delete(RollupMark).where(col(RollupMark.id).in_(step)))


def waiting_accounts(session: Session, now: datetime, month: Month) -> list[int]:
    """The accounts of which some sums do not count any more, or will not in the next month."""
    return list(session.connection().execute(WAITING, {"now_us": us(now), "month": int(month)}).scalars())


def repositories_with_work(session: Session, account_id: int) -> list[int]:
    """The repositories of an account in which agents ran, or that have pulls."""
    return list(session.connection().execute(WITH_WORK, {"account_id": account_id}).scalars())


def first_in_account_us(session: Session, account_id: int) -> int | None:
    """When the first agent run of an account began or its first pull merged."""
    return _earliest(session.connection().execute(FIRST_IN_ACCOUNT, {"account_id": account_id}).one())


def first_instant_us(session: Session, account_id: int, repository_ids: Iterable[int]) -> int | None:
    """When the first agent run began or the first pull merged in these repositories; None: there is none."""
    asked = {"account_id": account_id, "repositories": sorted(repository_ids)}
    return _earliest(session.connection().execute(FIRST, asked).one())


def _earliest(found: Iterable[int | None]) -> int | None:
    return min((each for each in found if each is not None), default=None)


def _row(repository_id: int, has_pulls: bool, written: str | None) -> Row:
    if written is None:
        return Row(repository_id, has_pulls=has_pulls)
    read = json.loads(written)
    return Row(
        repository_id, read["merged"], has_pulls, {key: ScopeSums(*sums) for key, sums in read["scopes"].items()}
    )


def _month(read: dict[str, Any]) -> MonthSums:
    pulls = [DearPull(*each) for each in read.pop("dearest")]
    tied, loose = (Known(**read.pop(name)) for name in ("tied", "loose"))
    return MonthSums(**read, tied=tied, loose=loose, dearest=pulls)


def _written(merged: int, by_scope: ByScope) -> str:
    scopes = {key: [sums.numbers, sums.bands] for key, sums in by_scope.items()}
    return json.dumps({"merged": merged, "scopes": scopes}, separators=(",", ":"))


MOST_MARKS_A_STEP = 500
STATE = list(RollupState.model_fields)
TAKE_NEW = text(
    f"INSERT INTO rollup_state ({', '.join(STATE)}) VALUES ({', '.join(f':{name}' for name in STATE)})"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
TAKE = text(
    f"UPDATE rollup_state SET {', '.join(f'{name} = :{name}' for name in STATE[2:])}"  # noqa: S608
    " WHERE account_id = :account_id AND repository_id = :repository_id AND stamp = :before"
)
STANDINGS = text("""
    SELECT repository_id, stamp, computed_by, first_month, last_month, has_pulls, linked, holds_until_us,
           computed_at_us, took_us
    FROM rollup_state WHERE account_id = :account_id ORDER BY repository_id
""")
MARKS = text("SELECT id, repository_id FROM rollup_mark WHERE account_id = :account_id")
ROWS = text("""
    SELECT repository_id, sums FROM rollup
    WHERE account_id = :account_id AND month = :month AND dimension = :dimension
""")
ROWS_OF_REPOSITORY = text("""
    SELECT month, dimension, sums FROM rollup WHERE account_id = :account_id AND repository_id = :repository_id
""")
WAITING = text("""
    SELECT account_id FROM rollup_mark
    UNION SELECT account_id FROM rollup_state WHERE holds_until_us <= :now_us OR last_month < :month
""")
WITH_WORK = text("""
    SELECT repository_id FROM pull WHERE account_id = :account_id
    UNION SELECT repository_id FROM agent_run WHERE account_id = :account_id
    UNION SELECT repository_id FROM rollup_state WHERE account_id = :account_id ORDER BY 1
""")
FIRST_IN_ACCOUNT = text("""
    SELECT (SELECT MIN(started_at_us) FROM agent_run WHERE account_id = :account_id),
           (SELECT MIN(merged_at_us) FROM pull WHERE account_id = :account_id)
""")
FIRST = text("""
    SELECT (SELECT MIN(started_at_us) FROM agent_run
            WHERE account_id = :account_id AND repository_id IN :repositories),
           (SELECT MIN(agent_run.started_at_us) FROM tie JOIN agent_run ON agent_run.id = tie.agent_run_id
            WHERE tie.account_id = :account_id AND tie.repository_id IN :repositories
                AND agent_run.repository_id NOT IN :repositories),
           (SELECT MIN(merged_at_us) FROM pull WHERE account_id = :account_id AND repository_id IN :repositories)
""").bindparams(bindparam("repositories", expanding=True))

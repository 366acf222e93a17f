"""Every repository's sums of months, as of a snapshot of the books: those that are kept, the others computed.

A month's metrics are the same whichever they are, which `differences` looks after.
"""

import hashlib
import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlmodel import Session

from app.core.combined import Row
from app.core.config import Config
from app.core.month import Month
from app.core.month_sums import MonthSums
from app.core.period import Period
from app.core.scope_sums import RepositorySums, sums_of
from app.core.shares import Dimension, Share
from app.store.configs import config_in_force
from app.store.database import Database
from app.store.keys import instant, new_key, us
from app.store.month_sums import month_sums
from app.store.ownership import owners_of
from app.store.rollup_tables import RollupState
from app.store.rollups import Standing, first_instant_us, keep, kept_of, month_rows, rows, standings
from app.store.shares import SharesOf, read_books

if TYPE_CHECKING:
    from app.core.metrics import PullFate

VERSION = 1  # goes up whenever the same books would give other sums


@dataclass(frozen=True, slots=True)
class Computed:
    """A repository's sums, what is told of its months beside, and which others share agent runs with it."""

    sums: RepositorySums
    by_month: Mapping[Month, MonthSums]  # empty where not asked
    linked: frozenset[int]


def stale_repositories(session: Session, account_id: int, month: Month, now: datetime) -> dict[int, Standing | None]:
    """The repositories whose sums do not count, in order, with what was kept of each."""
    known = standings(session, account_id)
    stale = known.stale(computed_by(config_in_force(session, account_id)), month, now)
    return {each: known.of.get(each) for each in sorted(stale)}


def compute_and_keep(
    db: Database, account_id: int, repository_ids: Sequence[int], now: datetime, first_us: int | None = None
) -> int:
    """Compute the sums of some repositories from the books and keep them; how many were kept.

    The others were computed by somebody else meanwhile. `first_us`: nothing happened there before, where it is known.
    """
    began = time.monotonic()
    with db.reading() as session:
        config = config_in_force(session, account_id)
        known = standings(session, account_id)
        if first_us is None:
            first_us = first_instant_us(session, account_id, repository_ids)
        months = _months(first_us, now)
        found = computed(session, account_id, config, repository_ids, months, list(Dimension), now, with_months=True)
    took_us = round((time.monotonic() - began) * 1_000_000) // len(repository_ids)
    with db.transaction() as session:
        return sum(
            keep(
                session,
                account_id,
                repository_id,
                each.sums,
                each.by_month,
                months,
                _state(account_id, repository_id, each, computed_by(config), months, now, took_us),
                known.of.get(repository_id),
                known.marks.get(repository_id, ()),
            )
            for repository_id, each in found.items()
        )


def rows_of_month(
    session: Session, account_id: int, config: Config, month: Month, dimension: Dimension, now: datetime
) -> list[Row]:
    """Every repository's sums of a month: those that are kept, and the others from the books."""
    known = standings(session, account_id)
    stale = known.stale(computed_by(config), month, now)
    found = rows(session, account_id, month, dimension, known, without=stale)
    if stale:
        fresh = computed(session, account_id, config, stale, [month], [dimension], now, with_months=False)
        found += [_row(repository_id, dimension, each) for repository_id, each in fresh.items()]
    return found


def months_of(
    session: Session, account_id: int, config: Config, month: Month, now: datetime
) -> dict[int, tuple[Row, MonthSums]]:
    """Every repository's sums of a month over all its agent runs, and what is told of it beside."""
    known, whole = standings(session, account_id), Dimension.ORGANISATION
    stale = known.stale(computed_by(config), month, now)
    told = month_rows(session, account_id, month, known, without=stale)
    found = {
        row.repository_id: (row, told.get(row.repository_id, MonthSums()))
        for row in rows(session, account_id, month, whole, known, without=stale)
    }
    if stale:
        fresh = computed(session, account_id, config, stale, [month], [whole], now, with_months=True)
        found |= {each: (_row(each, whole, own), own.by_month[month]) for each, own in fresh.items()}
    return found


def busy_in(session: Session, account_id: int, month: Month, now: datetime) -> dict[int, MonthSums]:
    """The repositories with charges of a month, or in which agents were at work, in order, and what is told of each."""
    found = months_of(session, account_id, config_in_force(session, account_id), month, now)
    return {each: sums for each, (_, sums) in sorted(found.items()) if sums.is_busy}


def _row(repository_id: int, dimension: Dimension, own: Computed) -> Row:
    return Row(repository_id, own.sums.merged[0], own.sums.has_pulls, own.sums.by_scope[0, dimension])


def computed_by(config: Config) -> str:
    """What sums depend on beside the books: this code, and what the configuration says of branches, teams, and payers.

    Periods are no part of it: when one begins to close, what it keeps is what was in force until then.
    """
    teams = [[team.name, team.repositories] for team in config.teams]
    told = json.dumps([VERSION, config.tracked_branches, teams, repr(config.chargeback.payer_rules)])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def computed(
    session: Session,
    account_id: int,
    config: Config,
    repository_ids: Collection[int],
    months: Sequence[Month],
    dimensions: Sequence[Dimension],
    now: datetime,
    with_months: bool,
) -> dict[int, Computed]:
    """The sums of some repositories from the books; months without a gap."""
    periods = [Period.of(month) for month in months]
    by_model = Dimension.MODEL in dimensions
    owners = owners_of(session, account_id, config)
    asked = SharesOf(account_id, periods, config.tracks, config.names_a_team, owners, by_model, repository_ids)
    read = read_books(session, asked)
    near = _near(read.shares, repository_ids)
    own: dict[int, list[PullFate]] = {each: [] for each in repository_ids}
    for pull in read.pulls:
        if pull.repository_id in own:
            own[pull.repository_id].append(pull)
    told = month_sums(session, account_id, months, near, own, read.carried) if with_months else {}
    return {
        each: Computed(
            sums_of(each, periods, dimensions, near[each], own[each], now),
            told.get(each, {}),
            frozenset(other for link in read.links if each in link for other in link) - {each},
        )
        for each in repository_ids
    }


def _near(shares: Sequence[Share], repository_ids: Collection[int]) -> dict[int, list[Share]]:
    """The shares that concern each repository: of its agent runs, and of others' for its pulls."""
    near: dict[int, list[Share]] = {each: [] for each in repository_ids}
    for share in shares:
        place = share.repository_id if share.pull is None else share.pull.repository_id
        for each in {share.repository_id, place}:
            if each in near:
                near[each].append(share)
    return near


def _months(first_us: int | None, now: datetime) -> list[Month]:
    """From the first month in which something happened to the one after this."""
    this = Month.of(now)
    first = this if first_us is None else min(Month.of(instant(first_us)), this)
    return first.until(this.next)


def _state(
    account_id: int,
    repository_id: int,
    found: Computed,
    by: str,
    months: Sequence[Month],
    now: datetime,
    took_us: int,
) -> RollupState:
    until = found.sums.holds_until
    return RollupState(
        account_id=account_id,
        repository_id=repository_id,
        stamp=new_key(),
        computed_by=by,
        first_month=int(months[0]),
        last_month=int(months[-1]),
        has_pulls=found.sums.has_pulls,
        linked=json.dumps(sorted(found.linked)),
        holds_until_us=None if until is None else us(until),
        computed_at_us=us(now),
        took_us=took_us,
    )


def differences(db: Database, account_id: int, now: datetime) -> list[str]:
    """Where kept sums that should hold are not what the books give: a sentence for each. There should be none."""
    told: list[str] = []
    with db.reading() as session:
        config, known = config_in_force(session, account_id), standings(session, account_id)
        # A month that is not kept yet makes no sums wrong: asked is one that all of them have.
        asked = min((standing.last for standing in known.of.values()), default=Month.of(now))
        stale = known.stale(computed_by(config), asked, now)
        for repository_id in sorted(known.of.keys() - stale):
            told += _differing(session, account_id, config, known.of[repository_id], repository_id, now)
    return told


def _differing(
    session: Session, account_id: int, config: Config, standing: Standing, repository_id: int, now: datetime
) -> list[str]:
    months = standing.first.until(standing.last)
    books = computed(session, account_id, config, [repository_id], months, list(Dimension), now, True)[repository_id]
    kept, kept_months = kept_of(session, account_id, repository_id, standing)
    told = [
        f"repository {repository_id}, {month}"
        for month in months
        if kept_months.get(month, MonthSums()) != books.by_month[month]
    ]
    nothing = Row(repository_id, has_pulls=standing.has_pulls)
    for (number, dimension), by_scope in books.sums.by_scope.items():
        merged = books.sums.merged[number] if by_scope or dimension is Dimension.ORGANISATION else 0
        row = kept.get((months[number], dimension), nothing)
        if _told(row) != _told(Row(repository_id, merged, books.sums.has_pulls, by_scope)):
            told.append(f"repository {repository_id}, {months[number]}, by {dimension.value}")
    return told


def _told(row: Row) -> object:
    """A row as it can be compared: the costs of a band are in no order."""
    scopes = {
        key: (sums.numbers, {band: sorted(costs) for band, costs in sums.bands.items()})
        for key, sums in row.scopes.items()
    }
    return row.merged, row.has_pulls, scopes

"""Every repository's sums of months, as of a snapshot of the books: those that are kept, the others computed.

A month's metrics are the same whichever they are, which `differences` looks after.
"""

import hashlib
import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlmodel import Session

from app.core.combined import Row
from app.core.config import Config, in_force
from app.core.month import Month
from app.core.period import Period
from app.core.scope_sums import RepositorySums, sums_of
from app.core.shares import Dimension, Share
from app.store.configs import config_of
from app.store.database import Database
from app.store.keys import instant, new_key, us
from app.store.rollup_tables import RollupState
from app.store.rollups import Standing, Standings, first_instant_us, keep, rows, standings
from app.store.shares import SharesOf, read_shares

if TYPE_CHECKING:
    from app.core.metrics import PullFate

VERSION = 1  # goes up whenever the same books would give other sums


def stale_repositories(session: Session, account_id: int, month: Month, now: datetime) -> dict[int, Standing | None]:
    """The repositories whose sums do not count, in order, with what was kept of each."""
    known = standings(session, account_id)
    stale = known.stale(computed_by(_config(session, account_id)), month, now)
    return {each: known.of.get(each) for each in sorted(stale)}


def compute_and_keep(db: Database, account_id: int, repository_ids: Sequence[int], now: datetime) -> int:
    """Compute the sums of some repositories from the books and keep them; how many were kept.

    The others were computed by somebody else meanwhile.
    """
    began = time.monotonic()
    with db.reading() as session:
        config = _config(session, account_id)
        known = standings(session, account_id)
        months = _months(session, account_id, repository_ids, now)
        found = computed(session, account_id, config, repository_ids, months, list(Dimension), now)
    took_us = round((time.monotonic() - began) * 1_000_000) // len(repository_ids)
    with db.transaction() as session:
        return sum(
            keep(
                session,
                account_id,
                repository_id,
                each.sums,
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
        fresh = computed(session, account_id, config, stale, [month], [dimension], now)
        found += [
            Row(repository_id, each.sums.merged[0], each.sums.has_pulls, each.sums.by_scope[0, dimension])
            for repository_id, each in fresh.items()
        ]
    return found


def computed_by(config: Config) -> str:
    """What sums depend on beside the books: this code, and what the configuration says of branches and teams."""
    teams = [[team.name, team.repositories] for team in config.teams]
    told = json.dumps([VERSION, config.tracked_branches, teams])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Computed:
    """A repository's sums, and which others share agent runs with it."""

    sums: RepositorySums
    linked: frozenset[int]


def computed(
    session: Session,
    account_id: int,
    config: Config,
    repository_ids: Collection[int],
    months: Sequence[Month],
    dimensions: Sequence[Dimension],
    now: datetime,
) -> dict[int, Computed]:
    """The sums of some repositories from the books; months without a gap."""
    periods = [Period.of(month) for month in months]
    by_model = Dimension.MODEL in dimensions
    asked = SharesOf(account_id, periods, config.tracks, config.names_a_team, by_model, repository_ids)
    shares, pulls = read_shares(session, asked)
    near, linked = _near(shares, repository_ids)
    own: dict[int, list[PullFate]] = {each: [] for each in repository_ids}
    for pull in pulls:
        if pull.repository_id in own:
            own[pull.repository_id].append(pull)
    return {
        each: Computed(sums_of(each, periods, dimensions, near[each], own[each], now), frozenset(linked[each]))
        for each in repository_ids
    }


def _near(
    shares: Sequence[Share], repository_ids: Collection[int]
) -> tuple[dict[int, list[Share]], dict[int, set[int]]]:
    """The shares that concern each repository, and with which others it has an agent run in common."""
    near: dict[int, list[Share]] = {each: [] for each in repository_ids}
    linked: dict[int, set[int]] = {each: set() for each in repository_ids}
    for share in shares:
        home = share.repository_id
        place = home if share.pull is None else share.pull.repository_id
        if home in near:
            near[home].append(share)
        if place != home:
            linked.get(home, set()).add(place)
            if place in near:
                near[place].append(share)
                linked[place].add(home)
    return near, linked


def _months(session: Session, account_id: int, repository_ids: Sequence[int], now: datetime) -> list[Month]:
    """From the first month in which something happened there to the one after this."""
    first_us = first_instant_us(session, account_id, repository_ids)
    last = Month.of(now).next
    months = [last.previous if first_us is None else min(Month.of(instant(first_us)), last.previous)]
    while months[-1] < last:
        months.append(months[-1].next)
    return months


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


def _config(session: Session, account_id: int) -> Config:
    version = config_of(session, account_id)
    return in_force(version.good_text, version.public)


def differences(db: Database, account_id: int, now: datetime) -> list[str]:
    """Where kept sums that should hold are not what the books give: a sentence for each. There should be none."""
    told: list[str] = []
    with db.reading() as session:
        config, known = _config(session, account_id), standings(session, account_id)
        for repository_id in sorted(known.of):
            told += _differing(session, account_id, config, known, repository_id, now)
    return told


def _differing(
    session: Session, account_id: int, config: Config, known: Standings, repository_id: int, now: datetime
) -> list[str]:
    standing = known.of[repository_id]
    months = [standing.first]
    while months[-1] < standing.last:
        months.append(months[-1].next)
    stale = known.stale(computed_by(config), standing.last, now)
    if repository_id in stale:
        return []
    books = computed(session, account_id, config, [repository_id], months, list(Dimension), now)[repository_id]
    told = []
    for (number, dimension), by_scope in books.sums.by_scope.items():
        alone = Standings({repository_id: standing}, {})
        [kept] = rows(session, account_id, months[number], dimension, alone, ())
        merged = books.sums.merged[number] if by_scope or dimension is Dimension.ORGANISATION else 0
        if _told(kept) != _told(Row(repository_id, merged, books.sums.has_pulls, by_scope)):
            told.append(f"repository {repository_id}, {months[number]}, by {dimension.value}")
    return told


def _told(row: Row) -> object:
    """A row as it can be compared: the costs of a band are in no order."""
    scopes = {
        key: (sums.numbers, {band: sorted(costs) for band, costs in sums.bands.items()})
        for key, sums in row.scopes.items()
    }
    return row.merged, row.has_pulls, scopes

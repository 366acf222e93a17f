"""Metrics of an account as they stand now, for any scope and period.

Those of a month come from the sums that are kept for it; those of other days are computed from the books.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from app.core.combined import combined
from app.core.config import Config
from app.core.metrics import PullFate
from app.core.month import Month
from app.core.period import Period
from app.core.scope_metrics import Metrics, measure_scopes, trend_months
from app.core.shares import Dimension, Share
from app.store.configs import config_in_force
from app.store.ownership import owners_of
from app.store.rolled_up import rows_of_month
from app.store.shares import SharesOf, read_shares
from app.world import World


@dataclass(frozen=True, slots=True)
class Shares:
    """An account's shares and pulls, read for some periods."""

    shares: Sequence[Share]
    pulls: Sequence[PullFate]


def shares_of(world: World, account_id: int, periods: Sequence[Period], by_model: bool = False) -> Shares:
    """What the figures of these periods are made of, from one snapshot."""
    with world.db.reading() as session:
        return _shares(session, account_id, config_in_force(session, account_id), periods, by_model)


def metrics_of(world: World, account_id: int, period: Period) -> Metrics:
    """The whole account in a period."""
    return metrics_by(world, account_id, period, Dimension.ORGANISATION)[""]


def metrics_by(world: World, account_id: int, period: Period, dimension: Dimension) -> dict[str, Metrics]:
    """Every scope of a dimension in a period, by its key (`Dimension.key_of`)."""
    with world.db.reading() as session:
        return _measured(session, world, account_id, period, dimension)


def trend_of(world: World, account_id: int, last: Month) -> list[Metrics]:
    """The whole account in each of six months, the last one last."""
    with world.db.reading() as session:
        months = [Period.of(month) for month in trend_months(last)]
        return [_measured(session, world, account_id, month, Dimension.ORGANISATION)[""] for month in months]


def _measured(
    session: Session, world: World, account_id: int, period: Period, dimension: Dimension
) -> dict[str, Metrics]:
    config, month, now = config_in_force(session, account_id), Month.of(period.start), world.now()
    if period == Period.of(month):
        return combined(dimension, period, rows_of_month(session, account_id, config, month, dimension, now), now)
    found = _shares(session, account_id, config, [period], dimension is Dimension.MODEL)
    return measure_scopes(dimension, period, found.shares, found.pulls, now)


def _shares(session: Session, account_id: int, config: Config, periods: Sequence[Period], by_model: bool) -> Shares:
    owners = owners_of(session, account_id, config)
    asked = SharesOf(account_id, periods, config.tracks, config.names_a_team, owners, by_model)
    return Shares(*read_shares(session, asked))

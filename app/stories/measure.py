"""Metrics of an account as they stand now, for any scope and period: read the shares, then compute."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.config import in_force
from app.core.metrics import PullFate
from app.core.month import Month
from app.core.period import Period
from app.core.scope_metrics import Metrics, measure, measure_scopes, trend, trend_months
from app.core.shares import Dimension, Share
from app.store.configs import config_of
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
        version = config_of(session, account_id)
        config = in_force(version.good_text, version.public)
        asked = SharesOf(account_id, periods, config.tracks, config.names_a_team, by_model)
        return Shares(*read_shares(session, asked))


def metrics_of(world: World, account_id: int, period: Period) -> Metrics:
    """The whole account in a period."""
    found = shares_of(world, account_id, [period])
    return measure(period, found.shares, found.pulls, world.now())


def metrics_by(world: World, account_id: int, period: Period, dimension: Dimension) -> dict[str, Metrics]:
    """Every scope of a dimension in a period, by its key (`Dimension.key_of`)."""
    found = shares_of(world, account_id, [period], by_model=dimension is Dimension.MODEL)
    return measure_scopes(dimension, period, found.shares, found.pulls, world.now())


def trend_of(world: World, account_id: int, last: Month) -> list[Metrics]:
    """The whole account in each of six months, the last one last."""
    found = shares_of(world, account_id, [Period.of(month) for month in trend_months(last)])
    return trend(last, found.shares, found.pulls, world.now())

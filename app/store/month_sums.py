"""What is told of repositories' months beside their metrics, read from the books. Reads only."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, text
from sqlmodel import Session

from app.core.agent_accounts import AGENT_ACCOUNTS
from app.core.known import Known
from app.core.metrics import PullFate
from app.core.month import Month
from app.core.month_sums import MonthSums, add_pulls
from app.core.shares import Share
from app.store.keys import instant, us
from app.store.pull_fates import PullId

DAY_US = 86_400_000_000
ByMonth = dict[Month, MonthSums]


def month_sums(
    session: Session,
    account_id: int,
    months: Sequence[Month],
    near: Mapping[int, Sequence[Share]],
    pulls: Mapping[int, Sequence[PullFate]],
    carried: Mapping[PullId, int],
) -> dict[int, ByMonth]:
    """The sums of some repositories in consecutive months. `near`: their shares; `pulls`: their pulls.

    `carried`: pulls (repository, number) that merged into another one's branch, with that one's number.
    """
    found: dict[int, ByMonth] = {each: {month: MonthSums() for month in months} for each in near}
    asked = _Asked(session, account_id, months, list(near))
    _add_books(asked, found)
    _add_runs(asked, found)
    _add_calls(asked, found)
    authors = {(row.repository_id, row.number): row.author_id for row in asked.rows(AGENTS_PULLS)}
    for repository_id, by_month in found.items():
        own = {number: last for (here, number), last in carried.items() if here == repository_id}
        recorded = add_pulls(by_month, repository_id, near[repository_id], own)
        for pull in pulls[repository_id]:
            author = authors.get((repository_id, pull.number))
            if author is not None and pull.number not in recorded and pull.tracked and pull.merged_at is not None:
                sums = by_month.get(Month.of(pull.merged_at))
                if sums is not None:
                    sums.unrecorded.append(author)
    return found


class _Asked:
    """Statements about the repositories and months that are asked."""

    def __init__(
        self, session: Session, account_id: int, months: Sequence[Month], repository_ids: Collection[int]
    ) -> None:
        self.session, self.months = session, set(months)
        self.values: dict[str, Any] = {
            "account_id": account_id,
            "repositories": sorted(repository_ids),
            "start": us(months[0].start),
            "end": us(months[-1].end),
            "first": int(months[0]),
            "last": int(months[-1]),
            "agents": sorted(AGENT_ACCOUNTS),
        }
        self.of_day: dict[int, Month] = {}

    def rows(self, statement: str) -> Iterable[Row[Any]]:
        expanding = [name for name in ("repositories", "agents") if f":{name}" in statement]
        bound = text(statement).bindparams(*(bindparam(name, expanding=True) for name in expanding))
        return self.session.connection().execute(bound, self.values)

    def month(self, day: int) -> Month | None:
        """The asked month of a day since the epoch."""
        month = self.of_day.get(day)
        if month is None:
            month = self.of_day[day] = Month.of(instant(day * DAY_US))
        return month if month in self.months else None


def _add_books(asked: _Asked, found: Mapping[int, ByMonth]) -> None:
    for row in asked.rows(BOOKS):
        if row.amount:
            found[row.repository_id][Month.from_int(row.month)].books[row.book] = int(row.amount)


def _add_runs(asked: _Asked, found: Mapping[int, ByMonth]) -> None:
    """Agent runs where they began; what they used too, unless they went on into another day: then calls tell.

    How well their costs are known counts in every month in which they were at work.
    """
    for row in asked.rows(RUNS):
        by_month, month = found[row.repository_id], asked.month(row.day)
        if month is not None:
            _add_begun(by_month[month], row)
            if row.day == row.last:
                _add_usage(by_month[month], row)
        known = Known(row.runs, int(row.incomplete), int(row.calls), int(row.unpriced))
        for at in Month.of(_day(row.day)).until(Month.of(_day(row.last))):
            if (sums := by_month.get(at)) is None:
                continue
            if row.tied:
                sums.tied += known
            else:
                sums.loose += known


def _add_begun(sums: MonthSums, row: Row[Any]) -> None:
    sums.agent_runs += row.runs
    sums.incomplete += int(row.incomplete)
    sums.unattributed += 0 if row.tied else row.runs
    sums.told += int(row.told)
    sums.by_team[row.team] = sums.by_team.get(row.team, 0) + row.runs
    if row.price_list not in sums.price_lists:
        sums.price_lists = sorted([*sums.price_lists, row.price_list])


def _add_calls(asked: _Asked, found: Mapping[int, ByMonth]) -> None:
    for row in asked.rows(CALLS):
        if (month := asked.month(row.day)) is not None:
            _add_usage(found[row.repository_id][month], row)
    models: dict[tuple[int, Month], set[str]] = defaultdict(set)
    for row in asked.rows(UNPRICED):
        if (month := asked.month(row.day)) is not None:
            models[row.repository_id, month].add(row.model)
    for (repository_id, month), named in models.items():
        found[repository_id][month].unpriced_models = sorted(named)


def _add_usage(sums: MonthSums, row: Row[Any]) -> None:
    sums.model_calls += int(row.calls)
    sums.unpriced_calls += int(row.unpriced)
    sums.told_cost += int(row.told_cost)
    sums.tokens = [own + int(more) for own, more in zip(sums.tokens, tuple(row)[-7:], strict=True)]


def _day(day: int) -> datetime:
    return instant(day * DAY_US)


BOOKS = """
    SELECT repository_id, book, month, SUM(amount_nano_usd) AS amount FROM balance
    WHERE account_id = :account_id AND repository_id IN :repositories AND book <> 'usage'
        AND month >= :first AND month <= :last
    GROUP BY repository_id, book, month
"""
RUNS = """
    SELECT repository_id, started_at_us / 86400000000 AS day, ended_at_us / 86400000000 AS last, team, price_list,
           CASE WHEN evidence = '' THEN 0 ELSE 1 END AS tied,
           COUNT(*) AS runs, SUM(CASE WHEN completeness <> 'complete' THEN 1 ELSE 0 END) AS incomplete,
           SUM(CASE WHEN provenance = 'token' THEN 1 ELSE 0 END) AS told,
           SUM(model_calls) AS calls, SUM(unpriced_calls) AS unpriced,
           SUM(CASE WHEN provenance = 'token' THEN cost_nano_usd ELSE 0 END) AS told_cost,
           SUM(input_tokens), SUM(cache_read_tokens), SUM(cache_write_5m_tokens), SUM(cache_write_1h_tokens),
           SUM(cache_write_other_tokens), SUM(output_tokens), SUM(reasoning_tokens)
    FROM agent_run
    WHERE account_id = :account_id AND repository_id IN :repositories AND started_at_us < :end
        AND ended_at_us >= :start
    GROUP BY 1, 2, 3, 4, 5, 6
"""
# Of agent runs that went on into another day: a month may have ended in between.
CALLS = """
    SELECT agent_run.repository_id, model_call.at_us / 86400000000 AS day, COUNT(*) AS calls,
           SUM(CASE WHEN model_call.cost_nano_usd IS NULL THEN 1 ELSE 0 END) AS unpriced,
           SUM(CASE WHEN agent_run.provenance = 'token' THEN COALESCE(model_call.cost_nano_usd, 0) ELSE 0 END)
               AS told_cost,
           SUM(model_call.input_tokens), SUM(model_call.cache_read_tokens), SUM(model_call.cache_write_5m_tokens),
           SUM(model_call.cache_write_1h_tokens), SUM(model_call.cache_write_other_tokens),
           SUM(model_call.output_tokens), SUM(model_call.reasoning_tokens)
    FROM agent_run JOIN model_call ON model_call.agent_run_id = agent_run.id
    WHERE agent_run.account_id = :account_id AND agent_run.repository_id IN :repositories
        AND agent_run.started_at_us < :end AND agent_run.ended_at_us >= :start
        AND agent_run.started_at_us / 86400000000 <> agent_run.ended_at_us / 86400000000
    GROUP BY 1, 2
"""
UNPRICED = """
    SELECT DISTINCT agent_run.repository_id, model_call.at_us / 86400000000 AS day, model_call.model
    FROM agent_run JOIN model_call ON model_call.agent_run_id = agent_run.id
    WHERE agent_run.account_id = :account_id AND agent_run.repository_id IN :repositories
        AND agent_run.started_at_us < :end AND agent_run.ended_at_us >= :start AND agent_run.unpriced_calls > 0
        AND model_call.cost_nano_usd IS NULL
"""
AGENTS_PULLS = """
    SELECT repository_id, number, author_id FROM pull
    WHERE account_id = :account_id AND repository_id IN :repositories AND author_id IN :agents
        AND merged_at_us IS NOT NULL
"""

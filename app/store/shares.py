"""Shares and pulls as metrics need them, read in a fixed number of statements whatever their number. Reads only."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, text
from sqlmodel import Session

from app.core.chargeback.ownership import Owners
from app.core.ledger import Book
from app.core.metrics import PullFate
from app.core.money import ZERO, NanoUsd
from app.core.month import Month
from app.core.period import Period
from app.core.share_parts import Grain, parted, pieces_by_model
from app.core.shares import Piece, Share
from app.core.usage import Completeness, Purpose, Tokens
from app.core.workflow_lines import own_workflow
from app.store.keys import instant, us
from app.store.ownership import run_facts
from app.store.pull_fates import NOWHERE, PullId, RepositoryName, pull_fates, repository_names
from app.store.raw import Raw

DAY_US = 86_400_000_000
CLOCK_SKEW_US = 300_000_000  # as in matching: a commit that was made before the run is not the run's
FAILED = frozenset({"failure", "timed_out", "cancelled", "startup_failure"})
NO_PULL: PullId = (0, 0)


@dataclass(frozen=True, slots=True)
class SharesOf:
    """What to read. `tracks(base branch, default branch)`, `has_team(tag, repository name)`: the configuration's word.

    `owners` says which cost center pays for an agent run.

    `periods` are those that will be asked of what is read, in order; `by_model` parts the shares by model too.
    `repositories`: only their agent runs and pulls, and those of others that are tied to these; None: all.
    """

    account_id: int
    periods: Sequence[Period]
    tracks: Callable[[str, str], bool]
    has_team: Callable[[str, str], bool]
    owners: Owners
    by_model: bool = False
    repositories: Collection[int] | None = None


@dataclass(frozen=True, slots=True)
class BooksRead:
    """Shares and pulls. `links`: where an agent ran, and another repository that has a pull of it.

    `carried`: pulls that merged into another one's branch, each with that one's number.
    """

    shares: list[Share]
    pulls: list[PullFate]
    links: set[tuple[int, int]]
    carried: dict[PullId, int]


def read_shares(session: Session, asked: SharesOf) -> tuple[list[Share], list[PullFate]]:
    """As `read_books`, without what only roll-ups need."""
    found = read_books(session, asked)
    return found.shares, found.pulls


def read_books(session: Session, asked: SharesOf) -> BooksRead:
    """The shares that the figures of these periods are made of, and every pull of the account.

    They are those of agent runs that used something in the periods, and of what is tied to pulls that were not closed
    when the periods began: lifetime costs reach back.
    """
    names = repository_names(session, asked.account_id)
    books = _Books({}, {}, {})
    runs: list[_Run] = []
    ids = _wanted(session, asked)
    for done in range(0, len(ids), RUNS_AT_ONCE):
        some = _Some(session, asked, ids[done : done + RUNS_AT_ONCE])
        books.amounts |= _amounts(some)
        books.ties |= _ties(some)
        books.grains |= _grains(some)
        runs += map(_Run._make, some.rows(RUNS))
    fates, served = pull_fates(session, asked.account_id, names, asked.tracks, _with_pulls(asked, books))
    kept, retried = _kept_jobs(session, asked, runs), _last_attempts(session, asked, runs)
    shares: list[Share] = []
    for run in runs:
        common = _common(run, names, asked, retried, kept)
        shares += [
            Share(pull=served.get(pull), pieces=pieces, model=model, **common)
            for pull, by_model in books.places(run).items()
            for model, pieces in by_model.items()
        ]
    links = {(run.repository_id, place) for run in runs for place, _ in books.ties.get(run.id, ())}
    return BooksRead(
        shares,
        fates,
        {(home, place) for home, place in links if home != place},
        {pull: fate.number for pull, fate in served.items() if fate.number != pull[1]},
    )


class _Some:
    """Statements about some agent runs; `{wanted}` in them stands for a statement that gives their ids."""

    def __init__(self, session: Session, asked: SharesOf, ids: Sequence[str]) -> None:
        self.asked, self._session = asked, session
        self._bounds = {"account_id": asked.account_id, "ids": json.dumps(ids)}
        self._wanted = IDS[session.connection().dialect.name]

    def rows(self, template: str, **bounds: int | str) -> Sequence[tuple[Any, ...]]:
        """All rows, from the driver itself: there may be 60,000."""
        return Raw(template.format(wanted=self._wanted)).run(self._session, self._bounds | bounds).fetchall()


# As many parameters as there are ids would take longer than the statement.
IDS = {
    "sqlite": "SELECT value FROM json_each(:ids)",
    "postgresql": "SELECT jsonb_array_elements_text(CAST(:ids AS jsonb))",
}
RUNS_AT_ONCE = 10_000


def _wanted(session: Session, asked: SharesOf) -> list[str]:
    """The ids of the agent runs that are asked, in order."""
    start, end = min(each.start for each in asked.periods), max(each.end for each in asked.periods)
    bounds: dict[str, Any] = {"account_id": asked.account_id, "start": us(start), "end": us(end)}
    statement = text(WANTED)
    if asked.repositories is not None:
        statement = text(WANTED_OF).bindparams(bindparam("repositories", expanding=True))
        bounds["repositories"] = sorted(asked.repositories)
    return sorted(session.connection().execute(statement, bounds).scalars())


class _Run(NamedTuple):
    """A row of RUNS."""

    id: str
    repository_id: int
    agent: str
    team: str
    purpose: str
    completeness: str
    began_us: int
    tied_pulls: str
    unpriced_calls: int
    cost: int
    models: str
    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    cache_write_other: int
    output: int
    reasoning: int
    job_id: str
    issuer: str
    run_id: int
    run_attempt: int
    job_name: str
    matrix: str
    workflow: str
    workflow_ref: str
    properties: str
    conclusion: str | None
    waits_since_us: int

    @property
    def leg(self) -> tuple[str, int, int, str, str]:
        return self.issuer, self.repository_id, self.run_id, self.job_name, self.matrix


@dataclass(slots=True)
class _Books:
    """What agent runs cost and used, by id: amounts by pull and month, weights by pull, grains where they matter."""

    amounts: dict[str, dict[PullId, dict[Month, NanoUsd]]]
    ties: dict[str, dict[PullId, int]]
    grains: dict[str, list[Grain]]

    def places(self, run: _Run) -> dict[PullId, dict[str, tuple[Piece, ...]]]:
        """By pull, or NO_PULL: the pieces of a share by model."""
        amounts, ties = self.amounts.get(run.id, {}), self.ties.get(run.id) or {NO_PULL: 1}
        grains = self.grains.get(run.id) or [_whole(run)]
        pulls = [*ties, *sorted(amounts.keys() - ties.keys())]
        weights = [ties.get(pull, 0) for pull in pulls]
        tokens = zip(*(parted(grain.tokens, weights) for grain in grains), strict=True)
        return {
            pull: pieces_by_model(grains, own, amounts.get(pull, {})) for pull, own in zip(pulls, tokens, strict=True)
        }


def _whole(run: _Run) -> Grain:
    tokens = Tokens(
        run.input, run.cache_read, run.cache_write_5m, run.cache_write_1h, run.cache_write_other, run.output,
        run.reasoning,
    )  # fmt: skip
    return Grain(instant(run.began_us), _only_model(run.models), NanoUsd(run.cost), tokens)


def _only_model(models: str) -> str:
    """Of shares by model, those of several models have grains."""
    found = list(json.loads(models))
    return str(found[0]) if len(found) == 1 else ""


def _common(
    run: _Run,
    names: Mapping[int, RepositoryName],
    asked: SharesOf,
    last_attempts: Mapping[tuple[Any, ...], int],
    kept: set[str],
) -> dict[str, Any]:
    owner, name, _ = names.get(run.repository_id, NOWHERE)
    facts = run_facts(run.repository_id, name, run.workflow_ref, run.agent, run.team, run.properties, run.began_us)
    return {
        "agent_run_id": run.id,
        "repository_id": run.repository_id,
        "began_at": facts.at,
        "waits_since": instant(run.waits_since_us),
        "purpose": Purpose(run.purpose),
        "completeness": Completeness(run.completeness),
        "tied": run.tied_pulls != "[]",
        "attempt": run.run_attempt,
        "retried": last_attempts.get(run.leg, 0) > run.run_attempt,
        "failed": run.conclusion in FAILED,
        "kept": run.job_id in kept,
        "agent": run.agent,
        "team": run.team if asked.has_team(run.team, name) else "",
        "cost_center": asked.owners.owner_of(facts).cost_center,
        "workflow": own_workflow(run.workflow_ref, f"{owner}/{name}") or run.workflow,
        "unpriced_calls": run.unpriced_calls,
    }


def _amounts(some: _Some) -> dict[str, dict[PullId, dict[Month, NanoUsd]]]:
    """What of each agent run's cost sits on each pull, by charge month; NO_PULL for the books without a pull."""
    found: dict[str, dict[PullId, dict[Month, NanoUsd]]] = {}
    months: dict[int, Month] = {}
    for agent_run_id, book, repository_id, number, yyyymm, amount in some.rows(AMOUNTS):
        month = months.get(yyyymm)
        if month is None:
            month = months[yyyymm] = Month.from_int(yyyymm)
        place = (repository_id, number) if book == Book.PULL.value else NO_PULL
        by_month = found.setdefault(agent_run_id, {}).setdefault(place, {})
        by_month[month] = NanoUsd(by_month.get(month, ZERO) + int(amount))
    return found


def _ties(some: _Some) -> dict[str, dict[PullId, int]]:
    found: dict[str, dict[PullId, int]] = {}
    for agent_run_id, repository_id, number, weight in some.rows(TIES):
        found.setdefault(agent_run_id, {})[repository_id, number] = weight
    return found


def _grains(some: _Some) -> dict[str, list[Grain]]:
    """Calls by day and model: of agent runs across a bound of a period, and of all where models are asked for."""
    found: dict[str, list[Grain]] = {}
    by_model = some.asked.by_model
    cuts = sorted({at for each in some.asked.periods for at in _ends(each)})
    bounds = {f"cut{n}": us(cut) for n, cut in enumerate(cuts)}
    across = " OR ".join(f"(started_at_us < :{name} AND ended_at_us >= :{name})" for name in bounds)
    several = " OR models LIKE :several" if by_model else ""
    for agent_run_id, model, day, cost, *tokens in some.rows(
        GRAINS.replace("{chosen}", f"({across}{several})"), several='%, "%', **bounds
    ):
        grain = Grain(
            instant(int(day) * DAY_US), model if by_model else "", NanoUsd(int(cost)), Tokens(*map(int, tokens))
        )
        found.setdefault(agent_run_id, []).append(grain)
    return found


def _ends(period: Period) -> tuple[datetime, datetime]:
    return period.start, period.end


def _with_pulls(asked: SharesOf, books: "_Books") -> set[int] | None:
    """Which repositories' pulls are needed; None for all."""
    if asked.repositories is None:
        return None
    return {*asked.repositories, *(repository_id for ties in books.ties.values() for repository_id, _ in ties)}


def _last_attempts(session: Session, asked: SharesOf, runs: Iterable[_Run]) -> dict[tuple[Any, ...], int]:
    """The last attempt of each job and matrix leg that has several."""
    rows = _where_they_ran(session, ATTEMPTS, asked, runs)
    return {tuple(row[:-1]): row[-1] for row in rows}


def _kept_jobs(session: Session, asked: SharesOf, runs: Iterable[_Run]) -> set[str]:
    """The jobs of which a commit is in a pull."""
    return {row[0] for row in _where_they_ran(session, KEPT, asked, runs)}


def _where_they_ran(session: Session, template: str, asked: SharesOf, runs: Iterable[_Run]) -> Iterable[Row[Any]]:
    """A statement's rows for all repositories, or for those in which the asked agent runs ran."""
    bounds: dict[str, Any] = {"account_id": asked.account_id, "skew": CLOCK_SKEW_US}
    if asked.repositories is None:
        return session.connection().execute(text(template.format(here="")), bounds)
    here = " AND job.repository_id IN :repositories"
    statement = text(template.format(here=here)).bindparams(bindparam("repositories", expanding=True))
    ran_in = sorted({run.repository_id for run in runs})
    return session.connection().execute(statement, bounds | {"repositories": ran_in})


# Agent runs at work in the periods, and those tied to pulls that were not closed when the first one began.
WANTED = """
    SELECT id FROM agent_run
    WHERE account_id = :account_id AND ended_at_us >= :start AND started_at_us < :end
    UNION
    SELECT tie.agent_run_id FROM tie JOIN pull ON pull.account_id = tie.account_id
        AND pull.repository_id = tie.repository_id AND pull.number = tie.number
    WHERE tie.account_id = :account_id AND (pull.closed_at_us IS NULL OR pull.closed_at_us >= :start)
"""
# The same of some repositories: their own, and those of others that are tied to their pulls.
WANTED_OF = """
    SELECT id FROM agent_run
    WHERE account_id = :account_id AND repository_id IN :repositories AND ended_at_us >= :start AND started_at_us < :end
    UNION
    SELECT tie.agent_run_id FROM tie JOIN pull ON pull.account_id = tie.account_id
        AND pull.repository_id = tie.repository_id AND pull.number = tie.number
        JOIN agent_run ON agent_run.id = tie.agent_run_id
    WHERE tie.account_id = :account_id AND tie.repository_id IN :repositories
        AND (pull.closed_at_us IS NULL OR pull.closed_at_us >= :start
             OR (agent_run.ended_at_us >= :start AND agent_run.started_at_us < :end))
"""
RUNS = """
    SELECT agent_run.id, agent_run.repository_id, agent_run.agent, agent_run.team, agent_run.purpose,
           agent_run.completeness, agent_run.started_at_us, agent_run.tied_pulls, agent_run.unpriced_calls,
           agent_run.cost_nano_usd, agent_run.models, agent_run.input_tokens, agent_run.cache_read_tokens,
           agent_run.cache_write_5m_tokens, agent_run.cache_write_1h_tokens, agent_run.cache_write_other_tokens,
           agent_run.output_tokens, agent_run.reasoning_tokens, job.id, job.issuer, job.run_id, job.run_attempt,
           job.job_name, job.matrix, job.workflow, job.workflow_ref, job.repository_properties,
           job.run_conclusion, COALESCE(job.run_started_at_us, job.started_at_us)
    FROM agent_run JOIN workflow_job AS job ON job.id = agent_run.workflow_job_id
    WHERE agent_run.account_id = :account_id AND job.account_id = :account_id AND agent_run.id IN ({wanted})
    ORDER BY agent_run.id
"""
AMOUNTS = """
    SELECT agent_run_id, book, repository_id, number, month, SUM(amount_nano_usd) FROM ledger_entry
    WHERE account_id = :account_id AND book <> 'usage' AND agent_run_id IN ({wanted})
    GROUP BY agent_run_id, book, repository_id, number, month HAVING SUM(amount_nano_usd) <> 0
"""
TIES = """
    SELECT agent_run_id, repository_id, number, weight FROM tie
    WHERE account_id = :account_id AND agent_run_id IN ({wanted}) ORDER BY agent_run_id, repository_id, number
"""
GRAINS = """
    SELECT agent_run_id, model, at_us / 86400000000, SUM(COALESCE(cost_nano_usd, 0)), SUM(input_tokens),
           SUM(cache_read_tokens), SUM(cache_write_5m_tokens), SUM(cache_write_1h_tokens),
           SUM(cache_write_other_tokens), SUM(output_tokens), SUM(reasoning_tokens)
    FROM model_call WHERE account_id = :account_id AND agent_run_id IN (
        SELECT id FROM agent_run WHERE account_id = :account_id AND {chosen} AND id IN ({wanted}))
    GROUP BY agent_run_id, model, at_us / 86400000000 ORDER BY agent_run_id, at_us / 86400000000, model
"""
ATTEMPTS = """
    SELECT issuer, repository_id, run_id, job_name, matrix, MAX(run_attempt) FROM workflow_job AS job
    WHERE account_id = :account_id AND run_id > 0{here}
    GROUP BY issuer, repository_id, run_id, job_name, matrix HAVING MAX(run_attempt) > MIN(run_attempt)
"""
# A branch that a job only checked out is new on its runner too, but its commits are older than the run.
KEPT = """
    SELECT DISTINCT commit_made.workflow_job_id
    FROM commit_made
    JOIN workflow_job AS job ON job.id = commit_made.workflow_job_id
    JOIN pull_commit ON pull_commit.account_id = commit_made.account_id
        AND pull_commit.repository_id = commit_made.repository_id AND pull_commit.sha = commit_made.sha
    JOIN pull ON pull.account_id = pull_commit.account_id AND pull.repository_id = pull_commit.repository_id
        AND pull.number = pull_commit.number
    WHERE commit_made.account_id = :account_id AND pull.state IN ('open', 'merged')
        AND pull_commit.committed_at_us >= COALESCE(job.run_started_at_us, job.started_at_us) - :skew{here}
"""

"""From a number to its parts: month, repository, pull, agent run, model calls, prices. For the API and `explain`.

Nothing is computed here but sums and the arithmetic of single calls, and nothing crosses an account: what another one
has is not there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from app.core.arithmetic import Arithmetic, arithmetic_of
from app.core.facts import AgentRunKey
from app.core.known import Known
from app.core.ledger import Book
from app.core.money import ZERO, NanoUsd
from app.core.month import Month
from app.core.repricing import KeptCall
from app.store.accounts import repositories_of, repository_of
from app.store.books import holding
from app.store.configs import config_in_force
from app.store.corrections import calls_behind
from app.store.costs import Behind, TiedRun, open_jobs_on_pull, tied_runs, ties_naming
from app.store.pulls import PullKey, pull_of
from app.store.rolled_up import busy_in
from app.store.tables import AgentRun, Pull, Repository, Tie, WorkflowJob
from app.store.walk import (
    LooseRun,
    PullInMonth,
    agent_run_of,
    amounts_of_pulls,
    known_of_pulls,
    known_of_repository,
    pulls_of_month,
    repository_ids,
    runs_without_pull,
    shares_of_pull,
    spend_of_repository,
    ties_of,
)
from app.world import World

NOBODY = Known()


@dataclass(frozen=True, slots=True)
class RepositoryStep:
    """A repository with what its month's charges amount to by book. `repository` is None where no event told of it."""

    repository_id: int
    repository: Repository | None
    books: dict[Book, NanoUsd]
    tied: Known = NOBODY  # of the agent runs that pulls have
    loose: Known = NOBODY  # of the others

    @property
    def spend(self) -> NanoUsd:
        return NanoUsd(sum(self.books.values()))


@dataclass(frozen=True, slots=True)
class ShareStep:
    """An agent run's part in a pull."""

    tied: TiedRun
    by_month: dict[Month, NanoUsd]

    @property
    def amount(self) -> NanoUsd:
        return NanoUsd(sum(self.by_month.values()))


@dataclass(frozen=True, slots=True)
class PullStep:
    """A pull with its agent runs, or a page of them. `tied_candidates` and `open_jobs`: what is in no figure.

    `by_month` and `known` are of all its agent runs.
    """

    pull: Pull
    repository: Repository | None
    by_month: dict[Month, NanoUsd]
    known: Known
    shares: tuple[ShareStep, ...]
    tied_candidates: int
    open_jobs: int

    @property
    def amount(self) -> NanoUsd:
        return NanoUsd(sum(self.by_month.values()))


@dataclass(frozen=True, slots=True)
class PlaceStep:
    """Where a part of an agent run's cost sits. `tie` is what ties it to the pull, None in other books."""

    book: Book
    number: int
    by_month: dict[Month, NanoUsd]
    tie: Tie | None

    @property
    def amount(self) -> NanoUsd:
        return NanoUsd(sum(self.by_month.values()))


@dataclass(frozen=True, slots=True)
class RunStep:
    """An agent run, and where its cost sits."""

    run: AgentRun
    job: WorkflowJob
    repository: Repository | None
    places: tuple[PlaceStep, ...]


@dataclass(frozen=True, slots=True)
class CallStep:
    """A model call with its price; no arithmetic where it has no cost, or prices in force now come to another one."""

    kept: KeptCall
    arithmetic: Arithmetic | None


def month_step(world: World, account_id: int, month: Month) -> list[RepositoryStep]:
    """What a month's charges amount to in each repository that has any, or where agents ran."""
    with world.db.reading() as session:
        found = busy_in(session, account_id, month, world.now())
        rows = {each.repository_id: each for each in repositories_of(session, account_id)}
    return [
        RepositoryStep(
            each,
            rows.get(each),
            {Book(book): NanoUsd(amount) for book, amount in sums.books.items()},
            sums.tied,
            sums.loose,
        )
        for each, sums in found.items()
    ]


def repositories(world: World, account_id: int, after: int, most: int) -> list[RepositoryStep]:
    """An account's repositories by id, without amounts."""
    with world.db.reading() as session:
        ids = repository_ids(session, account_id, after, most)
        return [RepositoryStep(each, repository_of(session, account_id, each), {}) for each in ids]


def repository_step(world: World, account_id: int, repository_id: int, month: Month) -> RepositoryStep | None:
    """A repository's month; None: there is no such one."""
    with world.db.reading() as session:
        if repository_ids(session, account_id, repository_id - 1, 1) != [repository_id]:
            return None
        books = spend_of_repository(session, account_id, repository_id, month)
        tied, loose = known_of_repository(session, account_id, repository_id, month)
        return RepositoryStep(repository_id, repository_of(session, account_id, repository_id), books, tied, loose)


def pulls(world: World, account_id: int, repository_id: int, month: Month, after: int, most: int) -> list[PullInMonth]:
    """The pulls of a repository's month by number, behind `after`."""
    with world.db.reading() as session:
        return pulls_of_month(session, account_id, repository_id, month, after, most)


def without_pull(
    world: World, account_id: int, repository_id: int, month: Month, after: str, most: int
) -> list[LooseRun]:
    """The agent runs of a repository's month with cost that no pull has, by id, behind `after`."""
    with world.db.reading() as session:
        return runs_without_pull(session, account_id, repository_id, month, after, most)


def pull_step(
    world: World, account_id: int, repository_id: int, number: int, page: Behind | None = None
) -> PullStep | None:
    """A pull and its agent runs, all of them or a page; None: there is no such pull."""
    key = PullKey(account_id, repository_id, number)
    with world.db.reading() as session:
        pull = pull_of(session, key)
        if pull is None:
            return None
        tied = tied_runs(session, key, page)
        shares = shares_of_pull(session, account_id, repository_id, number, [each.agent_run.id for each in tied])
        return PullStep(
            pull=pull,
            repository=repository_of(session, account_id, repository_id),
            by_month=amounts_of_pulls(session, account_id, repository_id, [number])[number],
            known=known_of_pulls(session, account_id, repository_id, [number]).get(number, NOBODY),
            shares=tuple(ShareStep(each, shares.get(each.agent_run.id, {})) for each in tied),
            tied_candidates=ties_naming(session, key),
            open_jobs=open_jobs_on_pull(session, key),
        )


def run_step(world: World, account_id: int, agent_run_id: str) -> RunStep | None:
    """An agent run and where its cost sits; None: there is no such one."""
    with world.db.reading() as session:
        run = agent_run_of(session, account_id, agent_run_id)
        if run is None:
            return None
        job = session.get_one(WorkflowJob, run.workflow_job_id)
        return RunStep(run, job, repository_of(session, account_id, run.repository_id), tuple(_places(session, run)))


def _places(session: Session, run: AgentRun) -> list[PlaceStep]:
    """By book and pull; a pull that it is tied to without any cost is a place too."""
    ties = {tie.number: tie for tie in ties_of(session, run.account_id, run.id)}
    by_place: dict[tuple[Book, int], dict[Month, NanoUsd]] = {(Book.PULL, number): {} for number in ties}
    held = holding(session, AgentRunKey(run.account_id, run.repository_id, run.id))
    for (place, month), amount in sorted(held.items()):
        if place.book is not Book.USAGE:
            by_place.setdefault((place.book, place.number), {})[month] = amount
    return [
        PlaceStep(book, number, by_month, ties.get(number) if book is Book.PULL else None)
        for (book, number), by_month in sorted(by_place.items())
    ]


def call_steps(world: World, account_id: int, agent_run_id: str, position: int, most: int) -> list[CallStep]:
    """An agent run's model calls behind a position, with the arithmetic of each."""
    with world.db.reading() as session:
        kept = calls_behind(session, account_id, agent_run_id, position, most)
        config = config_in_force(session, account_id)
    return [CallStep(each, arithmetic_of(world.prices, config, each.call, each.price.cost)) for each in kept]


def spend_of(steps: Sequence[RepositoryStep]) -> NanoUsd:
    """Of a month over repositories."""
    return NanoUsd(sum((step.spend for step in steps), ZERO))

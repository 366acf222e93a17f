"""Prices or agreements have changed: price what is recorded anew, each call at its own time, and correct the books.

One agent run in one transaction. Nothing is overwritten without what it was being kept, the difference goes where the
cost sits, and a second time nothing is left to change.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from app.core.config import Config
from app.core.costing import LARGEST_COST
from app.core.money import ZERO, NanoUsd, dollars_text
from app.core.report.numbers import count
from app.core.repricing import Change, Difference, changes_of, difference
from app.store.configs import config_in_force
from app.store.corrections import agent_runs_since, calls_since, correct, enter, held_agent_run
from app.store.jobs import pull_job, run_job
from app.store.pulls import PullKey
from app.store.queue import enqueue_all
from app.store.tables import AgentRun, WorkflowJob
from app.world import World

log = logging.getLogger(__name__)

REASON = "repriced"
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Repriced:
    """What became of an account's agent runs; amounts and calls are those of the corrected ones.

    `refused`: how many would have come to cost more than any agent run can.
    """

    agent_runs: int = 0
    corrected: int = 0
    refused: int = 0
    before: NanoUsd = ZERO
    after: NanoUsd = ZERO
    unpriced_before: int = 0
    unpriced_after: int = 0

    def text(self, dry_run: bool) -> str:
        """ "3 of 40 agent runs corrected, $1.20 → $1.10, 2 → 0 model calls without a price"."""
        verb = "would be corrected" if dry_run else "corrected"
        said = f"{self.corrected:,} of {count(self.agent_runs, 'agent run')} {verb}"
        if self.corrected:
            said += f", {dollars_text(self.before)} → {dollars_text(self.after)}"
        if self.unpriced_before or self.unpriced_after:
            said += f", {self.unpriced_before:,} → {self.unpriced_after:,} model calls without a price"
        if self.refused:
            said += f"; {self.refused:,} left as before, at more than a million dollars"
        return said

    def __add__(self, other: "Repriced") -> "Repriced":
        return Repriced(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Asked:
    """Which calls to price anew, and by which agreements."""

    account_id: int
    since: datetime
    config: Config
    dry_run: bool


def reprice(world: World, account_id: int, since: datetime, dry_run: bool = False) -> Repriced:
    """Price an account's calls at an aware instant or later with the price list and configuration in force now.

    `dry_run` writes nothing and says what would be.
    """
    with world.db.reading() as session:
        asked = Asked(account_id, since, config_in_force(session, account_id), dry_run)
    total, after = Repriced(), ""
    while ids := _page(world, asked, after):
        total = sum((_reprice_run(world, asked, agent_run_id) for agent_run_id in ids), total)
        after = ids[-1]
    return total


def _page(world: World, asked: Asked, after: str) -> list[str]:
    with world.db.reading() as session:
        return agent_runs_since(session, asked.account_id, asked.since, after, MOST_AT_ONCE)


def _reprice_run(world: World, asked: Asked, agent_run_id: str) -> Repriced:
    """Look first, without holding anything: most agent runs cost what they did."""
    with world.db.reading() as session:
        run = session.get(AgentRun, agent_run_id)
        changes = _changes(session, world, asked, agent_run_id)
    if run is None or not changes:
        return Repriced(agent_runs=1)
    if _too_much(run, difference(changes)):
        log.warning("agent run %s would cost more than a million dollars: left as it is", agent_run_id)
        return Repriced(agent_runs=1, refused=1)
    if asked.dry_run:
        return _told(run, difference(changes))
    with world.db.transaction() as session:
        return _correct(session, world, asked, agent_run_id)


def _changes(session: Session, world: World, asked: Asked, agent_run_id: str) -> list[Change]:
    kept = calls_since(session, asked.account_id, agent_run_id, asked.since)
    return changes_of(world.prices, asked.config, kept)


def _too_much(run: AgentRun, by: Difference) -> bool:
    return max(run.cost_nano_usd + by.cost, run.list_cost_nano_usd + by.list_cost) > LARGEST_COST


def _told(run: AgentRun, by: Difference) -> Repriced:
    return Repriced(
        agent_runs=1,
        corrected=1,
        before=NanoUsd(run.cost_nano_usd),
        after=NanoUsd(run.cost_nano_usd + by.cost),
        unpriced_before=run.unpriced_calls,
        unpriced_after=run.unpriced_calls + by.unpriced_calls,
    )


def _correct(session: Session, world: World, asked: Asked, agent_run_id: str) -> Repriced:
    """Correct an agent run that is held from here on; it is looked at again, as somebody may have been quicker."""
    run = held_agent_run(session, asked.account_id, agent_run_id)
    changes = _changes(session, world, asked, agent_run_id)
    if run is None or not changes:
        return Repriced(agent_runs=1)
    by = difference(changes)
    told = _told(run, by)
    correct(session, run, changes, by, world.prices.version, REASON, world.now())
    _enter(session, world, run, by)
    return told


def _enter(session: Session, world: World, run: AgentRun, by: Difference) -> None:
    """Enter the difference where the agent run's cost sits, and have done what follows from it."""
    pulls = enter(session, run, by, REASON, world.now())
    due = world.now() + timedelta(seconds=world.settings.debounce_s)
    tied = [PullKey(run.account_id, place.repository_id or run.repository_id, place.number) for place in pulls]
    jobs = [pull_job(pull, "publish", due) for pull in tied]
    # Its own lane looks again: it may have been moving the cost when the difference was entered, or find its first.
    job = session.get_one(WorkflowJob, run.workflow_job_id)
    jobs.append(run_job(run.account_id, run.repository_id, job.run_id, "place", job.id, world.now()))
    enqueue_all(session, jobs, world.now())

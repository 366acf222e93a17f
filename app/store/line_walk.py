"""What a statement's line is made of: its agent runs with their ledger entries, and their model calls. Reads only.

The entries are those that the statement's month covers, so the answer is the same whenever it is asked.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, text
from sqlmodel import Session, col, select

from app.core.chargeback.gathered import kind_of
from app.core.chargeback.ownership import Owner, RunFacts
from app.core.chargeback.periods import Coverage
from app.core.chargeback.statement import Kind
from app.core.ledger import Book
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.repricing import KeptCall
from app.store.corrections import calls_since
from app.store.ownership import MOST_AT_ONCE, facts_of_runs
from app.store.tables import AgentRun, LedgerEntry, Tie, WorkflowJob


@dataclass(frozen=True, slots=True)
class LineAsked:
    """A line's place, and which entries it is made of: charges of a month, of a coverage. `kind`: of an adjustment."""

    account_id: int
    cost_center: str
    book: str
    repository_id: int
    number: int
    charged: Month
    covered: Coverage
    kind: Kind | None = None

    @property
    def bounds(self) -> dict[str, int]:
        """The ids of the entries: behind `after`, up to `until`."""
        after = 0 if self.kind is None else self.covered.after
        return {"after": after, "until": self.covered.last}


@dataclass(frozen=True, slots=True)
class RunInLine:
    """An agent run, what of it the line has, and who pays it."""

    agent_run_id: str
    amount: NanoUsd
    owner: Owner


@dataclass(frozen=True, slots=True)
class RunDetails:
    """An agent run with its job, the line's entries of it, its tie to the line's pull, and its calls of the month."""

    run: AgentRun
    job: WorkflowJob
    entries: tuple[LedgerEntry, ...]
    tie: Tie | None
    calls: tuple[KeptCall, ...]


def runs_in_line(session: Session, asked: LineAsked, owner_of: Callable[[RunFacts], Owner]) -> list[RunInLine]:
    """All agent runs of a line that have an amount in it, the biggest first."""
    values = {
        "account_id": asked.account_id, "month": int(asked.charged), "book": asked.book, "number": asked.number,
        "repository_id": asked.repository_id, **asked.bounds,
    }  # fmt: skip
    amounts = {run: int(amount) for run, amount in session.connection().execute(AMOUNTS, values)}
    ids = sorted(amounts) if asked.kind is None else _of_kind(session, asked, sorted(amounts))
    facts = facts_of_runs(session, asked.account_id, ids)
    found = [RunInLine(each, NanoUsd(amounts[each]), owner_of(facts[each])) for each in ids if each in facts]
    own = [each for each in found if each.owner.cost_center == asked.cost_center]
    return sorted(own, key=lambda each: (-abs(each.amount), each.agent_run_id))


def _of_kind(session: Session, asked: LineAsked, ids: Sequence[str]) -> list[str]:
    """Those whose entries of the month were posted for the adjustment's reason."""
    reasons = defaultdict[str, set[tuple[str, str]]](set)
    for done in range(0, len(ids), MOST_AT_ONCE):
        values = {
            "account_id": asked.account_id, "month": int(asked.charged), "ids": ids[done : done + MOST_AT_ONCE],
            **asked.bounds,
        }  # fmt: skip
        for agent_run_id, book, reason in session.connection().execute(REASONS, values):
            reasons[agent_run_id].add((book, reason))
    return [each for each in ids if kind_of(reasons[each]) is asked.kind]


def details_of(session: Session, asked: LineAsked, ids: Sequence[str]) -> list[RunDetails]:
    """The agent runs of a page, in the order of the ids that are given."""
    query = (
        select(AgentRun, WorkflowJob)
        .where(AgentRun.workflow_job_id == WorkflowJob.id, AgentRun.account_id == asked.account_id)
        .where(WorkflowJob.account_id == asked.account_id, col(AgentRun.id).in_(ids))
    )
    found = {run.id: (run, job) for run, job in session.exec(query)}
    entries, ties = _entries(session, asked, ids), _ties(session, asked, ids)
    return [
        RunDetails(*found[each], tuple(entries[each]), ties.get(each), _calls(session, asked, each))
        for each in ids
        if each in found
    ]


def _entries(session: Session, asked: LineAsked, ids: Sequence[str]) -> dict[str, list[LedgerEntry]]:
    bounds = asked.bounds
    query = select(LedgerEntry).where(
        LedgerEntry.account_id == asked.account_id, col(LedgerEntry.agent_run_id).in_(ids),
        LedgerEntry.month == int(asked.charged), LedgerEntry.book == asked.book,
        LedgerEntry.repository_id == asked.repository_id, LedgerEntry.number == asked.number,
        col(LedgerEntry.id) > bounds["after"], col(LedgerEntry.id) <= bounds["until"],
    )  # fmt: skip
    found = defaultdict[str, list[LedgerEntry]](list)
    for entry in session.exec(query.order_by(col(LedgerEntry.id))):
        found[entry.agent_run_id].append(entry)
    return found


def _ties(session: Session, asked: LineAsked, ids: Sequence[str]) -> dict[str, Tie]:
    if asked.book != Book.PULL.value:
        return {}
    query = select(Tie).where(
        Tie.account_id == asked.account_id, col(Tie.agent_run_id).in_(ids),
        Tie.repository_id == asked.repository_id, Tie.number == asked.number,
    )  # fmt: skip
    return {tie.agent_run_id: tie for tie in session.exec(query)}


def _calls(session: Session, asked: LineAsked, agent_run_id: str) -> tuple[KeptCall, ...]:
    since = calls_since(session, asked.account_id, agent_run_id, asked.charged.start)
    return tuple(each for each in since if each.call.at in asked.charged)


AMOUNTS = text("""
    SELECT agent_run_id, SUM(amount_nano_usd) FROM ledger_entry
    WHERE account_id = :account_id AND repository_id = :repository_id AND month = :month AND book = :book
        AND number = :number AND id > :after AND id <= :until
    GROUP BY agent_run_id HAVING SUM(amount_nano_usd) <> 0
""")
REASONS = text("""
    SELECT DISTINCT agent_run_id, book, reason FROM ledger_entry
    WHERE account_id = :account_id AND agent_run_id IN :ids AND month = :month AND id > :after AND id <= :until
""").bindparams(bindparam("ids", expanding=True))

"""What a month states, read from the ledger in ranges of agent runs. Reads only.

A month's agent runs are a million in a large organisation: nothing here holds more than a range of them, and the text
of an agent run's entries is put together by the database.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from app.core.chargeback.gathered import CoveredRun, Gathered, RunKnown
from app.core.chargeback.ownership import Ownership, RunFacts
from app.core.chargeback.periods import Coverage
from app.core.month import Month
from app.core.workflow_lines import workflow_file
from app.store.keys import instant, us
from app.store.pull_fates import NOWHERE, RepositoryName, repository_names

RUNS_AT_ONCE = 10_000
EVER = 2**62
# A key is made when a record comes. Calls that are dated further ahead than this are refused.
AHEAD = timedelta(days=2)


class BooksBrokenError(Exception):
    """The ledger has entries that belong to no agent run, or changed while they were read."""


@dataclass(frozen=True, slots=True)
class Range:
    """Agent runs whose ids are behind `after`, up to `last`."""

    after: str
    last: str


class Reader:
    """One month's coverage in one snapshot."""

    def __init__(self, session: Session, account_id: int, covered: Coverage) -> None:
        self._connection = session.connection()
        self._account_id, self.covered = account_id, covered
        self.names: Mapping[int, RepositoryName] = repository_names(session, account_id)
        self._text = ENTRY_TEXT[self._connection.dialect.name]
        self._until = EVER if covered.until is None else covered.until

    def ranges(self, since: str = "") -> list[Range]:
        """All agent runs behind an id, parted."""
        bounds = {"account_id": self._account_id, "most": RUNS_AT_ONCE - 1}
        found: list[Range] = []
        after = since
        while True:
            values = bounds | {"after": after}
            last = self._connection.execute(BOUND, values).scalar() or self._connection.execute(LAST, values).scalar()
            if last is None:
                return found
            found.append(Range(after, last))
            after = last

    def gather(self, ownership: Ownership, ranges: Iterable[Range]) -> Gathered:
        """The month's own entries of agent runs in some ranges."""
        gathered = Gathered()
        month = self.covered.month
        own = {"month": int(month), "until": self._until}
        for each in ranges:
            values = {"account_id": self._account_id, "after": each.after, "last": each.last, **own}
            statement = text(IN_RANGE.format(text=self._text))
            runs = [CoveredRun(*row) for row in self._connection.execute(statement, values)]
            if not runs:
                continue
            facts = self._facts(FACTS_IN_RANGE, values)
            models = self._models(facts, values, month)
            for run in runs:
                if run.agent_run_id in facts:
                    gathered.add(run, self._known(ownership, facts[run.agent_run_id], models.get(run.agent_run_id)))
        return gathered

    def adjust(self, ownerships: Mapping[Month, Ownership], gathered: Gathered) -> None:
        """Add the entries of earlier months that this month states, each by that month's owners."""
        later = {"account_id": self._account_id, "after": self.covered.after, "until": self._until}
        late = self._connection.execute(LATE, later | {"month": int(self.covered.month)})
        by_month: dict[int, list[str]] = {}
        for month, agent_run_id in late:
            by_month.setdefault(month, []).append(agent_run_id)
        for month, ids in sorted(by_month.items()):
            for done in range(0, len(ids), RUNS_AT_ONCE):
                some = ids[done : done + RUNS_AT_ONCE]
                self._adjust(ownerships[Month.from_int(month)], gathered, Month.from_int(month), some, later)

    def _adjust(
        self, ownership: Ownership, gathered: Gathered, month: Month, ids: Sequence[str], later: Mapping[str, Any]
    ) -> None:
        wanted = IDS[self._connection.dialect.name]
        values = {**later, "month": int(month), "ids": json.dumps(ids)}
        facts = self._facts(FACTS_OF.format(wanted=wanted), values)
        statement = text(OF_RUNS.format(text=self._text, wanted=wanted))
        for row in self._connection.execute(statement, values):
            run = CoveredRun(*row)
            if run.agent_run_id in facts:
                gathered.adjust(run, self._known(ownership, facts[run.agent_run_id], None), month)

    def late_months(self) -> list[Month]:
        """The earlier months of which this one states something."""
        values = {
            "account_id": self._account_id,
            "after": self.covered.after,
            "until": self._until,
            "month": int(self.covered.month),
        }
        return [Month.from_int(month) for month in self._connection.execute(LATE_MONTHS, values).scalars()]

    def count(self) -> tuple[int, int]:
        """How many entries the month covers, and what those outside `usage` sum to: nothing may get lost."""
        values = {
            "account_id": self._account_id,
            "after": self.covered.after,
            "until": self._until,
            "month": int(self.covered.month),
        }
        rows = [self._connection.execute(statement, values).one() for statement in (COUNT_OWN, COUNT_LATE)]
        return sum(int(row[0]) for row in rows), sum(int(row[1] or 0) for row in rows)

    def _facts(self, statement: str, values: Mapping[str, Any]) -> dict[str, Any]:
        return {row[0]: row for row in self._connection.execute(text(statement), values)}

    def _models(
        self, facts: Mapping[str, Any], values: Mapping[str, Any], month: Month
    ) -> dict[str, list[tuple[str, int]]]:
        """What the calls of agent runs with several models cost, by model."""
        if not any('", "' in row[5] for row in facts.values()):
            return {}
        found: dict[str, list[tuple[str, int]]] = {}
        bounds = {**values, "start_us": us(month.start), "end_us": us(month.end)}
        for agent_run_id, model, cost in self._connection.execute(BY_MODEL, bounds):
            found.setdefault(agent_run_id, []).append((model, int(cost)))
        return found

    def _known(self, ownership: Ownership, row: Any, models: Sequence[tuple[str, int]] | None) -> RunKnown:
        _, home_id, agent, team, began_us, names, workflow_ref, properties = row
        name = self.names.get(home_id, NOWHERE).name
        facts = RunFacts(home_id, name, workflow_file(workflow_ref), agent, team, properties, instant(began_us))
        if models is None:
            models = _only(names)
        return RunKnown(home_id, agent, ownership.owner_of(facts), models)


def read_stated(
    session: Session, account_id: int, covered: Coverage, ownerships: Mapping[Month, Ownership]
) -> tuple[Gathered, Mapping[int, str]]:
    """All that a month states, and the names of repositories. Raises BooksBrokenError where something is lost.

    `ownerships`: of the month and of every earlier one of which it states something.
    """
    reader = Reader(session, account_id, covered)
    wanted = reader.count()
    for since in (earliest_key(covered.month), ""):
        gathered = reader.gather(ownerships[covered.month], reader.ranges(since))
        reader.adjust(ownerships, gathered)
        if (gathered.entries, gathered.amount) == wanted:
            return gathered, {each: f"{name.owner}/{name.name}" for each, name in reader.names.items()}
    entries, amount = wanted
    raise BooksBrokenError(
        f"the ledger has {entries} entries for {covered.month} that sum to {amount} nano-USD, but the agent runs that"
        f" they name have {gathered.entries} that sum to {gathered.amount}"
    )


def earliest_key(month: Month) -> str:
    """No agent run with calls of a month has an earlier key, unless clocks were wrong."""
    return f"{(us(month.start - AHEAD) // 1000):012x}"


def _only(names: str) -> list[tuple[str, int]]:
    found = json.loads(names)
    return [(str(found[0]), 1)] if len(found) == 1 else []


SEPARATED = (
    "id || {0} || transaction_id || {0} || book || {0} || repository_id || {0} || number || {0} || agent_run_id || {0}"
)
FIELDS = SEPARATED + " || month || {0} || amount_nano_usd || {0} || posted_at_us || {0} || reason"
# Of an index SQLite reads equal keys in the order of rows' numbers, which the ids are.
ENTRY_TEXT = {
    "sqlite": f"group_concat({FIELDS.format('char(31)')}, char(30))",
    "postgresql": f"string_agg({FIELDS.format('chr(31)')}, chr(30) ORDER BY id)",
}
IDS = {
    "sqlite": "SELECT value FROM json_each(:ids)",
    "postgresql": "SELECT jsonb_array_elements_text(CAST(:ids AS jsonb))",
}
BOUND = text("SELECT id FROM agent_run WHERE account_id = :account_id AND id > :after ORDER BY id LIMIT 1 OFFSET :most")
LAST = text("SELECT MAX(id) FROM agent_run WHERE account_id = :account_id AND id > :after")
IN_RANGE = """
    SELECT agent_run_id, {text} FROM ledger_entry
    WHERE account_id = :account_id AND agent_run_id > :after AND agent_run_id <= :last
        AND month = :month AND id <= :until
    GROUP BY agent_run_id ORDER BY agent_run_id
"""
OF_RUNS = """
    SELECT agent_run_id, {text} FROM ledger_entry
    WHERE account_id = :account_id AND agent_run_id IN ({wanted}) AND month = :month AND id > :after AND id <= :until
    GROUP BY agent_run_id ORDER BY agent_run_id
"""
LATE = text("""
    SELECT DISTINCT month, agent_run_id FROM ledger_entry
    WHERE id > :after AND id <= :until AND account_id = :account_id AND month < :month ORDER BY month, agent_run_id
""")
LATE_MONTHS = text("""
    SELECT DISTINCT month FROM ledger_entry
    WHERE id > :after AND id <= :until AND account_id = :account_id AND month < :month ORDER BY month
""")
COUNT_OWN = text("""
    SELECT COUNT(*), SUM(CASE WHEN book <> 'usage' THEN amount_nano_usd ELSE 0 END) FROM ledger_entry
    WHERE account_id = :account_id AND month = :month AND id <= :until
        AND repository_id IN (SELECT DISTINCT repository_id FROM balance WHERE account_id = :account_id)
""")
COUNT_LATE = text("""
    SELECT COUNT(*), SUM(CASE WHEN book <> 'usage' THEN amount_nano_usd ELSE 0 END) FROM ledger_entry
    WHERE id > :after AND id <= :until AND account_id = :account_id AND month < :month
""")
FACTS = """
    SELECT agent_run.id, agent_run.repository_id, agent_run.agent, agent_run.team, agent_run.started_at_us,
           agent_run.models, job.workflow_ref, job.repository_properties
    FROM agent_run JOIN workflow_job AS job ON job.id = agent_run.workflow_job_id
    WHERE agent_run.account_id = :account_id
"""
FACTS_IN_RANGE = f"{FACTS} AND agent_run.id > :after AND agent_run.id <= :last"
FACTS_OF = FACTS + " AND agent_run.id IN ({wanted})"
BY_MODEL = text("""
    SELECT agent_run_id, model, SUM(cost_nano_usd) FROM model_call
    WHERE account_id = :account_id AND agent_run_id > :after AND agent_run_id <= :last
        AND at_us >= :start_us AND at_us < :end_us AND cost_nano_usd IS NOT NULL
    GROUP BY agent_run_id, model ORDER BY agent_run_id, model
""")

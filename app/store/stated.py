"""What a month states, read from the ledger in parts of some repositories. Reads only.

A month's agent runs are a million in a large organisation: nothing here holds more than some thousands of them, and the
text of an agent run's entries is put together by the database. What the entries of a repository say is its own: agent
runs that are tied to pulls elsewhere have entries in both.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import bindparam, text
from sqlmodel import Session

from app.core.chargeback.gathered import Gathered, RunKnown, States
from app.core.chargeback.ownership import Owner, Owners
from app.core.chargeback.periods import Coverage
from app.core.month import Month
from app.store.configs import config_in_force
from app.store.database import Database
from app.store.keys import instant, us
from app.store.ownership import owners_of, run_facts
from app.store.processors import on_all_processors
from app.store.pull_fates import NOWHERE, RepositoryName, repository_names

RUNS_AT_ONCE = 2_000
REPOSITORIES_AT_ONCE = 10
LEAST_RUNS = 30_000  # for processes of their own: fewer take less time than their start
# Else PostgreSQL plans for who wants the first rows soon, compiles what runs for a moment, and sorts on disk at once.
SETTINGS = {"postgresql": ("cursor_tuple_fraction = 1", "jit = off", "work_mem = '64MB'")}


Late = dict[Month, dict[str, int]]  # by month and agent run, in nano-USD


class BooksBrokenError(Exception):
    """The ledger's entries of agent runs are not what the balances say: something was altered or lost."""


class Reader:
    """One month's coverage in one snapshot."""

    def __init__(self, session: Session, account_id: int, covered: Coverage) -> None:
        self._connection = session.connection()
        self._dialect = self._connection.dialect.name
        self._asked = {
            "account_id": account_id,
            "month": int(covered.month),
            "after": covered.after,
            "until": covered.last,
        }
        self.covered = covered
        self.names: Mapping[int, RepositoryName] = repository_names(session, account_id)
        self._owners: dict[tuple[object, ...], tuple[Owner, bool]] = {}

    def repositories(self) -> list[int]:
        """Those with entries of the month itself."""
        return list(self._connection.execute(REPOSITORIES, self._asked).scalars())

    def runs(self) -> int:
        """About how many agent runs there are, of all months."""
        return int(self._connection.execute(RUNS, self._asked).scalar() or 0)

    def gather(self, owners: Owners, repositories: Iterable[int], gathered: Gathered) -> None:
        """Add the month's own entries in some repositories."""
        # As values, not as JSON: PostgreSQL must see how few they are, or it reads the whole ledger.
        statement = text(OWN.format(text=ENTRY_TEXT[self._dialect])).bindparams(bindparam("ids", expanding=True))
        values = {**self._asked, "ids": list(repositories)}
        for setting in SETTINGS.get(self._dialect, ()):
            self._connection.execute(text(f"SET LOCAL {setting}"))
        streamed = self._connection.execution_options(stream_results=True).execute(statement, values)
        while rows := streamed.fetchmany(RUNS_AT_ONCE):
            ids = {"ids": json.dumps([row[1] for row in rows])}
            facts = self._facts(ids)
            models = self._models(facts)
            for repository_id, agent_run_id, entries in rows:
                if (row := facts.get(agent_run_id)) is not None:
                    gathered.add(repository_id, entries, self._known(owners, row, models.get(agent_run_id)))

    def adjust(self, owners: Owners, gathered: Gathered) -> None:
        """Add the entries of earlier months that this month states. Raises BooksBrokenError where some are lost."""
        late = self.late()
        for month, amounts in late.items():
            runs = list(amounts)
            for done in range(0, len(runs), RUNS_AT_ONCE):
                self._adjust(owners, gathered, month, {"ids": json.dumps(runs[done : done + RUNS_AT_ONCE])})
        if (wanted := sum_of(late)) != gathered.late:
            raise BooksBrokenError(
                f"The ledger has {wanted} nano-USD of earlier months that {self.covered.month} states, but the entries"
                f" of their agent runs sum to {gathered.late}."
            )

    def _adjust(self, owners: Owners, gathered: Gathered, month: Month, ids: Mapping[str, str]) -> None:
        facts = self._facts(ids)
        statement = text(OF_RUNS.format(text=ENTRY_TEXT[self._dialect], wanted=TEXTS[self._dialect]))
        for agent_run_id, entries in self._connection.execute(statement, {**self._asked, **ids, "month": int(month)}):
            if (row := facts.get(agent_run_id)) is not None:
                gathered.adjust(entries, self._known(owners, row, None), month)

    def booked(self) -> int:
        """What the month's own entries outside `usage` sum to, by the balances."""
        all_of_it, later = (self._connection.execute(each, self._asked).scalar() for each in (BALANCES, LATER))
        return int(all_of_it or 0) - int(later or 0)

    def late(self) -> Late:
        """The agent runs of earlier months of which this one states entries, with what these sum to; in order."""
        found: Late = {}
        for month, agent_run_id, amount in self._connection.execute(LATE, self._asked).fetchall():
            found.setdefault(Month.from_int(month), {})[agent_run_id] = int(amount)
        return found

    def _facts(self, ids: Mapping[str, str]) -> dict[str, Any]:
        statement = text(FACTS.format(wanted=TEXTS[self._dialect]))
        return {row[0]: row for row in self._connection.execute(statement, {**self._asked, **ids}).fetchall()}

    def _models(self, facts: Mapping[str, Any]) -> dict[str, list[tuple[str, int]]]:
        """What the calls of agent runs across a month's end cost in the month, by model."""
        start, end = us(self.covered.month.start), us(self.covered.month.end)
        across = [row[0] for row in facts.values() if row[4] < start or row[5] >= end]
        if not across:
            return {}
        values = {**self._asked, "ids": json.dumps(across), "start_us": start, "end_us": end}
        statement = text(BY_MODEL.format(wanted=TEXTS[self._dialect]))
        found: dict[str, list[tuple[str, int]]] = {}
        for agent_run_id, model, cost in self._connection.execute(statement, values).fetchall():
            found.setdefault(agent_run_id, []).append((model, int(cost)))
        return found

    def _known(self, owners: Owners, row: Any, models: Sequence[tuple[str, int]] | None) -> RunKnown:
        _, home_id, agent, team, began_us, _, by_model, workflow_ref, properties = row
        began = instant(began_us)
        key = home_id, agent, team, workflow_ref, properties, owners.moment(home_id, began)
        found = self._owners.get(key)
        if found is None:
            name = self.names.get(home_id, NOWHERE).name
            facts = run_facts(home_id, name, workflow_ref, agent, team, properties, began_us)
            found = self._owners[key] = owners.owner_of(facts), owners.of(began).differs(facts)
        if models is None:
            models = [each for each in sorted(json.loads(by_model).items()) if each[1]]
        return RunKnown(home_id, agent, found[0], models, found[1])


@dataclass(frozen=True, slots=True)
class Stated:
    """What a month states; "owner/name" of the account's repositories; and who spent how much in which."""

    states: States
    names: Mapping[int, str]


def read_stated(db: Database, account_id: int, covered: Coverage) -> Stated:
    """All that a month states, read on all processors. Raises BooksBrokenError where something of it is lost.

    Each processor has a snapshot of its own: what a month covers does not change once it closes.
    """
    with db.reading() as session:
        reader = Reader(session, account_id, covered)
        wanted, repositories, runs = reader.booked(), reader.repositories(), reader.runs()
        names = {each: f"{name.owner}/{name.name}" for each, name in reader.names.items()}
    parts = [
        repositories[done : done + REPOSITORIES_AT_ONCE] for done in range(0, len(repositories), REPOSITORIES_AT_ONCE)
    ]
    late = _late(db, account_id, covered)
    states = States()
    for part in _each(db, account_id, covered, parts, names, runs):
        states.join(part)
    if states.own != wanted:
        raise BooksBrokenError(
            f"The books have {wanted} nano-USD of {covered.month}, but the entries of its agent runs sum to"
            f" {states.own}."
        )
    states.join(late.states(names))
    return Stated(states, names)


def booked_in(session: Session, account_id: int, covered: Coverage) -> int:
    """What a month states, in nano-USD, by the ledger's sums alone; what subscriptions cover is in it."""
    reader = Reader(session, account_id, covered)
    return reader.booked() + sum_of(reader.late())


def sum_of(late: Late) -> int:
    """What all of them sum to, in nano-USD."""
    return sum(amount for amounts in late.values() for amount in amounts.values())


def _each(
    db: Database,
    account_id: int,
    covered: Coverage,
    parts: Sequence[Sequence[int]],
    names: Mapping[int, str],
    runs: int,
) -> Iterable[States]:
    work = partial(_part, account_id=account_id, covered=covered, names=names)
    if runs < LEAST_RUNS:
        return map(partial(work, db), parts)
    return on_all_processors(db.url, work, parts, sorts_on_disk=True)


def _part(
    db: Database, repositories: Sequence[int], account_id: int, covered: Coverage, names: Mapping[int, str]
) -> States:
    with db.reading() as session:
        gathered = Gathered()
        owners = owners_of(session, account_id, config_in_force(session, account_id))
        Reader(session, account_id, covered).gather(owners, repositories, gathered)
        return gathered.states(names)


def _late(db: Database, account_id: int, covered: Coverage) -> Gathered:
    with db.reading() as session:
        gathered = Gathered()
        owners = owners_of(session, account_id, config_in_force(session, account_id))
        Reader(session, account_id, covered).adjust(owners, gathered)
        return gathered


FIELDS = (
    "id || {0} || transaction_id || {0} || book || {0} || repository_id || {0} || number || {0} || agent_run_id || {0}"
    " || month || {0} || amount_nano_usd || {0} || posted_at_us || {0} || reason"
)
ENTRY_TEXT = {
    "sqlite": f"group_concat({FIELDS.format('char(31)')}, char(30))",  # in any order: see gathered.in_order
    "postgresql": f"string_agg({FIELDS.format('chr(31)')}, chr(30))",
}
TEXTS = {
    "sqlite": "SELECT value FROM json_each(:ids)",
    "postgresql": "SELECT jsonb_array_elements_text(CAST(:ids AS jsonb))",
}
REPOSITORIES = text("""
    SELECT DISTINCT repository_id FROM balance WHERE account_id = :account_id AND month = :month ORDER BY repository_id
""")
RUNS = text("SELECT COUNT(*) FROM agent_run WHERE account_id = :account_id")
OWN = """
    SELECT repository_id, agent_run_id, {text} FROM ledger_entry
    WHERE account_id = :account_id AND repository_id IN :ids AND month = :month AND id <= :until
    GROUP BY repository_id, agent_run_id ORDER BY repository_id, agent_run_id
"""
OF_RUNS = """
    SELECT agent_run_id, {text} FROM ledger_entry
    WHERE account_id = :account_id AND agent_run_id IN ({wanted}) AND month = :month AND id > :after AND id <= :until
    GROUP BY agent_run_id ORDER BY agent_run_id
"""
LATE = text("""
    SELECT month, agent_run_id, SUM(CASE WHEN book <> 'usage' THEN amount_nano_usd ELSE 0 END) FROM ledger_entry
    WHERE id > :after AND id <= :until AND account_id = :account_id AND month < :month
    GROUP BY month, agent_run_id ORDER BY month, agent_run_id
""")
BALANCES = text("""
    SELECT SUM(amount_nano_usd) FROM balance WHERE account_id = :account_id AND month = :month AND book <> 'usage'
""")
LATER = text("""
    SELECT SUM(amount_nano_usd) FROM ledger_entry
    WHERE id > :until AND account_id = :account_id AND month = :month AND book <> 'usage'
""")
FACTS = """
    SELECT agent_run.id, agent_run.repository_id, agent_run.agent, agent_run.team, agent_run.started_at_us,
           agent_run.ended_at_us, agent_run.models, job.workflow_ref, job.repository_properties
    FROM agent_run JOIN workflow_job AS job ON job.id = agent_run.workflow_job_id
    WHERE agent_run.account_id = :account_id AND agent_run.id IN ({wanted})
"""
BY_MODEL = """
    SELECT agent_run_id, model, SUM(cost_nano_usd) FROM model_call
    WHERE account_id = :account_id AND agent_run_id IN ({wanted})
        AND at_us >= :start_us AND at_us < :end_us AND cost_nano_usd IS NOT NULL
    GROUP BY agent_run_id, model ORDER BY agent_run_id, model
"""

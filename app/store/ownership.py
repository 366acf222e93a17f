"""Who pays, as the books of each month know it, and what is known of agent runs to tell it. Reads only.

A month that closes or has closed keeps the configuration that its row holds, and knows of properties what had been read
when it began to close. All other months have what is in force and known now.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import bindparam, text
from sqlmodel import Session

from app.core.chargeback.ownership import Owners, Ownership, RunFacts, history_of
from app.core.config import Config, in_force
from app.core.month import Month
from app.core.workflow_lines import workflow_file
from app.store.configs import config_in_force
from app.store.keys import instant

MOST_AT_ONCE = 10_000


def ownership_of(session: Session, account_id: int, month: Month) -> Ownership:
    """Who pays for the agent runs that began in a month. `owners_of` has all months, for those of several."""
    return owners_of(session, account_id, config_in_force(session, account_id)).of(month.start)


def owners_of(session: Session, account_id: int, config: Config) -> Owners:
    """Who pays for any agent run of an account; `config` is in force now."""
    rows = [_Value(*row) for row in session.connection().execute(VALUES, {"account_id": account_id})]
    made: dict[tuple[str, bool, int], Ownership] = {}  # months with the same answers share what they remember
    closed = {}
    for yyyymm, config_text, public, until_us in session.connection().execute(PERIODS, {"account_id": account_id}):
        known = [row for row in rows if row.read_at_us <= until_us]
        key = config_text, bool(public), len(known)
        if key not in made:
            made[key] = _ownership(in_force(config_text, bool(public)), known)
        closed[Month.from_int(yyyymm)] = made[key]
    return Owners(closed, _ownership(config, rows))


class _Value(NamedTuple):
    """A row of VALUES."""

    repository_id: int
    name: str
    since_us: int
    value: str
    read_at_us: int


def _ownership(config: Config, rows: Iterable[_Value]) -> Ownership:
    name = config.chargeback.property_name.lower()
    own = [(row.repository_id, instant(row.since_us), row.value) for row in rows if row.name == name]
    return Ownership(config, history_of(own))


def run_facts(
    repository_id: int, repository: str, workflow_ref: str, agent: str, team: str, properties: str, started_us: int
) -> RunFacts:
    """What tells an agent run's owner, from its row and its job's. `repository`: the name, without its owner."""
    file = workflow_file(workflow_ref)
    return RunFacts(repository_id, repository, file, agent, team, properties, instant(started_us))


def facts_of_runs(session: Session, account_id: int, agent_run_ids: Collection[str]) -> dict[str, RunFacts]:
    """The same of any agent runs, by id."""
    ids = sorted(agent_run_ids)
    found: dict[str, RunFacts] = {}
    for done in range(0, len(ids), MOST_AT_ONCE):
        asked = {"account_id": account_id, "ids": ids[done : done + MOST_AT_ONCE]}
        found |= {row[0]: run_facts(*row[1:]) for row in session.connection().execute(FACTS, asked)}
    return found


VALUES = text("""
    SELECT repository_id, name, since_us, value, read_at_us FROM property_value
    WHERE account_id = :account_id ORDER BY repository_id, name, since_us
""")
PERIODS = text("""
    SELECT month, config_text, config_public, closing_at_us FROM period WHERE account_id = :account_id ORDER BY month
""")
FACTS = text("""
    SELECT agent_run.id, agent_run.repository_id, COALESCE(repository.name, ''), job.workflow_ref, agent_run.agent,
           agent_run.team, job.repository_properties, agent_run.started_at_us
    FROM agent_run JOIN workflow_job AS job ON job.id = agent_run.workflow_job_id
        LEFT JOIN repository ON repository.account_id = agent_run.account_id
            AND repository.repository_id = agent_run.repository_id
    WHERE agent_run.account_id = :account_id AND job.account_id = :account_id AND agent_run.id IN :ids
""").bindparams(bindparam("ids", expanding=True))

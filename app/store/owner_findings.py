"""What each owner's agent runs were charged in a month, and what is doubtful about owners. Reads only."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlmodel import Session

from app.core.chargeback.findings import Finding, PropertyTold, Spent, owner_findings
from app.core.money import NanoUsd
from app.core.month import Month
from app.store.configs import config_in_force
from app.store.ownership import owners_of, ownership_of, run_facts
from app.store.periods import coverage_of
from app.store.properties import reading_of
from app.store.pull_fates import NOWHERE, repository_names

if TYPE_CHECKING:
    from app.core.chargeback.ownership import Owner


def findings_of_owners(session: Session, account_id: int, month: Month, spent: Sequence[Spent]) -> list[Finding]:
    """What is doubtful about the owners of a month's charges. `spent`: what each owner's agent runs were charged."""
    terms = ownership_of(session, account_id, month).config.chargeback
    told = property_told(session, account_id, terms.property_name)
    return owner_findings(terms, spent, told)


def property_told(session: Session, account_id: int, property_name: str) -> PropertyTold:
    """What GitHub told of the property when it was read last."""
    reading = reading_of(session, account_id, property_name)
    return PropertyTold() if reading is None else PropertyTold(reading.state, reading.editors)


def spent_by_owner(session: Session, account_id: int, month: Month) -> list[Spent]:
    """The charges of a month by the repository in which the agents ran, and owner; in order of repositories.

    Of a month that closes or has closed, those that it knows.
    """
    owners = owners_of(session, account_id, config_in_force(session, account_id))
    names = repository_names(session, account_id)
    covered = coverage_of(session, account_id, month)
    asked = {"account_id": account_id, "month": int(month), "until": covered.last}
    found: list[Spent] = []
    for repository_id in session.connection().execute(CHARGED_IN, asked).scalars().all():
        owner, name, _ = names.get(repository_id, NOWHERE)
        sums: defaultdict[Owner, list[int]] = defaultdict(lambda: [0, 0, 0])
        for amount, *row in session.connection().execute(CHARGED, asked | {"repository_id": repository_id}):
            facts = run_facts(repository_id, name, *row)
            own = sums[owners.owner_of(facts)]
            own[0] += int(amount)
            own[1] += 1
            own[2] += owners.of(facts.at).differs(facts)
        full_name = f"{owner}/{name}" if name else ""
        found += [Spent(full_name, each, NanoUsd(amount), *counts) for each, (amount, *counts) in sums.items()]
    return found


CHARGED_IN = text("""
    SELECT DISTINCT repository_id FROM balance
    WHERE account_id = :account_id AND month = :month AND book = 'usage' ORDER BY repository_id
""")
# Charges enter the books from `usage`, once, where the agent ran.
CHARGED = text("""
    SELECT charged.amount, job.workflow_ref, agent_run.agent, agent_run.team, job.repository_properties,
           agent_run.started_at_us
    FROM (SELECT agent_run_id, -SUM(amount_nano_usd) AS amount FROM ledger_entry
          WHERE account_id = :account_id AND repository_id = :repository_id AND month = :month AND book = 'usage'
              AND id <= :until
          GROUP BY agent_run_id) AS charged
        JOIN agent_run ON agent_run.id = charged.agent_run_id
        JOIN workflow_job AS job ON job.id = agent_run.workflow_job_id
    WHERE agent_run.account_id = :account_id AND job.account_id = :account_id
    ORDER BY agent_run.id
""")

"""Pulls of a month's cost per merged PR, with what each cost center's agent runs cost for them. Reads only."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlmodel import Session

from app.core.chargeback.ownership import Owners
from app.core.config import Config
from app.core.focus.pulls import PullLine
from app.core.metrics import PullFate
from app.core.month import Month
from app.store.ownership import run_facts
from app.store.pull_fates import NOWHERE, PullId, pull_fates, repository_names
from app.store.raw import Raw

AT_ONCE = 5_000


class _Tied(NamedTuple):
    """An agent run's share in a pull: a row of TIED."""

    repository_id: int
    number: int
    agent_run_id: str
    home_id: int
    agent: str
    team: str
    began_us: int
    workflow_ref: str
    properties: str
    before: int
    within: int
    behind: int


def pulls_of_month(session: Session, account_id: int, month: Month, config: Config, owners: Owners) -> list[PullLine]:
    """The pulls with an agent run that were not closed when the month began, by cost center, as they stand now.

    Work for a pull that merged into another one's branch is that one's.
    """
    names = repository_names(session, account_id)
    _, served = pull_fates(session, account_id, names, config.tracks)
    asked = {pull for pull, fate in served.items() if fate.closed_at is None or fate.closed_at >= month.start}
    lines: dict[tuple[PullId, str], PullLine] = {}
    runs: dict[tuple[PullId, str], set[str]] = {}
    for tied in _tied(session, account_id, month, sorted(asked)):
        fate = served[tied.repository_id, tied.number]
        payer = _payer(tied, names.get(tied.home_id, NOWHERE).name, owners)
        key = (fate.repository_id, fate.number), payer
        if key not in lines:
            lines[key] = PullLine(_named(names, fate), payer, fate)
        line = lines[key]
        line.before += tied.before
        line.within += tied.within
        line.behind += tied.behind
        runs.setdefault(key, set()).add(tied.agent_run_id)
    for key, line in lines.items():
        line.agent_runs = len(runs[key])
    return [line for _, line in sorted(lines.items(), key=lambda each: each[0])]


def _named(names: Any, fate: PullFate) -> str:
    owner, name, _ = names.get(fate.repository_id, NOWHERE)
    return f"{owner}/{name}"


def _payer(tied: _Tied, name: str, owners: Owners) -> str:
    facts = run_facts(
        tied.home_id, name, tied.workflow_ref, tied.agent, tied.team, tied.properties, tied.began_us
    )  # fmt: skip
    return owners.owner_of(facts).cost_center


def _tied(session: Session, account_id: int, month: Month, pulls: Sequence[PullId]) -> Iterator[_Tied]:
    """The shares in some pulls, with what they cost before the month, in it and behind it."""
    statement = Raw(TIED.format(wanted=WANTED[session.connection().dialect.name]))
    bounds = {"account_id": account_id, "month": int(month)}
    for done in range(0, len(pulls), AT_ONCE):
        some = json.dumps([f"{repository_id}/{number}" for repository_id, number in pulls[done : done + AT_ONCE]])
        yield from map(_Tied._make, statement.run(session, bounds | {"pulls": some}).fetchall())


WANTED = {
    "sqlite": """
        SELECT CAST(substr(value, 1, instr(value, '/') - 1) AS INTEGER) AS repository_id,
               CAST(substr(value, instr(value, '/') + 1) AS INTEGER) AS number FROM json_each(:pulls)
    """,
    "postgresql": """
        SELECT CAST(split_part(value, '/', 1) AS bigint) AS repository_id,
               CAST(split_part(value, '/', 2) AS bigint) AS number
        FROM jsonb_array_elements_text(CAST(:pulls AS jsonb)) AS value
    """,
}
TIED = """
    WITH wanted AS ({wanted}), shared AS (
        SELECT tie.repository_id, tie.number, tie.agent_run_id,
               SUM(CASE WHEN entry.month < :month THEN entry.amount_nano_usd ELSE 0 END) AS before,
               SUM(CASE WHEN entry.month = :month THEN entry.amount_nano_usd ELSE 0 END) AS within,
               SUM(CASE WHEN entry.month > :month THEN entry.amount_nano_usd ELSE 0 END) AS behind
        FROM wanted
        JOIN tie ON tie.account_id = :account_id AND tie.repository_id = wanted.repository_id
            AND tie.number = wanted.number
        LEFT JOIN ledger_entry AS entry ON entry.account_id = :account_id AND entry.agent_run_id = tie.agent_run_id
            AND entry.book = 'pull' AND entry.repository_id = tie.repository_id AND entry.number = tie.number
        GROUP BY tie.repository_id, tie.number, tie.agent_run_id
    )
    SELECT shared.repository_id, shared.number, shared.agent_run_id, agent_run.repository_id, agent_run.agent,
           agent_run.team, agent_run.started_at_us, job.workflow_ref, job.repository_properties,
           CAST(shared.before AS bigint), CAST(shared.within AS bigint), CAST(shared.behind AS bigint)
    FROM shared
    JOIN agent_run ON agent_run.id = shared.agent_run_id
    JOIN workflow_job AS job ON job.id = agent_run.workflow_job_id
"""

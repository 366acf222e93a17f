"""Every share of a month: what of each agent run's charges sits in which pull, or in none. Rows for CSV."""

import json
from collections.abc import Iterator
from typing import Any

from sqlmodel import Session

from app.core.known import Known
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.report.shares import Share, decimal_usd
from app.core.report.words import evidence_text
from app.store.accounts import repository_of
from app.store.keys import instant
from app.store.tables import Repository
from app.store.walk import repository_ids, shares_of_month
from app.world import World

PAGE = 1_000


def shares(world: World, account_id: int, month: Month, repository_id: int | None = None) -> Iterator[Share]:
    """An account's shares of a month, of one snapshot, repository by repository.

    One repository's are in memory at a time. They sum to the month's charges.
    """
    with world.db.reading() as session:
        for each in [repository_id] if repository_id is not None else _repositories(session, account_id):
            repository = repository_of(session, account_id, each)
            for row in shares_of_month(session, account_id, each, month):
                yield _share(row, month, each, repository)


def _repositories(session: Session, account_id: int) -> Iterator[int]:
    after = -1
    while page := repository_ids(session, account_id, after, PAGE):
        yield from page
        after = page[-1]


def _share(row: Any, month: Month, repository_id: int, repository: Repository | None) -> Share:
    known = bool(row.amount) or _cost_known(row)
    cost = NanoUsd(int(row.amount)) if known else None
    return Share(
        month=str(month),
        repository_id=repository_id,
        repository=f"{repository.owner}/{repository.name}" if repository else "",
        book=row.book,
        pull=row.number or None,
        pull_state=row.pull_state or "",
        pull_merged_at=None if row.merged_at_us is None else instant(row.merged_at_us),
        agent_run_id=row.agent_run_id,
        agent=row.agent,
        models=" ".join(json.loads(row.models)),
        team=row.team,
        purpose=row.purpose,
        workflow=row.workflow,
        workflow_run_id=row.run_id,
        workflow_run_attempt=row.run_attempt,
        started_at=instant(row.started_at_us),
        provenance=row.provenance,
        completeness=row.completeness,
        unpriced_calls=row.unpriced_calls,
        evidence=row.evidence or "",
        evidence_label=evidence_text(row.evidence)[0] if row.evidence else "",
        cost_nano_usd=cost,
        cost_usd=decimal_usd(cost),
    )


def _cost_known(row: Any) -> bool:
    return Known(1, int(row.completeness != "complete"), row.model_calls, row.unpriced_calls).cost_known

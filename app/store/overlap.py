"""What records and telemetry both tell of is counted in the record alone, whichever of them comes first.

All functions work within the caller's transaction, which holds `told_runs.lock_telemetry`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, or_, select

from app.core.costing import Costs
from app.core.facts import AgentRunKey
from app.core.ledger import Book, Place, revaluation
from app.core.money import NanoUsd
from app.core.overlap import AROUND, CONTENT_ID, SAME_MOMENT, Recorded, Signed, kind_of_id
from app.core.reported import ReportedRun
from app.core.repricing import KeptCall, Price
from app.core.tally import tally
from app.core.telemetry.parts import SessionPart
from app.core.usage import ModelCall, Provenance, Tokens
from app.store.books import holding, post
from app.store.keys import instant, us
from app.store.raw import Raw
from app.store.rollups import mark
from app.store.run_rows import call_identity
from app.store.tables import AgentRun, ModelCallRow
from app.store.told_runs import (
    Growth,
    grow,
    judge,
    pulls_of,
    remove_calls,
    remove_told_run,
    what_is_left,
)

REASON = "counted in the record of the job"
MOST_VALUES = 500
ANY_TOLD = Raw("""
    SELECT 1 FROM agent_run WHERE account_id = :account_id AND agent = :agent AND ended_at_us >= :from_us
        AND started_at_us <= :to_us AND provenance = 'token' LIMIT 1
""")
TOLD = col(AgentRun.provenance) == Provenance.TOKEN.value


def take_over(session: Session, account_id: int, runs: Sequence[ReportedRun], now: datetime) -> list[tuple[int, int]]:
    """Take from told agent runs what these reported ones hold; returns (repository, pull) of those it changes."""
    changed = []
    for run in runs:
        if not run.calls:
            continue
        first, last = min(call.at for call in run.calls), max(call.at for call in run.calls)
        told = _told(session, account_id, run.agent, first, last)
        if not told:
            continue
        recorded = Recorded([Signed(run.session, run.calls)])
        for each in told:
            pulls = pulls_of(session, each)
            changed += pulls if _take(session, each, run, recorded, now) else []
    return changed


def _told(session: Session, account_id: int, agent: str, first: datetime, last: datetime) -> Sequence[AgentRun]:
    """The told runs at some time. Most records find none: a raw look first costs them a tenth of the query."""
    bounds = {"account_id": account_id, "agent": agent, "from_us": us(first - AROUND), "to_us": us(last + AROUND)}
    known = ANY_TOLD.run(session, bounds).fetchone() is not None
    return _runs(session, account_id, agent, first, last, TOLD) if known else ()


def _runs(
    session: Session, account_id: int, agent: str, first: datetime, last: datetime, provenance: Any
) -> Sequence[AgentRun]:
    """An agent's runs at some time, in one order."""
    query = select(AgentRun).where(
        AgentRun.account_id == account_id,
        AgentRun.agent == agent,
        AgentRun.ended_at_us >= us(first - AROUND),
        AgentRun.started_at_us <= us(last + AROUND),
        provenance,
    )
    return session.exec(query.order_by(col(AgentRun.id))).all()


def _take(session: Session, told: AgentRun, run: ReportedRun, recorded: Recorded, now: datetime) -> bool:
    """Whether there was anything to take."""
    gone = [each for each in _suspects(session, told, run) if recorded.holds(told.session, each.call)]
    nothing_came = told.model_calls == 0 and told.session == run.session
    if not gone and not nothing_came:
        return False
    session.exec(select(AgentRun.id).where(AgentRun.id == told.id).with_for_update())
    mark(session, told.account_id, told.repository_id)
    reverse(session, told, gone, REASON, now)
    remove_calls(session, told, [each.position for each in gone])
    if len(gone) == told.model_calls:
        remove_told_run(session, told)
        return True
    by = tally([each.call for each in gone], _costs(gone))
    models, first_us, last_us = what_is_left(session, told)
    grow(session, told.account_id, told.id, Growth(by, first_us, last_us, models, None, len(gone)), sign=-1)
    session.refresh(told)
    told.started_at_us, told.ended_at_us = first_us, last_us
    judge(session, told)
    return True


def _suspects(session: Session, told: AgentRun, run: ReportedRun) -> list[KeptCall]:
    """The told calls that the record may hold: all of the same session, of others those with the same id, or none."""
    query = select(ModelCallRow).where(ModelCallRow.account_id == told.account_id, ModelCallRow.agent_run_id == told.id)
    if told.session == run.session:
        return [_kept(row) for row in session.exec(query)]
    identities = [call_identity(told.account_id, call.provider, call.response_id) for call in run.calls]
    found: dict[int, KeptCall] = {}
    for done in range(0, len(identities), MOST_VALUES):
        same = col(ModelCallRow.identity).in_(identities[done : done + MOST_VALUES])
        of_content = col(ModelCallRow.response_id).startswith(CONTENT_ID)
        found |= {row.position: _kept(row) for row in session.exec(query.where(or_(same, of_content)))}
    return list(found.values())


def _costs(calls: Sequence[KeptCall]) -> Costs:
    prices = [each.price for each in calls]
    return Costs(
        [price.cost for price in prices], [price.list_cost for price in prices], [price.price_list for price in prices]
    )


def reverse(session: Session, told: AgentRun, gone: Sequence[KeptCall], reason: str, now: datetime) -> None:
    """Take the cost of calls out of the books again, from where it sits."""
    key = AgentRunKey(told.account_id, told.repository_id, told.id)
    by_month = tally([each.call for each in gone], _costs(gone)).by_month
    less = {month: NanoUsd(-amount) for month, amount in by_month.items() if amount}
    post(session, key, revaluation(holding(session, key), [(Place(Book.UNATTRIBUTED), 1)], less), reason, now)


def recorded_around(session: Session, account_id: int, part: SessionPart, first: datetime, last: datetime) -> Recorded:
    """What records already hold of a session that telemetry tells of now, where ids alone do not settle it."""
    runs = _runs(session, account_id, part.agent, first, last, ~TOLD)
    own = [run for run in runs if run.session == part.session]
    signed = [Signed(run.session, _calls(session, run)) for run in own]
    if any(kind_of_id(told.call.response_id) is None for told in part.calls):
        others = [run for run in runs if run.session != part.session]
        moments = us(first - SAME_MOMENT), us(last + SAME_MOMENT)
        signed += [Signed(run.session, calls) for run in others if (calls := _calls(session, run, moments))]
    return Recorded(signed)


def _calls(session: Session, run: AgentRun, between: tuple[int, int] | None = None) -> list[ModelCall]:
    query = select(ModelCallRow).where(ModelCallRow.account_id == run.account_id, ModelCallRow.agent_run_id == run.id)
    if between:
        query = query.where(col(ModelCallRow.at_us).between(*between))
    return [_kept(row).call for row in session.exec(query)]


def _kept(row: ModelCallRow) -> KeptCall:
    tokens = Tokens(*(getattr(row, f"{name}_tokens") for name in Tokens._fields))
    call = ModelCall(
        row.provider, row.response_id, row.model, instant(row.at_us), tokens, row.service_tier, row.speed,
        row.web_searches, row.subagent,
    )  # fmt: skip
    cost, list_cost = row.cost_nano_usd, row.list_cost_nano_usd
    price = Price(
        None if cost is None else NanoUsd(cost), None if list_cost is None else NanoUsd(list_cost), row.price_list
    )
    return KeptCall(row.position, call, price)


def models_with(models: str, more: Mapping[str, NanoUsd]) -> dict[str, NanoUsd]:
    """What a run's models cost with more calls, whose models stand behind them."""
    known: dict[str, NanoUsd] = json.loads(models)
    return known | {model: NanoUsd(known.get(model, 0) + cost) for model, cost in more.items()}

"""Agents tell of their calls by OpenTelemetry, with an access token: make agent runs of it, and let them grow.

Who sends is known by the token, and nothing else: where, for whom and how much are claims, and are labelled so. A call
that a job's own record holds is counted there, whichever comes first. What is sent again changes nothing.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import compress

from sqlmodel import Session

from app.core.config import Config, in_force
from app.core.costing import LARGEST_COST, Costs, costs_of
from app.core.facts import AgentRunKey
from app.core.money import NanoUsd
from app.core.outcomes import CallerRefused
from app.core.tally import tally
from app.core.telemetry.parts import Reading, SessionPart, ToldCall
from app.store.access_tokens import TokenScope, note_use, token_for, used_lately
from app.store.admission import admission_of
from app.store.agent_runs import add_calls
from app.store.books import post_usage
from app.store.jobs import run_job
from app.store.keys import instant, new_key, us
from app.store.overlap import models_with, recorded_around
from app.store.queue import enqueue
from app.store.rollups import mark
from app.store.run_rows import call_row
from app.store.savepoint import savepoint
from app.store.tables import AgentRun
from app.store.told_runs import (
    Growth,
    add_told_run,
    add_totals,
    grow,
    hold_session,
    judge,
    lock_telemetry,
    next_position,
    repository_named,
    told_run,
)
from app.world import World

log = logging.getLogger(__name__)

PLACED_WITHIN = timedelta(minutes=1)  # telemetry comes every few seconds: its cost need not follow each time


class TelemetryRefusedError(CallerRefused):
    """The sender may not send telemetry."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose token it is, on which terms, and whether its use is to be noted."""

    account_id: int
    token_id: str
    config: Config
    note: bool


def sender_of(session: Session, unverified_token: str, now: datetime) -> Sender:
    """Who sends; raises TelemetryRefusedError."""
    token = token_for(session, unverified_token, TokenScope.INGEST)
    if token is None:
        sentence = "This is no access token for telemetry, or it was revoked: `python -m app token add` makes one."
        raise TelemetryRefusedError(401, "token-unknown", sentence)
    found = admission_of(session, token.account_id, 0)
    if found.installation != "active":
        raise TelemetryRefusedError(403, "not-installed", "The App is not installed and active on this account.")
    config = in_force(found.config, found.config_public)
    return Sender(token.account_id, token.id, config, not used_lately(token, now))


@dataclass(frozen=True, slots=True)
class Sent:
    """What one request told, priced. `costs` are of each part's calls."""

    sender: Sender
    parts: Sequence[SessionPart]
    costs: Sequence[Costs]
    refused: int
    refusal: str


def price(world: World, sender: Sender, reading: Reading) -> Sent:
    """Price what was read. A session beyond reason is left out and counted as refused."""
    costs = [costs_of(world.prices, sender.config, [told.call for told in part.calls]) for part in reading.parts]
    sane = [_sane(each) for each in costs]
    left_out = sum(len(part.calls) for part, fine in zip(reading.parts, sane, strict=True) if not fine)
    refusal = reading.refusal or ("The counts amount to more than a million dollars." if left_out else "")
    return Sent(
        sender, list(compress(reading.parts, sane)), list(compress(costs, sane)), reading.refused + left_out, refusal
    )


def _sane(costs: Costs) -> bool:
    return all(sum(cost or 0 for cost in each) <= LARGEST_COST for each in (costs.contracted, costs.listed))


def take(world: World, sent: Sequence[Sent]) -> list[Sent | Exception]:
    """Write what came together in one transaction; gives for each request what was taken, or what it raised."""
    try:
        with world.db.transaction() as session:
            for account_id in sorted({each.sender.account_id for each in sent}):
                lock_telemetry(session, account_id, shared=False)
            for each in sent:
                _take(session, world, each)
        return list(sent)
    except Exception as error:
        if len(sent) == 1:
            log.exception("telemetry could not be written")
            return [error]
    return [outcome for each in sent for outcome in take(world, [each])]


def _take(session: Session, world: World, sent: Sent) -> None:
    if sent.sender.note:
        note_use(session, sent.sender.token_id, world.now())
    for part, costs in zip(sent.parts, sent.costs, strict=True):
        add_totals(session, sent.sender.account_id, part)
        with savepoint(session) as undo:
            if not _take_part(session, world, sent.sender.account_id, part, costs):
                undo()


def _take_part(session: Session, world: World, account_id: int, part: SessionPart, costs: Costs) -> bool:
    """Let the session's agent run grow by what is new; False: a record holds all of it."""
    now = world.now()
    new, elsewhere = _not_recorded(session, account_id, part, now)
    if not any(new) and (part.calls or elsewhere):
        return False
    repository_id = repository_named(session, account_id, part.tags)
    job_id = hold_session(session, account_id, repository_id, part, now)
    run = told_run(session, account_id, job_id)
    key = AgentRunKey(account_id, repository_id, run.id if run else new_key())
    position = next_position(session, key.agent_run_id) if run else 0
    fresh = _add_calls(session, key, position, part, costs, new)
    if run is None:
        if part.calls and not any(fresh):
            return False
        run = add_told_run(session, key, job_id, part, min(_times(part, now)), world.prices.version)
    if any(fresh):
        _enter(session, key, run, part, costs, fresh, elsewhere, now)
        enqueue(session, run_job(account_id, repository_id, 0, "place", job_id, now + PLACED_WITHIN), now)
    judge(session, run, part.doubts)
    return True


def _not_recorded(session: Session, account_id: int, part: SessionPart, now: datetime) -> tuple[list[bool], int]:
    """Which calls no record holds, and how many one does; without calls: whether a record is of this session."""
    at = _times(part, now)
    recorded = recorded_around(session, account_id, part, min(at), max(at))
    if not part.calls:
        return [], int(recorded.holds_session(part.session, max(at)))
    held = [recorded.holds(part.session, told.call) for told in part.calls]
    return [not each for each in held], sum(held)


def _times(part: SessionPart, now: datetime) -> list[datetime]:
    """When a session was at work, by its calls or else its metrics."""
    calls = [told.call.at for told in part.calls]
    return calls or [instant(total.about_us) for total in part.totals] or [now]


def _add_calls(
    session: Session, key: AgentRunKey, position: int, part: SessionPart, costs: Costs, new: Sequence[bool]
) -> list[bool]:
    """Add the calls that are new; tells which of all calls were not counted before."""
    rows = [
        call_row(key.agent_run_id, at, key.account_id, told.call, each)
        for at, (told, each, wanted) in enumerate(
            zip(part.calls, zip(*costs, strict=True), new, strict=True), start=position
        )
        if wanted
    ]
    added = add_calls(session, key.account_id, rows)
    return [
        wanted and (added is None or (key.agent_run_id, at) in added) for at, wanted in enumerate(new, start=position)
    ]


def _enter(
    session: Session,
    key: AgentRunKey,
    run: AgentRun,
    part: SessionPart,
    costs: Costs,
    fresh: Sequence[bool],
    elsewhere: int,
    now: datetime,
) -> None:
    """Enter fresh calls into their agent run's sums and into the books."""
    told = list(compress(part.calls, fresh))
    calls = [each.call for each in told]
    by = tally(calls, costs.of(fresh))
    at = [us(call.at) for call in calls]
    first_known = 0 if run.calls_counted_elsewhere else elsewhere
    growth = Growth(by, min(at), max(at), models_with(run.models, by.models), _reported(told), first_known)
    grow(session, key.account_id, key.agent_run_id, growth)
    session.refresh(run)
    post_usage(session, key, by.by_month, now)
    mark(session, run.account_id, run.repository_id)


def _reported(told: Sequence[ToldCall]) -> NanoUsd | None:
    costs = [each.reported_cost for each in told]
    return None if None in costs else NanoUsd(sum(cost for cost in costs if cost is not None))

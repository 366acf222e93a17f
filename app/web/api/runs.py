"""`GET /v1/agent-runs/{agent_run_id}` and its model calls, down to the price of each."""

import json

from app.core import ai_credits
from app.core.arithmetic import Arithmetic, Line, nano_usd_each
from app.core.known import Known
from app.core.ledger import Book
from app.core.money import NanoUsd
from app.stories import walk
from app.web.api import shapes
from app.web.api.door import Asked, Operation, page
from app.web.api.shapes import Json, link, money

NO_ARITHMETIC = "The prices in force now come to another amount than the one that was booked."
NO_PRICE = "Neither the price list nor an own price knew this model."


def agent_run(asked: Asked) -> Json | None:
    """An agent run and where its cost sits; the places sum to the cost, and so do its model calls."""
    step = walk.run_step(asked.world, asked.account_id, asked.values["agent_run_id"])
    if step is None:
        return None
    run = step.run
    listed = None if run.unlisted_calls else NanoUsd(run.list_cost_nano_usd)
    reported = None if run.reported_cost_nano_usd is None else NanoUsd(run.reported_cost_nano_usd)
    return {
        **shapes.agent_run(run),
        "repository": shapes.repository(run.repository_id, step.repository),
        "agent_version": run.agent_version or None,
        "session": run.session,
        "labels": json.loads(run.labels),
        "ended_at": shapes.at(run.ended_at_us),
        "tokens": shapes.tokens_of_run(run),
        "list_cost": money(listed, Known.of(run).cost_known),
        "reported_cost": money(reported),
        "price_list": run.price_list,
        "calls_counted_elsewhere": run.calls_counted_elsewhere,
        "later_records_not_counted": run.revisions,
        "job": _job(step),
        "evidence_note": run.evidence_note or None,
        "candidates": json.loads(run.tied_pulls),
        "places": [_place(step, each) for each in step.places],
    }


def _job(step: walk.RunStep) -> Json | None:
    """The job of GitHub Actions; None where no workflow ran."""
    job = step.job
    if not job.run_id:
        return None
    return {
        "workflow": job.workflow,
        "name": job.job_name,
        "event": job.event_name,
        "run_id": job.run_id,
        "run_attempt": job.run_attempt,
    }


def _place(step: walk.RunStep, each: walk.PlaceStep) -> Json:
    of_pull = each.book is Book.PULL
    here = link(f"/v1/pulls/{step.run.repository_id}/{each.number}")
    return {
        "book": each.book.value,
        "pull": each.number if of_pull else None,
        "cost": money(each.amount, Known.of(step.run).cost_known),
        "by_month": shapes.by_month(each.by_month),
        "evidence": shapes.evidence(each.tie),
        "_links": {"pull": here if of_pull else None},
    }


def calls(asked: Asked) -> Json | None:
    """An agent run's model calls in their order, each with its tokens, cost, unit prices and arithmetic."""
    agent_run_id = asked.values["agent_run_id"]
    step = walk.run_step(asked.world, asked.account_id, agent_run_id)
    if step is None:
        return None
    after = asked.values.get("cursor", -1)
    found = walk.call_steps(asked.world, asked.account_id, agent_run_id, after, asked.most + 1)
    items, cursor = page(found, asked.most, lambda each: each.kept.position)
    path = f"/v1/agent-runs/{agent_run_id}"
    known = Known.of(step.run)
    return {
        "agent_run": agent_run_id,
        "cost": money(NanoUsd(step.run.cost_nano_usd), known.cost_known),
        "completeness": shapes.completeness(known),
        "calls": [_call(each) for each in items],
        "next": cursor,
        "_links": {
            "self": link(f"{path}/calls"),
            "next": shapes.next_link(cursor, f"{path}/calls", limit=asked.most),
            "agent_run": link(path),
        },
    }


def _call(step: walk.CallStep) -> Json:
    call, price, found = step.kept.call, step.kept.price, step.arithmetic
    missing = NO_PRICE if price.cost is None else NO_ARITHMETIC
    if price.price_list == ai_credits.PRICE_LIST and price.cost is not None:
        found, missing = None, f"{ai_credits.arithmetic_text(price.cost)}, as GitHub tells them."
    return {
        "position": step.kept.position,
        "at": shapes.stamp(call.at),
        "provider": call.provider,
        "model": call.model,
        "response_id": call.response_id,
        "service_tier": call.service_tier,
        "speed": call.speed,
        "subagent": call.subagent,
        "web_searches": call.web_searches,
        "tokens": shapes.tokens(call.tokens),
        "cost": money(price.cost),
        "list_cost": money(price.list_cost),
        "price_list": price.price_list,
        "arithmetic": _arithmetic(found) if found else None,
        "without_arithmetic": None if found else missing,
    }


def _arithmetic(found: Arithmetic) -> Json:
    return {
        "own_price": found.own,
        "discount": f"{found.discount:f}",
        "charges": [_line(line) for line in found.lines],
    }


def _line(line: Line) -> Json:
    return {
        "charge": line.charge.value,
        "units": line.units,
        "nano_usd_each": nano_usd_each(line.rate),
        "amount": money(line.amount),
    }


RUN = "/v1/agent-runs/{agent_run_id}"
OPERATIONS = (
    Operation(RUN, "agent_run", "An agent run, and where its cost sits", "AgentRun", agent_run),
    Operation(
        f"{RUN}/calls", "calls", "An agent run's model calls and their prices", "Calls", calls, ("limit", "cursor")
    ),
)

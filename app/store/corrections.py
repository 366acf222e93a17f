"""Agent runs priced anew. Owns `correction`: what was overwritten is kept there first.

All functions work within the caller's transaction.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from app.core.facts import AgentRunKey
from app.core.ledger import Book, Place, revaluation
from app.core.money import NanoUsd
from app.core.repricing import Change, Difference, KeptCall, Price
from app.core.usage import ModelCall, Tokens
from app.store.books import elsewhere, holding, post
from app.store.compressed import compressed
from app.store.keys import instant, new_key, us
from app.store.raw import Raw, insert
from app.store.rollups import mark
from app.store.tables import AgentRun, Correction, Tie

# Raw, as an account has millions of calls, and most are only looked at.
CALLS = """
    SELECT position, cost_nano_usd, list_cost_nano_usd, price_list, provider, response_id, model, at_us, service_tier,
        speed, web_searches, subagent, input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
        cache_write_other_tokens, output_tokens, reasoning_tokens
    FROM model_call WHERE account_id = :account_id AND agent_run_id = :agent_run_id
"""
CALLS_SINCE = Raw(f"{CALLS} AND at_us >= :since_us ORDER BY position")
CALLS_BEHIND = Raw(f"{CALLS} AND position > :position ORDER BY position LIMIT :most")
PRICE_CALL = Raw("""
    UPDATE model_call SET cost_nano_usd = :cost, list_cost_nano_usd = :list_cost, price_list = :price_list
    WHERE account_id = :account_id AND agent_run_id = :agent_run_id AND position = :position
""")
PRICE_RUN = Raw("""
    UPDATE agent_run SET cost_nano_usd = :after_cost_nano_usd, list_cost_nano_usd = :after_list_cost_nano_usd,
        unpriced_calls = unpriced_calls + :unpriced_calls, unlisted_calls = unlisted_calls + :unlisted_calls,
        price_list = :after_price_list, models = :models
    WHERE account_id = :account_id AND id = :agent_run_id
""")
ADD_CORRECTION = insert("correction", list(Correction.model_fields), rest="")


def agent_runs_since(session: Session, account_id: int, since: datetime, after: str, most: int) -> list[str]:
    """Ids of an account's agent runs with calls at an instant or later, in order, behind the id `after`."""
    query = select(AgentRun.id).where(
        AgentRun.account_id == account_id, AgentRun.id > after, AgentRun.ended_at_us >= us(since)
    )
    return list(session.exec(query.order_by(col(AgentRun.id)).limit(most)))


def held_agent_run(session: Session, account_id: int, agent_run_id: str) -> AgentRun | None:
    """An agent run, held until the transaction ends, so that nobody moves its cost meanwhile."""
    query = select(AgentRun).where(AgentRun.account_id == account_id, AgentRun.id == agent_run_id)
    return session.exec(query.with_for_update()).first()


def calls_since(session: Session, account_id: int, agent_run_id: str, since: datetime) -> list[KeptCall]:
    """An agent run's counted calls at an instant or later."""
    values = {"account_id": account_id, "agent_run_id": agent_run_id, "since_us": us(since)}
    return [_kept(*row) for row in CALLS_SINCE.run(session, values).fetchall()]


def calls_behind(session: Session, account_id: int, agent_run_id: str, position: int, most: int) -> list[KeptCall]:
    """An agent run's counted calls behind a position, at most so many."""
    values = {"account_id": account_id, "agent_run_id": agent_run_id, "position": position, "most": most}
    return [_kept(*row) for row in CALLS_BEHIND.run(session, values).fetchall()]


def _kept(
    position: int, cost: NanoUsd | None, list_cost: NanoUsd | None, price_list: str, provider: str, response_id: str,
    model: str, at_us: int, service_tier: str, speed: str, web_searches: int, subagent: bool, *tokens: int,
) -> KeptCall:  # fmt: skip
    call = ModelCall(
        provider, response_id, model, instant(at_us), Tokens(*tokens), service_tier, speed, web_searches, bool(subagent)
    )
    return KeptCall(position, call, Price(cost, list_cost, price_list))


def correct(
    session: Session,
    run: AgentRun,
    changes: Sequence[Change],
    by: Difference,
    price_list: str,
    reason: str,
    now: datetime,
) -> None:
    """Keep what was, then write what is: the calls, and their agent run's sums. `price_list` is the one in force."""
    row: dict[str, Any] = {
        "id": new_key(),
        "account_id": run.account_id,
        "agent_run_id": run.id,
        "before_cost_nano_usd": run.cost_nano_usd,
        "after_cost_nano_usd": run.cost_nano_usd + by.cost,
        "before_list_cost_nano_usd": run.list_cost_nano_usd,
        "after_list_cost_nano_usd": run.list_cost_nano_usd + by.list_cost,
        "before_price_list": run.price_list,
        "after_price_list": price_list,
        "before_calls": compressed(json.dumps([_before(each) for each in changes]).encode()),
        "reason": reason,
        "corrected_at_us": us(now),
    }
    ADD_CORRECTION.run(session, row)
    for each in changes:
        to = {"cost": each.after.cost, "list_cost": each.after.list_cost, "price_list": each.after.price_list}
        PRICE_CALL.run(session, {**row, **to, "position": each.position})
    mark(session, run.account_id, run.repository_id)
    counts = {"unpriced_calls": by.unpriced_calls, "unlisted_calls": by.unlisted_calls}
    models = json.loads(run.models)
    models |= {model: models[model] + cost for model, cost in by.by_model.items() if model in models}
    PRICE_RUN.run(session, {**row, **counts, "models": json.dumps(models)})


def enter(session: Session, run: AgentRun, by: Difference, reason: str, now: datetime) -> list[Place]:
    """Enter a difference in the books where the agent run's cost sits; the pulls that the run is tied to."""
    key = AgentRunKey(run.account_id, run.repository_id, run.id)
    pulls, held = tied_places(session, run), holding(session, key)
    homes = pulls or [(place, 1) for place in sorted({place for place, _ in held if place.book is not Book.USAGE})]
    post(session, key, revaluation(held, homes or [(Place(Book.UNATTRIBUTED), 1)], by.by_month), reason, now)
    return [place for place, _ in pulls]


def _before(change: Change) -> list[Any]:
    return [change.position, change.before.cost, change.before.list_cost, change.before.price_list]


def tied_places(session: Session, run: AgentRun) -> list[tuple[Place, int]]:
    """The pulls that an agent run is tied to, with their weights."""
    query = select(Tie).where(Tie.account_id == run.account_id, Tie.agent_run_id == run.id).order_by(col(Tie.number))
    return [
        (Place(Book.PULL, tie.number, elsewhere(tie.repository_id, run.repository_id)), tie.weight)
        for tie in session.exec(query)
    ]

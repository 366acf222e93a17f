"""The inbox: deliveries, durable before they are acknowledged, each with the job that will tell its story.

A redelivery has the id of the first delivery, so the id is a key *with a state*: done or waiting ones are dropped,
a dead one lives again. Payloads are compressed: what that takes is gained back when writing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from app.store.bulk import Bulk
from app.store.compressed import decompressed
from app.store.keys import new_keys, us
from app.store.queue import DELIVERY, INSERT_JOB, REVIVE_BY_DEDUPE, WAKE_LANE
from app.store.raw import Raw

WAITING, DONE, DEAD = "waiting", "done", "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery whose signature was verified. `compressed` is the raw body, compressed."""

    delivery_id: str
    event: str
    action: str
    installation_id: int
    account_id: int
    repository_id: int
    lane: str
    compressed: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    event: str
    state: str
    payload: bytes


def keep(bulk: Bulk, deliveries: Sequence[Delivery], now: datetime) -> None:
    """Write deliveries with their jobs and lanes, all in this transaction and a statement for each table."""
    known = dict(bulk.rows_of(STATES, [delivery.delivery_id for delivery in deliveries]))
    first = {delivery.delivery_id: delivery for delivery in deliveries if delivery.delivery_id not in known}
    again = [delivery for delivery in deliveries if known.get(delivery.delivery_id) == DEAD]
    if not first and not again:
        return
    now_us, awaited = us(now), [*first.values(), *again]
    lanes = sorted({(delivery.lane, delivery.account_id) for delivery in awaited})
    bulk.write(
        WAKE_LANE,
        [{"lane": lane, "account_id": owner, "next_at_us": now_us, "now_us": now_us} for lane, owner in lanes],
    )
    bulk.write(INSERT, [_row(delivery, now_us) for delivery in awaited])
    if first:
        keys = new_keys(len(first))
        bulk.write(INSERT_JOB, [_job_row(key, one, now_us) for key, one in zip(keys, first.values(), strict=True)])
    for delivery in again:
        bulk.execute(REVIVE_BY_DEDUPE, {"dedupe": _dedupe(delivery), "now_us": now_us})


def load(session: Session, delivery_id: str) -> Kept | None:
    """A delivery with its payload as it was sent; None where it was never kept or has been pruned."""
    row = session.connection().execute(LOAD, {"delivery_id": delivery_id}).first()
    if row is None or not row.payload:
        return None
    return Kept(row.event, row.state, decompressed(row.payload))


def settle(session: Session, delivery_id: str, state: str) -> None:
    session.connection().execute(SETTLE, {"delivery_id": delivery_id, "state": state})


def _row(delivery: Delivery, now_us: int) -> dict[str, Any]:
    return {
        "delivery_id": delivery.delivery_id,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation_id,
        "account_id": delivery.account_id,
        "repository_id": delivery.repository_id,
        "payload": delivery.compressed,
        "now_us": now_us,
    }


def _job_row(key: str, delivery: Delivery, now_us: int) -> dict[str, Any]:
    return {
        "id": key,
        "account_id": delivery.account_id,
        "lane": delivery.lane,
        "kind": DELIVERY,
        "dedupe": _dedupe(delivery),
        "args": f'{{"delivery_id": "{delivery.delivery_id}"}}',
        "run_at_us": now_us,
        "now_us": now_us,
    }


def _dedupe(delivery: Delivery) -> str:
    return f"{delivery.account_id}/delivery/{delivery.delivery_id}"


STATES = "SELECT delivery_id, state FROM inbox WHERE delivery_id IN "
INSERT = Raw("""
    INSERT INTO inbox
        (delivery_id, event, action, installation_id, account_id, repository_id, payload, state, received_at_us)
    VALUES (:delivery_id, :event, :action, :installation_id, :account_id, :repository_id, :payload, 'waiting', :now_us)
    ON CONFLICT (delivery_id) DO UPDATE SET state = 'waiting', payload = excluded.payload
    WHERE inbox.state = 'dead'
""")
LOAD = text("SELECT event, state, payload FROM inbox WHERE delivery_id = :delivery_id")
SETTLE = text("UPDATE inbox SET state = :state WHERE delivery_id = :delivery_id")

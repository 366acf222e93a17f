"""Recurring things. Whoever moves a slot's time forward first has the slot, in one transaction with its jobs:
exactly one for each slot, with any number of workers and no leader.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlmodel import Session

from app.store.keys import EPOCH, instant, us
from app.store.queue import NewJob, enqueue_all


@dataclass(frozen=True, slots=True)
class Entry:
    """Due every `period` from the epoch plus `offset` on. `fan_out(session, slot)` makes the slot's jobs."""

    name: str
    period: timedelta
    offset: timedelta
    fan_out: Callable[[Session, datetime], Iterable[NewJob]]

    def after(self, now: datetime) -> datetime:
        """The first slot after `now`; slots missed while nothing ran are not made up for."""
        return now + self.period - (now - EPOCH - self.offset) % self.period


def plan(session: Session, entries: Sequence[Entry], now: datetime) -> None:
    """Make sure that every entry has a time; one that has keeps it."""
    rows = [{"name": entry.name, "next_at_us": us(entry.after(now))} for entry in entries]
    session.connection().execute(PLAN, rows)


def fire(session: Session, entries: Sequence[Entry], now: datetime) -> None:
    """Enqueue the jobs of every slot that is due and that nobody else has taken."""
    times = {row.name: row.next_at_us for row in session.connection().execute(DUE, {"now_us": us(now)})}
    for entry in entries:
        if entry.name not in times:
            continue
        move = {"name": entry.name, "old_us": times[entry.name], "next_at_us": us(entry.after(now))}
        if session.connection().execute(MOVE, move).rowcount:
            enqueue_all(session, list(entry.fan_out(session, instant(times[entry.name]))), now)


def next_slot(session: Session) -> datetime | None:
    """When the next slot is due."""
    earliest = session.connection().execute(text("SELECT min(next_at_us) FROM schedule")).scalar()
    return None if earliest is None else instant(earliest)


PLAN = text("INSERT INTO schedule (name, next_at_us) VALUES (:name, :next_at_us) ON CONFLICT (name) DO NOTHING")
DUE = text("SELECT name, next_at_us FROM schedule WHERE next_at_us <= :now_us")
MOVE = text("UPDATE schedule SET next_at_us = :next_at_us WHERE name = :name AND next_at_us = :old_us")

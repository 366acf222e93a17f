"""What stands on GitHub through us: the intent first, then the id and what it says. One row for each thing."""

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session, col, select

from app.core.month import Month
from app.core.outcomes import Refused
from app.store.database import Database
from app.store.effect_tables import Effect
from app.store.keys import us

log = logging.getLogger(__name__)


def effect_of(session: Session, account_id: int, key: str) -> Effect | None:
    return session.get(Effect, (account_id, key))


def latest_summary(session: Session, account_id: int) -> Month | None:
    """The latest month whose summary stands on GitHub."""
    query = select(Effect.key).where(
        Effect.account_id == account_id, col(Effect.key).startswith("summary:"), Effect.state == "written"
    )
    months = [Month.from_int(int(key.removeprefix("summary:"))) for key in session.exec(query)]
    return max(months, default=None)


def overtaken(session: Session, account_id: int, prefix: str, present: str) -> list[Effect]:
    """Intents below a prefix of keys that a crash left behind and that `present` has taken the place of."""
    return list(
        session.exec(
            select(Effect).where(
                Effect.account_id == account_id,
                col(Effect.key).startswith(prefix, autoescape=True),
                Effect.key != present,
                Effect.state == "intent",
            )
        )
    )


def write_effect(session: Session, effect: Effect, now: datetime) -> None:
    """Keep an effect as it is now."""
    effect.updated_at_us = us(now)
    session.merge(effect)
    session.flush()


def once(
    db: Database,
    effect: Effect,
    do: Callable[[], int | None],
    now: datetime,
    also: Callable[[Session], None] = lambda _session: None,
) -> bool:
    """Do a thing on GitHub that is done once, and keep the id that it gives; whether it is done.

    `also` is written with it.
    `effect` says what and where. `do` changes nothing when it is repeated: whoever died before its end was noted is
    followed by another one. What GitHub refuses is kept with its sentence, and tried again when it is asked for again.
    """
    with db.transaction() as session:
        known = effect_of(session, effect.account_id, effect.key)
        if known is not None and known.state == "written":
            return True
        effect.state = "intent"
        write_effect(session, effect, now)
    try:
        effect.github_id, effect.state, effect.note = do(), "written", ""
    except Refused as no:
        effect.state, effect.note = "refused", str(no)
        log.warning("account %s: %s at %s: %s", effect.account_id, effect.key, effect.location, no)
    with db.transaction() as session:
        write_effect(session, effect, now)
        if effect.state == "written":
            also(session)
    return effect.state == "written"


def fingerprint(*texts: str) -> str:
    """SHA-256 over texts, each with its length, so that nothing can slide from one into the next."""
    digest = hashlib.sha256()
    for text in texts:
        raw = text.encode()
        digest.update(f"{len(raw)}:".encode() + raw)
    return digest.hexdigest()

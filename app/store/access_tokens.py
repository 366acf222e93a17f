"""Access tokens: made, listed and revoked on the command line. Owns their form, and that only hashes are kept.

A token belongs to one account. Whoever finds one can do what its scope says there, and nothing else.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select, update

from app.store.keys import new_key, us
from app.store.tables import AccessToken

PREFIX = "mgm_"  # secret scanners find what can be recognised
USED_TO = timedelta(hours=1)  # a write for every request would say little more


class TokenScope(StrEnum):
    """What a token is good for: one thing each, so that the one on a laptop reads no figure."""

    INGEST = "ingest"  # send telemetry
    READ = "read"  # read the account's figures through the API
    METRICS = "metrics"  # read the present month's cost by repository, for Prometheus


def make_token(session: Session, account_id: int, scope: str, name: str, now: datetime) -> tuple[AccessToken, str]:
    """A new token: its row, and the secret, which nobody can read again."""
    secret = PREFIX + secrets.token_urlsafe(32)
    row = AccessToken(
        id=new_key(), account_id=account_id, scope=scope, name=name, sha256=_hash(secret), created_at_us=us(now)
    )
    session.add(row)
    session.flush()
    return row, secret


def tokens_of(session: Session, account_id: int) -> list[AccessToken]:
    """An account's tokens, revoked ones included, the oldest first."""
    query = select(AccessToken).where(AccessToken.account_id == account_id)
    return list(session.exec(query.order_by(col(AccessToken.id))))


def revoke(session: Session, token_id: str, now: datetime) -> AccessToken | None:
    """Revoke a token from this moment on; None: there is none with this id, or it was revoked before."""
    found = session.get(AccessToken, token_id)
    if found is None or found.revoked_at_us is not None:
        return None
    found.revoked_at_us = us(now)
    session.add(found)
    session.flush()
    return found


def token_for(session: Session, unverified: str, scope: str) -> AccessToken | None:
    """The row of a token that is good for `scope`, or None."""
    found = token_of_any_scope(session, unverified)
    return found if found is not None and found.scope == scope else None


def token_of_any_scope(session: Session, unverified: str) -> AccessToken | None:
    """The row of a token that is good for anything, or None."""
    found = session.exec(select(AccessToken).where(AccessToken.sha256 == _hash(unverified))).first()
    return found if found is not None and found.revoked_at_us is None else None


def used_lately(token: AccessToken, now: datetime) -> bool:
    """Whether its last use is already noted."""
    return token.used_at_us is not None and token.used_at_us > us(now - USED_TO)


def note_use(session: Session, token_id: str, now: datetime) -> None:
    session.exec(update(AccessToken).where(col(AccessToken.id) == token_id).values(used_at_us=us(now)))


def _hash(secret: str) -> str:
    """Plain SHA-256: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

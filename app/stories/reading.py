"""Who may read an account's figures: access tokens of the right scope, while the App is installed there."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from app.core.outcomes import CallerRefused
from app.store.access_tokens import TokenScope, note_use, token_of_any_scope, used_lately
from app.store.admission import admission_of
from app.world import World


class ReadRefusedError(CallerRefused):
    """The reader may not read this."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose figures may be read."""

    account_id: int
    token_id: str
    note: bool


def reader_of(session: Session, unverified_token: str, scope: TokenScope, now: datetime) -> Reader:
    """Who reads; raises ReadRefusedError."""
    token = token_of_any_scope(session, unverified_token)
    if token is None:
        sentence = f"This is no access token, or it was revoked: `token add --scope {scope}` makes one."
        raise ReadRefusedError(401, "token-unknown", sentence)
    if token.scope != scope:
        raise ReadRefusedError(403, "wrong-scope", f"This access token's scope is {token.scope}, not {scope}.")
    if admission_of(session, token.account_id, 0).installation != "active":
        raise ReadRefusedError(403, "not-installed", "The App is not installed and active on this account.")
    return Reader(token.account_id, token.id, not used_lately(token, now))


def admitted(world: World, unverified_token: str, scope: TokenScope) -> Reader:
    """Who reads, with the use of the token noted; raises ReadRefusedError."""
    with world.db.reading() as session:
        reader = reader_of(session, unverified_token, scope, world.now())
    if reader.note:
        with world.db.transaction() as session:
            note_use(session, reader.token_id, world.now())
    return reader

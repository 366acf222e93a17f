"""`python -m app token`: make, list and revoke access tokens. Prints a secret once, and never logs it."""

import sys
from collections.abc import Sequence

from app.core.report.escape import plain
from app.store.access_tokens import TokenScope, make_token, revoke, tokens_of
from app.store.keys import instant
from app.world import World

GOOD_FOR = {
    TokenScope.INGEST: "for telemetry alone",
    TokenScope.READ: "which reads every figure of the account",
    TokenScope.METRICS: "which reads the present month's cost by repository",
}
LONGEST_NAME = 100


def add_token(world: World, account_id: int, scope: TokenScope, name: str) -> int:
    """Make a token and print its secret, alone on standard output."""
    with world.db.transaction() as session:
        row, secret = make_token(session, account_id, scope.value, name, world.now())
    print(f"Token {row.id}, {GOOD_FOR[scope]}. It is shown this once; keep it as a secret:", file=sys.stderr)
    print(secret)
    return 0


def list_tokens(world: World, accounts: Sequence[int]) -> int:
    """Print the tokens of accounts, without their secrets."""
    with world.db.reading() as session:
        found = [(account_id, token) for account_id in accounts for token in tokens_of(session, account_id)]
    for account_id, token in found:
        state = f"revoked {_day(token.revoked_at_us)}" if token.revoked_at_us else f"used {_day(token.used_at_us)}"
        about = f"account {account_id}  {token.scope:<7}  made {_day(token.created_at_us)}"
        print(f"{token.id}  {about}  {state}  {token.name}")
    print("" if found else "there are no tokens", file=sys.stderr, end="" if found else "\n")
    return 0


def revoke_token(world: World, token_id: str) -> int:
    """Refuse a token from now on."""
    with world.db.transaction() as session:
        found = revoke(session, token_id, world.now())
    if found is None:
        print(f"There is no token {plain(token_id)} that is good; `token list` shows them all.", file=sys.stderr)
        return 1
    print(f"{found.id} ({found.name}) is refused from now on", file=sys.stderr)
    return 0


def _day(at_us: int | None) -> str:
    return "never" if at_us is None else f"{instant(at_us):%Y-%m-%d}"

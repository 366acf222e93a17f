"""A reader of the API for tests: tokens, requests, and walks along its links."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.store.access_tokens import make_token
from app.store.database import Database
from tests.record.serving import Answer, Server


def new_token(database: Database, account_id: int, scope: str = "read") -> str:
    with database.transaction() as session:
        return make_token(session, account_id, scope, f"a {scope} token", datetime.now(UTC))[1]


@dataclass(frozen=True)
class Reader:
    """Whoever has the token."""

    server: Server
    token: str

    def ask(self, path: str, **headers: str) -> Answer:
        sent = {"Authorization": f"Bearer {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.server.ask("GET", path, headers=sent)

    def get(self, path: str) -> dict[str, Any]:
        answer = self.ask(path)
        assert answer.status == 200, (path, answer)
        return answer.content

    def follow(self, link: dict[str, str]) -> dict[str, Any]:
        return self.get(link["href"])

    def pages(self, path: str, name: str) -> Iterator[Any]:
        """The items of all pages."""
        told = self.get(path)
        yield from told[name]
        while told["_links"]["next"] is not None:
            told = self.follow(told["_links"]["next"])
            yield from told[name]


def nano(money: dict[str, Any] | None) -> int:
    """An amount as an integer; what nobody knows adds nothing."""
    return 0 if money is None else int(money["nano_usd"])

"""The surface under test: real HTTP, real tokens, a real database."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any

import uvicorn
from sqlmodel import Session
from starlette.applications import Starlette
from starlette.types import ASGIApp

from app.core.facts import RepositoryFact, RepositoryId
from app.core.pricing import PriceList
from app.github.app import GitHubApp
from app.settings import Settings
from app.store.accounts import save_installation, save_repository
from app.store.database import Database
from app.store.tables import Installation
from app.web.agent_runs import agent_run_routes
from app.web.telemetry import telemetry_routes
from app.world import World
from tests.record.issuer import ACCOUNT, AUDIENCE, REPOSITORY, Issuer

PRICES = PriceList.load()
NOBODY = "http://127.0.0.1:9"  # a GitHub that must not be asked


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: dict[str, Any]


@dataclass
class Server:
    """`post` sends one record with a fresh good token, unless told otherwise."""

    port: int
    world: World
    issuer: Issuer | None = None

    def post(
        self, body: Any, token: str | None = None, headers: Mapping[str, str] | None = None, **claims: Any
    ) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        token = self.token(**claims) if token is None else token
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(headers or {})}
        return self.ask("POST", "/v1/agent-runs", raw, sent)

    def token(self, **claims: Any) -> str:
        """A good token of our own issuer, but for the changed claims."""
        assert self.issuer is not None
        return self.issuer.token(**claims)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            content, kind = answer.read(), answer.getheader("content-type", "")
            told = json.loads(content) if "json" in kind else {"raw": content} if content else {}
            return Answer(answer.status, dict(answer.getheaders()), told)
        finally:
            connection.close()


def install(
    session: Session,
    account_id: int = ACCOUNT,
    repository_id: int = REPOSITORY,
    state: str = "active",
    installation_id: int = 10,
    owner: str = "acme",
    name: str = "widgets",
) -> None:
    """Put the App on an account with one private repository, as its events would."""
    installation = Installation(
        account_id=account_id,
        installation_id=installation_id,
        account_login=owner,
        account_type="Organization",
        state=state,
        updated_at_us=0,
    )
    save_installation(session, installation)
    fact = RepositoryFact(RepositoryId(repository_id), owner, name, "main", "private")
    save_repository(session, account_id, fact, datetime.now(UTC))


def world_of(database: Database, issuer_url: str, github: GitHubApp | None = None) -> World:
    settings = Settings(oidc_issuers=(issuer_url,), oidc_audience=AUDIENCE)
    github = github or GitHubApp(1, "", NOBODY)
    return World(settings=settings, db=database, github=github, prices=PRICES, now=lambda: datetime.now(UTC))


@contextmanager
def serving(world: World, issuer: Issuer | None = None, app: ASGIApp | None = None) -> Iterator[Server]:
    """The routes of the surface, or an application, on a free port of loopback, in a thread."""
    config = uvicorn.Config(
        app or Starlette(routes=[*agent_run_routes(world), *telemetry_routes(world)]),
        port=0,
        log_level="error",
        lifespan="off",
        access_log=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Server(port, world, issuer)
    finally:
        server.should_exit = True
        thread.join()

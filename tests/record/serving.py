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

from app.core.facts import RepositoryFact, RepositoryId
from app.core.pricing import PriceList
from app.github.app import GitHubApp
from app.settings import Settings
from app.store.accounts import save_installation, save_repository
from app.store.database import Database
from app.store.tables import Installation
from app.web.agent_runs import agent_run_routes
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
    issuer: Issuer
    world: World

    def post(
        self, body: Any, token: str | None = None, headers: Mapping[str, str] | None = None, **claims: Any
    ) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        token = self.issuer.token(**claims) if token is None else token
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(headers or {})}
        return self.ask("POST", "/v1/agent-runs", raw, sent)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), json.loads(answer.read()))
        finally:
            connection.close()


def install(
    session: Session, account_id: int = ACCOUNT, repository_id: int = REPOSITORY, state: str = "active"
) -> None:
    now = datetime.now(UTC)
    installation = Installation(
        account_id=account_id,
        installation_id=account_id * 10,
        account_login=f"org-{account_id}",
        account_type="Organization",
        state=state,
        updated_at_us=0,
    )
    save_installation(session, installation)
    fact = RepositoryFact(RepositoryId(repository_id), f"org-{account_id}", "widgets", "main", "private")
    save_repository(session, account_id, fact, now)


def world_of(database: Database, issuer: Issuer, github_url: str = NOBODY) -> World:
    settings = Settings(oidc_issuers=(issuer.url,), oidc_audience=AUDIENCE, github_api_url=github_url)
    github = GitHubApp(1, "", github_url)
    return World(settings=settings, db=database, github=github, prices=PRICES, now=lambda: datetime.now(UTC))


@contextmanager
def serving(world: World, issuer: Issuer) -> Iterator[Server]:
    """The routes of the surface on a free port of loopback, in a thread."""
    config = uvicorn.Config(
        Starlette(routes=agent_run_routes(world)), port=0, log_level="error", lifespan="off", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Server(port, issuer, world)
    finally:
        server.should_exit = True
        thread.join()

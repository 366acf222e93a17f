"""A server with prepared answers, and the App's client on it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.github.app import GitHubApp
from app.github.client import GitHubClient
from tests.github.answering import Answering, answering
from tests.github.noted import Noted
from tests.github.shop import Shop, open_shop
from tests.openapi import contract

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
INSTALLATION = 7


@pytest.fixture(scope="session")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as prepared:
        yield prepared


@pytest.fixture
def app_on(private_key: str) -> Iterator[Callable[..., GitHubApp]]:
    """Makes Apps that are closed after the test; the clock stands at noon."""
    opened: list[GitHubApp] = []

    def make(url: str, **options: object) -> GitHubApp:
        options = {"timeout_s": 5, "now": lambda: NOON, **options}
        opened.append(GitHubApp(1234, private_key, url, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for app in opened:
        app.close()


@pytest.fixture
def limits() -> Noted:
    return Noted()


@pytest.fixture
def client(server: Answering, app_on: Callable[..., GitHubApp], limits: Noted) -> GitHubClient:
    return app_on(server.url).on(INSTALLATION, limits)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with contract.watched() as gh:
        opened = open_shop(gh)
        yield opened
        opened.close()

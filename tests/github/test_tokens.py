import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from app.core.outcomes import Later, Refused
from app.github.app import GitHubApp
from app.github.client import GitHubClient
from app.github.failures import GitHubFailed
from app.github.tokens import Token, TokenCache
from tests.github.answering import Answer, Answering
from tests.github.conftest import NOON
from tests.github.noted import Noted

MINT = "POST /app/installations/7/access_tokens"
REPOSITORY = {"id": 5, "owner": {"login": "acme"}, "name": "shop", "default_branch": "main", "visibility": "private"}
UNAUTHORIZED = Answer(401, {"message": "Bad credentials"})


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 10, 5, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


def test_many_threads_mint_one_token() -> None:
    clock, minted, gate = Clock(), [], threading.Barrier(8)

    def mint(installation_id: int) -> Token:
        minted.append(installation_id)
        return Token(f"token {len(minted)}", clock.at + timedelta(hours=1))

    cache = TokenCache(mint, clock)
    got: list[str] = []

    def ask() -> None:
        gate.wait()
        got.append(cache.get(7))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (minted, set(got)) == ([7], {"token 1"})


def test_one_installations_mint_does_not_hold_up_another() -> None:
    clock, waiting, go = Clock(), threading.Event(), threading.Event()

    def mint(installation_id: int) -> Token:
        if installation_id == 1:
            waiting.set()
            assert go.wait(10)
        return Token(str(installation_id), clock.at + timedelta(hours=1))

    cache = TokenCache(mint, clock)
    slow = threading.Thread(target=cache.get, args=(1,))
    slow.start()
    assert waiting.wait(10)
    assert cache.get(2) == "2"
    go.set()
    slow.join()


@pytest.mark.parametrize(("minutes", "mints"), [(57, 1), (58, 2), (90, 2)])
def test_a_token_is_renewed_two_minutes_before_it_expires(minutes: int, mints: int) -> None:
    clock, minted = Clock(), []

    def mint(installation_id: int) -> Token:
        minted.append(installation_id)
        return Token("t", clock.at + timedelta(hours=1))

    cache = TokenCache(mint, clock)
    cache.get(7)
    clock.at += timedelta(minutes=minutes)
    cache.get(7)
    assert len(minted) == mints


def test_forgetting_a_token_that_was_replaced_keeps_the_new_one() -> None:
    clock, minted = Clock(), []

    def mint(installation_id: int) -> Token:
        minted.append(installation_id)
        return Token(f"token {len(minted)}", clock.at + timedelta(hours=1))

    cache = TokenCache(mint, clock)
    cache.get(7)
    cache.forget(7, "token 1")
    cache.get(7)
    cache.forget(7, "token 1")
    assert cache.get(7) == "token 2"


def test_a_token_is_not_in_its_repr() -> None:
    assert "secret" not in repr(Token("secret", NOON))


def test_requests_share_one_token(server: Answering, client: GitHubClient) -> None:
    server.say("GET /repos/acme/shop", Answer(body=REPOSITORY))
    client.read_repository("acme", "shop")
    client.read_repository("acme", "shop")
    assert server.count(MINT) == 1


def test_a_revoked_token_is_replaced_once_within_the_request(server: Answering, client: GitHubClient) -> None:
    server.say(MINT, Answer(201, {"token": "old", "expires_at": "2099-01-01T00:00:00Z"}),
               Answer(201, {"token": "new", "expires_at": "2099-01-01T00:00:00Z"}))  # fmt: skip
    server.say("GET /repos/acme/shop", UNAUTHORIZED, Answer(body=REPOSITORY))
    assert client.read_repository("acme", "shop") is not None
    used = [one.headers["Authorization"] for one in server.asked if one.method == "GET"]
    assert used == ["token old", "token new"]


def test_a_second_401_is_a_failure_and_not_a_loop(server: Answering, client: GitHubClient) -> None:
    server.say("GET /repos/acme/shop", UNAUTHORIZED)
    with pytest.raises(GitHubFailed) as failed:
        client.read_repository("acme", "shop")
    assert (failed.value.status, server.count("GET /repos/acme/shop")) == (401, 2)


def test_a_suspended_installation_refuses(server: Answering, client: GitHubClient) -> None:
    server.say(MINT, Answer(403, {"message": "This installation has been suspended"}))
    with pytest.raises(Refused) as no:
        client.read_repository("acme", "shop")
    assert no.value.status == 403
    assert "unsuspend" in no.value.sentence


def test_an_installation_that_is_gone_refuses_and_is_not_taken_for_a_missing_repository(
    server: Answering, client: GitHubClient
) -> None:
    server.say(MINT, Answer(404, {"message": "Not Found"}))
    with pytest.raises(Refused, match="no longer installed"):
        client.read_repository("acme", "shop")


def test_a_key_that_is_not_accepted_makes_work_wait_for_the_operator(
    server: Answering, client: GitHubClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.say(MINT, Answer(401, {"message": "A JSON web token could not be decoded"}))
    with pytest.raises(Later) as later:
        client.read_repository("acme", "shop")
    assert later.value.until == NOON + timedelta(minutes=5)
    assert "doctor" in caplog.text


def test_apps_with_one_id_and_different_keys_do_not_share_tokens(
    server: Answering, app_on: Callable[..., GitHubApp], limits: Noted
) -> None:
    server.say("GET /repos/acme/shop", Answer(body=REPOSITORY))
    for _ in range(2):
        app_on(server.url).on(7, limits).read_repository("acme", "shop")
    assert server.count(MINT) == 2

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.core.outcomes import Later
from app.github.app import GitHubApp
from app.github.client import GitHubClient
from app.github.connection import Place
from app.github.failures import GitHubFailed
from tests.github.answering import Answer, Answering
from tests.github.conftest import INSTALLATION, NOON
from tests.github.noted import Noted
from tests.github.test_tokens import REPOSITORY

REPOSITORIES = "GET /installation/repositories"
COMMENTS = "/repos/acme/shop/issues/5/comments"


def test_every_request_names_the_api_version_and_who_asks(server: Answering, client: GitHubClient) -> None:
    server.say("GET /repos/acme/shop", Answer(body=REPOSITORY))
    client.read_repository("acme", "shop")
    for asked in server.asked:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        assert headers["x-github-api-version"] == "2022-11-28"
        assert headers["user-agent"] == "mergemeter"
        assert headers["accept"] == "application/vnd.github+json"


def test_an_own_servers_path_comes_before_every_route(
    server: Answering, app_on: Callable[..., GitHubApp], limits: Noted
) -> None:
    server.say("POST /api/v3/app/installations/7/access_tokens",
               Answer(201, {"token": "t", "expires_at": "2099-01-01T00:00:00Z"}))  # fmt: skip
    server.say("GET /api/v3/repos/acme/shop", Answer(body=REPOSITORY))
    found = app_on(f"{server.url}/api/v3").on(INSTALLATION, limits).read_repository("acme", "shop")
    assert found is not None
    assert found.full_name == "acme/shop"


def test_pages_are_followed_but_never_to_another_address(server: Answering, client: GitHubClient) -> None:
    elsewhere = {"link": '<https://evil.example/steal?page=2&after=abc>; rel="next"'}
    second = {**REPOSITORY, "id": 6, "name": "till"}
    server.say(REPOSITORIES, Answer(body={"repositories": [REPOSITORY]}, headers=elsewhere),
               Answer(body={"repositories": [second]}))  # fmt: skip
    assert [one.name for one in client.read_repositories()] == ["shop", "till"]
    assert server.asked[-1].path == "/installation/repositories?page=2&after=abc"


def test_limits_see_good_and_bad_answers(server: Answering, client: GitHubClient, limits: Noted) -> None:
    server.say("GET /repos/acme/shop", Answer(body=REPOSITORY, headers={"X-RateLimit-Remaining": "42"}))
    client.read_repository("acme", "shop")
    client.read_repository("acme", "gone")
    assert limits.seen == [(200, "42"), (404, "")]


def test_a_write_that_has_to_wait_is_not_sent(server: Answering, client: GitHubClient, limits: Noted) -> None:
    server.say(f"GET {COMMENTS}", Answer(body=[]))
    limits.not_before = NOON + timedelta(seconds=3)
    with pytest.raises(Later):
        client.put_comment("acme", "shop", 5, "words <!-- m -->", "<!-- m -->", None)
    assert server.count(f"POST {COMMENTS}") == 0


def test_a_read_follows_a_repository_that_moved(server: Answering, client: GitHubClient) -> None:
    server.say("GET /repos/acme/shop", Answer(301, {}, {"location": "/repositories/5"}))
    server.say("GET /repositories/5", Answer(body={**REPOSITORY, "name": "store"}))
    found = client.read_repository("acme", "shop")
    assert found is not None
    assert found.name == "store"


def test_a_creation_at_an_old_name_is_a_failure_and_not_a_read(server: Answering, client: GitHubClient) -> None:
    server.say(f"GET {COMMENTS}", Answer(body=[]))
    server.say(f"POST {COMMENTS}", Answer(301, {}, {"location": "/repositories/5/issues/5/comments"}))
    server.say("GET /repositories/5/issues/5/comments", Answer(body=[]))
    with pytest.raises(GitHubFailed, match="moved"):
        client.put_comment("acme", "shop", 5, "words <!-- m -->", "<!-- m -->", None)


def test_connections_are_kept_between_requests(
    server: Answering, app_on: Callable[..., GitHubApp], limits: Noted
) -> None:
    server.say("GET /repos/acme/shop", Answer(body=REPOSITORY))
    app = app_on(server.url)
    for _ in range(3):
        app.on(INSTALLATION, limits).read_repository("acme", "shop")
    pool = app._transport._pool  # type: ignore[attr-defined]
    assert len(pool.connections) == 1


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_a_name_that_would_change_the_path_is_not_asked_for(part: str, server: Answering, client: GitHubClient) -> None:
    with pytest.raises(ValueError, match="not a path"):
        client.read_repository("acme", part)
    assert client.read_file("acme", "shop", f".github/{part}/x.yml", "main") is None
    assert server.asked == []


def test_parts_of_a_path_are_quoted() -> None:
    assert Place(None, "a/b", "c?d").path("x y") == "/repos/a%2Fb/c%3Fd/x%20y"  # type: ignore[arg-type]


def test_writes_send_json(server: Answering, client: GitHubClient) -> None:
    body = "words <!-- m -->"
    server.say(f"GET {COMMENTS}", Answer(body=[]))
    server.say(f"POST {COMMENTS}", Answer(201, {"id": 9, "body": body, "user": {"id": 1, "type": "Bot"}}))
    client.put_comment("acme", "shop", 5, body, "<!-- m -->", None)
    sent = next(one for one in server.asked if one.method == "POST" and one.path == COMMENTS)
    assert json.loads(sent.body) == {"body": body}

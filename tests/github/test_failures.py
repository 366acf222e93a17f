import socket
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import pytest

from app.core.outcomes import Later, Refused
from app.github.app import GitHubApp
from app.github.client import GitHubClient
from app.github.failures import GitHubFailed
from tests.github.answering import Answer, Answering
from tests.github.conftest import INSTALLATION, NOON
from tests.github.noted import Noted

SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
COMMENTS = "/repos/acme/shop/issues/5/comments"


def ask(client: GitHubClient) -> object:
    return client.read_pull_commits("acme", "shop", 5)


@pytest.fixture
def answers(server: Answering) -> Callable[[Answer], None]:
    def prepare(answer: Answer) -> None:
        server.say("GET /repos/acme/shop/pulls/5/commits", answer)

    return prepare


def wait_for(client: GitHubClient) -> float:
    with pytest.raises(Later) as later:
        ask(client)
    return (later.value.until - NOON).total_seconds()


def reset(seconds: int) -> dict[str, str]:
    at = NOON + timedelta(seconds=seconds)
    return {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(at.timestamp()))}


@pytest.mark.parametrize("status", [403, 429])
def test_a_spent_primary_limit_waits_until_its_reset(
    status: int, client: GitHubClient, answers: Callable[[Answer], None]
) -> None:
    date = {"date": format_datetime(NOON, usegmt=True)}
    answers(Answer(status, {"message": "API rate limit exceeded"}, {**reset(900), **date}))
    assert wait_for(client) == 901


def test_the_reset_is_counted_on_githubs_clock_when_ours_is_wrong(
    client: GitHubClient, answers: Callable[[Answer], None]
) -> None:
    date = {"date": format_datetime(NOON + timedelta(hours=2), usegmt=True)}
    answers(Answer(403, {"message": "API rate limit exceeded"}, {**reset(7500), **date}))
    assert wait_for(client) == 301


def test_a_secondary_limit_waits_as_long_as_retry_after_says(
    client: GitHubClient, answers: Callable[[Answer], None]
) -> None:
    answers(Answer(403, SECONDARY, {"retry-after": "77"}))
    assert wait_for(client) == 77


def test_retry_after_comes_before_the_reset(client: GitHubClient, answers: Callable[[Answer], None]) -> None:
    answers(Answer(429, SECONDARY, {"retry-after": "5", **reset(900)}))
    assert wait_for(client) == 5


@pytest.mark.parametrize(
    ("status", "message"),
    [(403, SECONDARY["message"]), (403, "You have triggered an abuse detection mechanism."), (429, "Slow down")],
)
def test_a_limit_that_names_no_time_waits_a_minute(
    status: int, message: str, client: GitHubClient, answers: Callable[[Answer], None]
) -> None:
    answers(Answer(status, {"message": message}))
    assert wait_for(client) == 60


def test_an_outage_that_names_a_time_waits_for_it(client: GitHubClient, answers: Callable[[Answer], None]) -> None:
    answers(Answer(503, b"<html>", {"retry-after": "120"}))
    assert wait_for(client) == 120


def test_a_retry_after_in_the_past_waits_a_second(client: GitHubClient, answers: Callable[[Answer], None]) -> None:
    answers(Answer(503, b"", {"retry-after": "-5"}))
    assert wait_for(client) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_outage_is_a_failure_and_asked_only_once(
    status: int, server: Answering, client: GitHubClient, answers: Callable[[Answer], None]
) -> None:
    answers(Answer(status, b"<html>Unicorn!</html>"))
    with pytest.raises(GitHubFailed) as failed:
        ask(client)
    assert failed.value.status == status
    assert server.count("GET /repos/acme/shop/pulls/5/commits") == 1


@pytest.mark.parametrize(
    ("status", "message", "mend"),
    [
        (403, "Resource not accessible by integration", "permission"),
        (403, "Repository was archived so is read-only.", "unarchived"),
        (403, "This installation has been suspended", "unsuspend"),
        (403, "Although you appear to have the correct authorization, an IP allow list is enabled", "forbids"),
        (404, "Not Found", "no longer installed"),
        (410, "Issues has been disabled in this repository.", "enable them"),
        (451, "Repository access blocked", "legal"),
    ],
)
def test_a_permanent_no_is_refused_with_a_way_out(
    status: int, message: str, mend: str, client: GitHubClient, answers: Callable[[Answer], None]
) -> None:
    answers(Answer(status, {"message": message}))
    with pytest.raises(Refused) as no:
        ask(client)
    assert no.value.status == status
    assert mend in no.value.sentence
    assert message in no.value.sentence


def test_a_403_of_something_in_between_is_a_failure(client: GitHubClient, answers: Callable[[Answer], None]) -> None:
    answers(Answer(403, b"<html>Blocked by the proxy</html>"))
    with pytest.raises(GitHubFailed):
        ask(client)


def test_a_422_is_a_failure_that_says_what_was_wrong(client: GitHubClient, answers: Callable[[Answer], None]) -> None:
    answers(Answer(422, {"message": "Validation Failed", "errors": [{"field": "conclusion"}]}))
    with pytest.raises(GitHubFailed, match="conclusion"):
        ask(client)


def test_an_answer_that_is_not_json_is_a_failure(client: GitHubClient, answers: Callable[[Answer], None]) -> None:
    answers(Answer(200, b"<html>Welcome to the hotel's network</html>"))
    with pytest.raises(GitHubFailed, match="not JSON"):
        ask(client)


@pytest.mark.parametrize("headers", [{"retry-after": "soon"}, {"retry-after": "9" * 400}, {"x-ratelimit-reset": "x"}])
def test_nonsense_in_a_header_is_never_an_endless_wait(
    headers: dict[str, str], client: GitHubClient, answers: Callable[[Answer], None]
) -> None:
    answers(Answer(429, SECONDARY, {"x-ratelimit-remaining": "0", **headers}))
    with pytest.raises((Later, GitHubFailed)) as raised:
        ask(client)
    if isinstance(raised.value, Later):
        assert raised.value.until <= NOON + timedelta(days=1)


def test_a_server_that_does_not_answer_is_a_failure(app_on: Callable[..., GitHubApp], limits: Noted) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(GitHubFailed, match="in time"):
            ask(app_on(url, timeout_s=0.2).on(INSTALLATION, limits))


def test_a_server_that_is_not_there_is_a_failure(app_on: Callable[..., GitHubApp], limits: Noted) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(GitHubFailed, match="ConnectError"):
        ask(app_on(url).on(INSTALLATION, limits))


def test_a_failure_never_tells_the_token(client: GitHubClient, answers: Callable[[Answer], None]) -> None:
    answers(Answer(500, {"message": "boom"}))
    with pytest.raises(GitHubFailed) as failed:
        ask(client)
    assert "ghs_" not in str(failed.value)

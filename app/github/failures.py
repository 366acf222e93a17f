"""What GitHub's errors mean for us: due later, a permanent no, or a failure that the worker may try again.

The rules are GitHub's: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api and
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from githubkit.exception import GitHubException, RequestFailed, RequestTimeout

from app.core.outcomes import Later, Refused

WITHOUT_A_WORD = timedelta(minutes=1)  # a secondary limit that names no time: "wait for at least one minute"
LONGEST_WAIT = timedelta(days=1)  # guards against nonsense in a header
LONGEST_MESSAGE = 200

# What GitHub's message holds in lower case → what a person can do about it. The first match wins.
MENDED_BY = (
    ("not accessible by integration", "The App lacks a permission: its owner accepts the new ones in its settings."),
    ("suspended", "The installation is suspended: an owner of the account can unsuspend it."),
    ("is locked", "The conversation is locked: someone with write access can unlock it."),
    ("archived", "The repository is archived and read-only until it is unarchived."),
    ("read-only", "The repository is archived and read-only until it is unarchived."),
    ("issue was deleted", "The issue was deleted."),
    ("disabled", "Issues are disabled in this repository: enable them or name another repository."),
)
BY_STATUS = {
    403: "GitHub forbids this.",
    404: "Not found: deleted, or the App is no longer installed there.",
    410: "Gone: the feature is disabled or the thing was deleted.",
    451: "Blocked for legal reasons.",
}


class GitHubFailed(Exception):  # noqa: N818 - said as it is
    """GitHub, or the way to it, failed; trying again may help. `status` is None when there was no answer."""

    def __init__(self, status: int | None, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def translate(error: Exception, asked: str, now: datetime) -> Exception:
    """What to raise for an error of githubkit: Later, Refused or GitHubFailed. `asked` is "METHOD path"."""
    if isinstance(error, RequestFailed):
        return _of_answer(error.response.raw_response, asked, now)
    if isinstance(error, RequestTimeout):
        return GitHubFailed(None, f"{asked}: GitHub did not answer in time")
    cause = getattr(error, "exc", error) if isinstance(error, GitHubException) else error
    return GitHubFailed(None, f"{asked}: no usable answer ({type(cause).__name__}: {cause})")


def _of_answer(answer: httpx.Response, asked: str, now: datetime) -> Exception:
    message = message_of(answer)
    wait = _wait(answer, message or "", now)
    if wait is not None:
        return Later(now + wait, f"{asked}: {answer.status_code}, GitHub limits our requests")
    # A 403 without GitHub's JSON comes from something in between, and that may pass.
    if answer.status_code in BY_STATUS and (message is not None or answer.status_code != 403):
        return Refused(answer.status_code, _sentence(answer.status_code, message or ""))
    return GitHubFailed(answer.status_code, f"{asked}: {answer.status_code} {message or answer.reason_phrase}")


def message_of(answer: httpx.Response) -> str | None:
    """GitHub's own sentence, shortened, with the details of a 422; None when the body is not GitHub's JSON."""
    try:
        body = answer.json()
    except ValueError:
        return None
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, str):
        return None
    details = f" {json.dumps(body['errors'])}" if body.get("errors") else ""
    return (message + details)[:LONGEST_MESSAGE]


def _sentence(status: int, message: str) -> str:
    mend = next((text for part, text in MENDED_BY if part in message.lower()), BY_STATUS[status])
    return f"{mend} GitHub said: {message}" if message else mend


def _wait(answer: httpx.Response, message: str, now: datetime) -> timedelta | None:
    # In GitHub's order: retry-after, then the reset of a spent primary limit, then one minute.
    limited = answer.status_code in (403, 429)
    if "retry-after" in answer.headers and (limited or answer.status_code >= 500):
        return _bounded(_after(answer.headers["retry-after"], now))
    if not limited:
        return None
    if answer.headers.get("x-ratelimit-remaining") == "0" and "x-ratelimit-reset" in answer.headers:
        return _bounded(_until_reset(answer, now))
    if answer.status_code == 429 or "secondary rate limit" in message.lower() or "abuse detection" in message.lower():
        return WITHOUT_A_WORD
    return None


def _after(text: str, now: datetime) -> timedelta:
    try:
        return timedelta(seconds=int(text))
    except (ValueError, OverflowError):
        at = instant_of(text)
        return WITHOUT_A_WORD if at is None else at - now


def _until_reset(answer: httpx.Response, now: datetime) -> timedelta:
    # Counted from the server's own clock, so that ours may be wrong; one second more, so that it is over.
    try:
        reset = datetime.fromtimestamp(int(answer.headers["x-ratelimit-reset"]), UTC)
    except (ValueError, OverflowError, OSError):
        return WITHOUT_A_WORD
    return reset - (instant_of(answer.headers.get("date", "")) or now) + timedelta(seconds=1)


def _bounded(wait: timedelta) -> timedelta:
    return min(max(wait, timedelta(seconds=1)), LONGEST_WAIT)


def instant_of(text: str) -> datetime | None:
    """An HTTP date as an aware UTC instant, or None."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (TypeError, ValueError):
        return None

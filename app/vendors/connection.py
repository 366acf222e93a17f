"""Requests to one vendor with an operator's key: limits, refusals and failures in our own words.

Never sleeps: a limit is `Later`, with the time that the vendor names. The key is in a header, and in no text of ours.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from app.core.outcomes import Later, Refused
from app.core.vendors.pages import page_of

TIMEOUT_S = 30
LARGEST_ANSWER = 64 * 1024 * 1024
WITHOUT_A_WORD = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=2)
MOST_PAGES = 500
MOST_RESTARTS = 3
REFUSALS = {
    400: "the vendor does not understand the question",
    401: "the vendor does not accept the key",
    403: "the key may not read this",
    404: "the vendor knows no such report, or the key may not see it",
}
Question = Sequence[tuple[str, str]]


class VendorFailed(Exception):  # noqa: N818 - what happened, as GitHubFailed
    """The vendor or the way to it failed, or its answer cannot be read: it is asked again later."""


class CursorGoneError(Exception):
    """The figures were renewed while they were read: paging begins again at the first page (410)."""


class Connection:
    """JSON in, with exact numbers. Raises Later, Refused, CursorGoneError and VendorFailed, nothing else."""

    def __init__(
        self,
        vendor: str,
        url: str,
        headers: Mapping[str, str],
        now: Callable[[], datetime],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._vendor, self._now = vendor, now
        self._client = httpx.Client(base_url=url, headers=dict(headers), timeout=timeout_s, follow_redirects=False)

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, question: Question) -> Any:
        """What stands at the path."""
        try:
            answer = self._client.get(path, params=list(question))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # Only its kind: the text of an error may name what was sent.
            raise VendorFailed(f"{self._vendor} {path}: no usable answer ({type(error).__name__})") from None
        if answer.status_code != 200:
            raise self._problem(answer, path)
        if len(answer.content) > LARGEST_ANSWER:
            raise VendorFailed(f"{self._vendor} {path}: the answer is too large")
        try:
            return json.loads(answer.content, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise VendorFailed(f"{self._vendor} {path}: the answer is not JSON") from None

    def pages(self, path: str, question: Question) -> list[Mapping[str, Any]]:
        """Every page of a report. It is begun again where the vendor has renewed its figures meanwhile."""
        for _ in range(MOST_RESTARTS):
            with suppress(CursorGoneError):
                return list(self._pages(path, question))
        raise Later(self._now() + WITHOUT_A_WORD, f"{self._vendor} renews its figures all the time")

    def _pages(self, path: str, question: Question) -> Iterator[Mapping[str, Any]]:
        cursor, seen = "", set[str]()
        for _ in range(MOST_PAGES):
            body = self.get(path, [*question, ("page", cursor)] if cursor else question)
            page = page_of(body)
            if page is None:
                raise VendorFailed(f"{self._vendor} {path}: the answer is not a page of a report")
            yield page.body
            if not page.next:
                return
            if page.next in seen:
                raise VendorFailed(f"{self._vendor} {path}: the pages lead in a circle")
            seen.add(page.next)
            cursor = page.next
        raise VendorFailed(f"{self._vendor} {path}: more than {MOST_PAGES} pages")

    def _problem(self, answer: httpx.Response, path: str) -> Exception:
        status = answer.status_code
        wait = _wait(answer, self._now())
        if wait is not None:
            return Later(self._now() + wait, f"{self._vendor} limits our requests ({status})")
        if status == 410:
            return CursorGoneError(f"{self._vendor} {path}")
        if status in REFUSALS:
            return Refused(status, f"{self._vendor}: {REFUSALS[status]}")
        return VendorFailed(f"{self._vendor} {path}: {status}")


def _wait(answer: httpx.Response, now: datetime) -> timedelta | None:
    """How long to wait; None where that is not what the vendor asks for."""
    limited = answer.status_code == 429 or (
        answer.status_code == 403 and answer.headers.get("x-ratelimit-remaining") == "0"
    )
    if "retry-after" in answer.headers and (limited or answer.status_code in (403, 503, 529)):
        return _bounded(_after(answer.headers["retry-after"], now))
    if not limited:
        return None
    try:  # GitHub tells the time at which its limit begins anew
        reset = datetime.fromtimestamp(int(answer.headers["x-ratelimit-reset"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return WITHOUT_A_WORD
    return _bounded(reset - now)


def _after(text: str, now: datetime) -> timedelta:
    try:
        return timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        pass
    try:
        return parsedate_to_datetime(text).astimezone(UTC) - now
    except (TypeError, ValueError):
        return WITHOUT_A_WORD


def _bounded(wait: timedelta) -> timedelta:
    return min(max(wait, timedelta(seconds=1)), LONGEST_WAIT)

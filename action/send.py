"""Sends a record: an OIDC token asked for immediately before, then one POST. Tries again only within its budget.

Refuses to follow redirects (a token goes to the one configured host) and answers that are too long.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import quote, unquote, urlsplit

from runner.inputs import is_loopback

ANSWER_LIMIT = 4 << 20
TRY_S = 5.0
WAITS_S = (0.3, 1.0, 2.0)
Result = TypeVar("Result")


class Unsent(Exception):
    """A record that did not arrive. The message is a sentence for people."""


class Passing(Unsent):
    """A failure that another try may mend."""


class Deadline:
    """A point in time after which nothing more is tried. Without patience nothing is tried twice."""

    def __init__(self, seconds: float, patient: bool = True) -> None:
        self.at = time.monotonic() + seconds
        self.patient = patient

    @property
    def left(self) -> float:
        return self.at - time.monotonic()


def within(seconds: float, work: Callable[[Deadline], Result], patient: bool = True) -> Result:
    """Do work, but wait for it no longer than this, however slowly a server drips. Raises Unsent when time is up."""
    results: list[Result] = []
    failures: list[Exception] = []
    deadline = Deadline(seconds, patient)

    def run() -> None:
        try:
            results.append(work(deadline))
        except Exception as failure:  # noqa: BLE001 - handed to the waiting thread
            failures.append(failure)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds + 0.2)
    if failures:
        raise failures[0]
    if not results:
        raise Unsent("the server did not answer in time")
    return results[0]


def token(environ: Mapping[str, str], audience: str, deadline: Deadline) -> str:
    """An OIDC token of this job for this audience."""
    url = environ["ACTIONS_ID_TOKEN_REQUEST_URL"]
    url += ("&" if "?" in url else "?") + "audience=" + quote(audience, safe="")
    headers = {"Authorization": "Bearer " + environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"], "Accept": "application/json"}
    answer = again(lambda: _exchange("GET", url, headers, None, environ, deadline), deadline)
    value = answer.get("value")
    if not isinstance(value, str) or not value.isprintable():
        raise Unsent("GitHub did not give an OIDC token")
    return value


def record(
    environ: Mapping[str, str], server_url: str, bearer: str, body: bytes, deadline: Deadline
) -> dict[str, object]:
    """Send a record, the same bytes with the same token on every try, and give the server's answer."""
    headers = {"Authorization": "Bearer " + bearer, "Content-Type": "application/json", "Accept": "application/json"}
    url = server_url + "/v1/agent-runs"
    return again(lambda: _exchange("POST", url, headers, body, environ, deadline), deadline)


def deliver(
    environ: Mapping[str, str], inputs: Mapping[str, object], body: bytes, deadline: Deadline
) -> dict[str, object]:
    """A fresh token, then the record."""
    bearer = token(environ, str(inputs["audience"]), deadline)
    return record(environ, str(inputs["server_url"]), bearer, body, deadline)


def again(attempt: Callable[[], dict[str, object]], deadline: Deadline) -> dict[str, object]:
    """Repeat an attempt on passing failures, while there is time."""
    for wait_s in WAITS_S:
        try:
            return attempt()
        except Passing:
            if not deadline.patient or deadline.left < wait_s + 0.5:
                raise
            time.sleep(wait_s)
    return attempt()


def _exchange(
    method: str, url: str, headers: dict[str, str], body: bytes | None, environ: Mapping[str, str], deadline: Deadline
) -> dict[str, object]:
    host = urlsplit(url).hostname or ""
    try:
        connection = _connect(url, environ, max(0.1, min(TRY_S, deadline.left)))
        try:
            parts = urlsplit(url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, {**headers, "User-Agent": "mergemeter-action"})
            response = connection.getresponse()
            content = response.read(ANSWER_LIMIT)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise Passing(f"{host} could not be reached ({type(problem).__name__})") from problem
    return _answer(host, response.status, content)


def _connect(url: str, environ: Mapping[str, str], timeout_s: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    proxy = _proxy(host, environ)
    if not proxy or not secure:
        return kind(host, parts.port, timeout=timeout_s)
    via = urlsplit(proxy if "://" in proxy else "http://" + proxy)
    connection = kind(via.hostname or "", via.port, timeout=timeout_s)
    login = {}
    if via.username is not None:
        import base64  # noqa: PLC0415 - rarely needed

        pair = f"{unquote(via.username)}:{unquote(via.password or '')}".encode()
        login = {"Proxy-Authorization": "Basic " + base64.b64encode(pair).decode()}
    connection.set_tunnel(host, parts.port or 443, login)
    return connection


def _proxy(host: str, environ: Mapping[str, str]) -> str:
    """The proxy for https to this host, or nothing. Plain http stays on this machine."""
    named = {name.lower(): value for name, value in environ.items()}
    bypassed = [entry.strip().lstrip("*.").lower() for entry in named.get("no_proxy", "").split(",") if entry.strip()]
    if is_loopback(host) or "" in bypassed or any(host == entry or host.endswith("." + entry) for entry in bypassed):
        return ""
    return named.get("https_proxy", "")


def _answer(host: str, status: int, content: bytes) -> dict[str, object]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        parsed = None
    answer = parsed if isinstance(parsed, dict) else {}
    if 200 <= status < 300:
        if not answer:
            raise Unsent(f"{host} gave an answer that is not Mergemeter's")
        return answer
    if 300 <= status < 400:
        raise Unsent(f"{host} redirects elsewhere; set server-url to the address it leads to")
    said = f": {str(answer['message'])[:300]} ({str(answer.get('code', ''))[:60]})" if "message" in answer else ""
    kind = Passing if status >= 500 or status == 429 else Unsent
    raise kind(f"{host} answered {status}{said}")

"""The App itself: its key, its tokens, and what it may ask as an App. Installations are asked through `on`."""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
from githubkit import AppAuthStrategy, GitHub, Response, TokenAuthStrategy, UnauthAuthStrategy
from githubkit.auth import BaseAuthStrategy
from githubkit.cache import MemCacheStrategy
from githubkit.exception import GitHubException, RequestFailed

from app.core.facts import DeliveryAttempt, InstallationFact
from app.core.outcomes import Later, Refused
from app.github import read
from app.github.agent_tasks import AgentTasks
from app.github.client import GitHubClient
from app.github.connection import Connection, next_page
from app.github.failures import GitHubFailed, instant_of, translate
from app.github.limits import Limits
from app.github.promptness import is_late
from app.github.tokens import Token, TokenCache

API_URL = "https://api.github.com"
# 2026-03-10 no longer tells a pull's merge_commit_sha; this version is supported until 2028 at least.
API_VERSION = "2022-11-28"
USER_AGENT = "mergemeter"
KEY_NOT_ACCEPTED = timedelta(minutes=5)

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


class KeptTransport(httpx.BaseTransport):
    """One pool of connections: githubkit closes its transport after every request, this one stays open.

    Nothing that is late goes out.
    """

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if is_late():
            raise httpx.WriteError("not sent: it was permitted too long ago", request=request)
        return self.inner.handle_request(request)


class GitHubApp:
    """One GitHub App on one GitHub (github.com, a ghe.com tenant, or a server of one's own with …/api/v3).

    Thread-safe. Requests end within `timeout_s` for each phase, are never repeated behind the caller's back
    and never cached. Raises Later, Refused or GitHubFailed.
    """

    def __init__(
        self,
        app_id: int,
        private_key: str,
        api_url: str = API_URL,
        timeout_s: float = 10,
        transport: httpx.BaseTransport | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.app_id = app_id
        self.now = now
        self._transport = transport or httpx.HTTPTransport(proxy=_proxy(api_url))
        self._as_app = GitHub(
            AppAuthStrategy(app_id, private_key),
            base_url=api_url,
            user_agent=USER_AGENT,
            timeout=timeout_s,
            transport=KeptTransport(self._transport),
            auto_retry=False,
            http_cache=False,
            cache_strategy=MemCacheStrategy(),  # githubkit's default is shared by every App of the process
        )
        self._tokens = TokenCache(self._mint, now)
        self._bots: set[int] = set()

    def close(self) -> None:
        self._transport.close()

    def on(self, installation_id: int, limits: Limits) -> GitHubClient:
        """A client that acts as the installation (GitHub's present id) and reports to `limits`."""
        return GitHubClient(
            Connection(self._send, self._tokens, installation_id, limits, self.now), self.app_id, self._bots
        )

    def as_user(self, user_token: str) -> AgentTasks:
        """What only a user's token may read."""
        return AgentTasks(self._send, user_token, self.now)

    def app(self) -> dict[str, Any]:
        """GET /app: id, slug, permissions, events."""
        return self._ask("GET", "/app").json()  # type: ignore[no-any-return]

    def hook_config(self) -> dict[str, Any]:
        """GET /app/hook/config: url, content_type, insecure_ssl; `secret` is masked, and absent when there is none."""
        return self._ask("GET", "/app/hook/config").json()  # type: ignore[no-any-return]

    def installation(self, installation_id: int) -> InstallationFact | None:
        """GET /app/installations/{id}: the installation as it is now, or None when it is gone."""
        try:
            return read.installation(self._ask("GET", f"/app/installations/{installation_id}").json())
        except Refused as no:
            if no.status == 404:
                return None
            raise

    def present_installations(self) -> Iterator[InstallationFact]:
        """Every installation as it is now."""
        return map(read.installation, self.installations())

    def installations(self) -> Iterator[dict[str, Any]]:
        """GET /app/installations, every page: id, account, permissions, events, suspended_at."""
        yield from self._pages("/app/installations")

    def deliveries(self, most: int) -> list[dict[str, Any]]:
        """GET /app/hook/deliveries, the latest `most`: guid, delivered_at, redelivery, status, status_code, event."""
        found: list[dict[str, Any]] = []
        for delivery in self._pages("/app/hook/deliveries"):
            found.append(delivery)
            if len(found) == most:
                break
        return found

    def delivery_attempts(self, cursor: str = "") -> tuple[list[DeliveryAttempt], str]:
        """A page of GET /app/hook/deliveries, the newest first, and the cursor of the next one; "" on the last one."""
        question = {"per_page": "100"} | ({"cursor": cursor} if cursor else {})
        answer = self._ask("GET", "/app/hook/deliveries", params=question)
        more = next_page(answer) or {}
        return [read.delivery_attempt(body) for body in answer.json()], more.get("cursor", "")

    def redeliver(self, delivery_id: int) -> None:
        """Have GitHub deliver an event again, soon, with the same guid. Refused(404) when GitHub keeps it no more."""
        self._ask("POST", f"/app/hook/deliveries/{delivery_id}/attempts")

    def server_time(self) -> datetime | None:
        """GitHub's own clock, asked without the key; None when the answer bears no date."""
        try:
            headers = self._send(UnauthAuthStrategy(), "GET", "/meta").headers
        except RequestFailed as failed:
            headers = failed.response.headers
        except GitHubException as error:
            raise translate(error, "GET /meta", self.now()) from error
        return instant_of(headers.get("date", ""))

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        params: Mapping[str, str] | None = {"per_page": "100"}
        while params is not None:
            answer = self._ask("GET", path, params=params)
            yield from answer.json()
            params = next_page(answer)

    def _mint(self, installation_id: int) -> Token:
        try:
            body = self._ask("POST", f"/app/installations/{installation_id}/access_tokens").json()
        except Refused as no:
            if no.status != 404:
                raise
            # Said as a 403, so that no reader takes it for "the thing that was asked for is not there".
            raise Refused(403, "The App is no longer installed there.") from no
        return Token(body["token"], datetime.fromisoformat(body["expires_at"]))

    def _ask(self, method: str, path: str, params: Mapping[str, str] | None = None) -> Response[Any]:
        try:
            return self._send(self._as_app.auth, method, path, params=params)
        except GitHubException as error:
            problem = translate(error, f"{method} {path}", self.now())
            if isinstance(problem, GitHubFailed) and problem.status == 401:
                # Nothing is wrong with the work: it waits until the operator has mended the key or the clock.
                log.error("GitHub does not accept the App's key; `python -m app doctor` says more: %s", problem)  # noqa: TRY400
                raise Later(self.now() + KEY_NOT_ACCEPTED, "GitHub does not accept the App's key") from problem
            raise problem from error

    def _send(
        self,
        auth: BaseAuthStrategy | str,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Response[Any]:
        strategy = TokenAuthStrategy(auth) if isinstance(auth, str) else auth
        headers = {"X-GitHub-Api-Version": API_VERSION}
        return self._as_app.with_auth(strategy).request(method, path, params=params, json=body, headers=headers)


def _proxy(api_url: str) -> str | None:
    # httpx looks at HTTPS_PROXY and NO_PROXY only when it makes the transport itself.
    parts = urlsplit(api_url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)

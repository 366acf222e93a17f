"""Requests as one installation: token, one retry after a 401, pages, rate limits, and errors in our own words."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlsplit

from githubkit import Response
from githubkit.exception import GitHubException, RequestFailed

from app.core.outcomes import Refused
from app.github.failures import GitHubFailed, translate
from app.github.limits import Limits
from app.github.promptness import promptly
from app.github.tokens import TokenCache

PER_PAGE = "100"


class Send(Protocol):
    def __call__(
        self, auth: str, method: str, path: str, params: Mapping[str, str] | None = None, body: object = None
    ) -> Response[Any]: ...


class Connection:
    """JSON in and out. Raises Later, Refused and GitHubFailed, nothing else."""

    def __init__(
        self, send: Send, tokens: TokenCache, installation_id: int, limits: Limits, now: Callable[[], datetime]
    ) -> None:
        self._send = send
        self._tokens = tokens
        self._installation_id = installation_id
        self._limits = limits
        self._now = now

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """What stands at the path. Refused(404) when nothing does."""
        return _json(self._ask("GET", path, params))

    def find(self, path: str, params: Mapping[str, str] | None = None) -> Any | None:
        """What stands at the path, or None when nothing does (404, 410)."""
        try:
            return self.get(path, params)
        except Refused as no:
            if no.status in (404, 410):
                return None
            raise

    def pages(
        self, path: str, params: Mapping[str, str] | None = None, inside: str = "", most: int = 10_000
    ) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page, at most `most`. `inside`: the key of the list in an envelope."""
        question: Mapping[str, str] | None = {**(params or {}), "per_page": PER_PAGE}
        while question is not None:
            answer = self._ask("GET", path, question)
            body = _json(answer)
            for item in body[inside] if inside else body:
                if most == 0:
                    return
                most -= 1
                yield item
            question = next_page(answer)

    def page(self, path: str, params: Mapping[str, str]) -> tuple[list[dict[str, Any]], bool]:
        """One page of a list, and whether there is another one."""
        answer = self._ask("GET", path, params)
        return _json(answer), next_page(answer) is not None

    def write(self, method: str, path: str, body: object = None, *, creating: bool = False) -> Any:
        """Change something; the answer's JSON, or None without one. `creating` as in Limits.before_write."""
        with promptly():  # from before the leave is given: it may be long in coming, too
            self._limits.before_write(creating)
            answer = self._ask(method, path, body=body)
        if answer.raw_request.method != method:
            # A moved repository's 301 turns a POST into a GET. The `repository` event brings its new name.
            raise GitHubFailed(301, f"{method} {path}: moved, and its new address is not known yet")
        return _json(answer) if answer.content else None

    def _ask(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: object = None
    ) -> Response[Any]:
        try:
            return self._ask_once(method, path, params, body)
        except GitHubFailed as failed:
            if failed.status != 401:
                raise
        # The token was revoked before its time (a re-installation, a suspension that is over). A new one shows.
        return self._ask_once(method, path, params, body)

    def _ask_once(self, method: str, path: str, params: Mapping[str, str] | None, body: object) -> Response[Any]:
        token = self._tokens.get(self._installation_id)
        try:
            answer = self._send(token, method, path, params=params, body=body)
        except (GitHubException, ValueError, OverflowError) as error:  # githubkit reads some headers with int()
            if isinstance(error, RequestFailed):
                self._limits.saw(error.response.headers, error.response.status_code)
                if error.response.status_code == 401:
                    self._tokens.forget(self._installation_id, token)
            raise translate(error, f"{method} {path}", self._now()) from error
        self._limits.saw(answer.headers, answer.status_code)
        return answer


def next_page(answer: Response[Any]) -> Mapping[str, str] | None:
    """The question for the next page, taken from the Link header; None on the last one.

    Only its query is used: our token goes to the address that we were configured with and nowhere else.
    """
    link = answer.raw_response.links.get("next")
    return dict(parse_qsl(urlsplit(link["url"]).query)) if link else None


@dataclass(frozen=True, slots=True)
class Place:
    """One repository, by its present name."""

    github: Connection
    owner: str
    name: str

    def path(self, *rest: object) -> str:
        """/repos/{owner}/{name}/… with every part quoted. ValueError for a part that would change the path."""
        parts = [self.owner, self.name, *map(str, rest)]
        if any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"not a path on GitHub: {parts}")
        return "/repos/" + "/".join(quote(part, safe="") for part in parts)


def _json(answer: Response[Any]) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        asked = f"{answer.raw_request.method} {answer.raw_request.url.path}"
        raise GitHubFailed(answer.status_code, f"{asked}: the answer is not JSON") from error

"""The one door of the REST interface: who calls, whether they may, what the limits say, and how answers are written.

An operation is a function of a `Call`; it runs under the hub's lock and answers or raises a Refusal.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from app.sandbox import refusals
from app.sandbox.faults import Faults
from app.sandbox.limits import Limits
from app.sandbox.refusals import Refusal
from app.sandbox.rest.fields import Check
from app.sandbox.state import Account, App, Hub, InstallationToken, Pull, Repository, UserToken

LEVELS = {"read": 1, "write": 2, "admin": 3}
JWT_MAX_S = 600
VERSIONS = ("2022-11-28", "2026-03-10")  # the newer one has no merge_commit_sha


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = None  # JSON; bytes are sent as they are
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """One authenticated request. `repository` is set on operations under /repos."""

    hub: Hub
    redeliver: Callable[[int], object]
    path: str
    arguments: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: dict[str, Any]
    app: App
    token: InstallationToken | UserToken | None
    deliveries: Callable[[], list[Any]]
    spent: Mapping[str, str]
    repository_or_none: Repository | None = None

    @property
    def newer(self) -> bool:
        """Whether the caller asks for the version of March 2026."""
        return self.headers.get("x-github-api-version") == VERSIONS[1]

    @property
    def repository(self) -> Repository:
        if self.repository_or_none is None:
            raise refusals.not_found()
        return self.repository_or_none

    @property
    def organisation(self) -> Account:
        """The organisation in the path, for its own installation's token alone."""
        account = self.hub.accounts.get(self.arguments["org"].lower())
        ours = isinstance(self.token, InstallationToken) and self.token.installation.account is account
        if account is None or account.kind != "Organization" or not ours:
            raise refusals.not_found()
        return account

    def sees(self, repository: Repository) -> bool:
        """Whether a list shows it to the caller: what is public, and what an installation's token reaches."""
        reached = isinstance(self.token, InstallationToken) and _reaches(self.token, repository)
        return reached or not repository.private

    def number(self, name: str) -> int:
        """A number from the path. 404 when it is none."""
        if not self.arguments[name].isdigit():
            raise refusals.not_found()
        return int(self.arguments[name])

    def pull(self, name: str = "pull_number") -> Pull:
        pull = self.repository.pulls.get(self.number(name))
        if pull is None:
            raise refusals.not_found()
        return pull

    def paged(self, items: list[Any]) -> tuple[list[Any], dict[str, str]]:
        """The asked page of the items and its Link header. per_page 30, at most 100."""
        size = min(max(_integer(self.query.get("per_page"), 30), 1), 100)
        page = max(_integer(self.query.get("page"), 1), 1)
        last = max(-(-len(items) // size), 1)
        links = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
        if page >= last:
            del links["next"], links["last"]
        if page == 1:
            del links["prev"], links["first"]
        written = [f'<{self._page_url(number)}>; rel="{name}"' for name, number in links.items()]
        return items[(page - 1) * size : page * size], ({"link": ", ".join(written)} if written else {})

    def _page_url(self, page: int) -> str:
        query = {**self.query, "page": str(page)}
        return f"{self.hub.url}{self.path}?" + "&".join(f"{name}={value}" for name, value in query.items())


def _integer(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdigit() else default


@dataclass(frozen=True)
class Operation:
    """`needs`: any of these permissions, as "checks:write"; "app" asks for the App's own JWT instead, "user" for a
    person's token."""

    method: str
    path: str
    needs: tuple[str, ...]
    run: Callable[[Call], Answer]
    body: Check | None = None
    creates: bool = False
    body_required: bool = True


@dataclass
class Door:
    hub: Hub
    limits: Limits
    faults: Faults
    redeliver: Callable[[int], object]
    deliveries: Callable[[], list[Any]]

    def enter(
        self, operation: Operation, path: str, arguments: Mapping[str, str], query: Mapping[str, str],
        headers: Mapping[str, str], raw: bytes,
    ) -> Answer:  # fmt: skip
        """Do the operation for whoever asks. Refusals become answers."""
        spent = {"x-github-api-version-selected": VERSIONS[0]}
        try:
            spent["x-github-api-version-selected"] = _version(headers)
            app, token = self._caller(operation, headers)
            self._spend(app, token, spent)
            call = Call(
                self.hub, self.redeliver, path, arguments, query, headers, {}, app, token, self.deliveries, spent
            )  # fmt: skip
            if "owner" in arguments:
                call.repository_or_none = self._repository(arguments, path)
            self._permit(operation, call)
            call.body = _body(operation, raw)
            self._pace(operation, token)
            answer = operation.run(call)
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.body, spent | refusal.headers)
        return Answer(answer.status, answer.body, {**spent, **answer.headers})

    def _caller(
        self, operation: Operation, headers: Mapping[str, str]
    ) -> tuple[App, InstallationToken | UserToken | None]:
        if not headers.get("user-agent"):
            raise Refusal(
                403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header."
            )
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() not in {"bearer", "token"} or not secret:
            raise Refusal(401, "Requires authentication")
        if operation.needs == ("app",):
            return verified_app(self.hub, secret), None
        if operation.needs == ("user",):
            return next(iter(self.hub.apps.values())), self._user(secret)
        token = self.hub.tokens.get(secret)
        if token is None or token.expires_at <= time.time() or token.installation.deleted:
            raise refusals.bad_credentials()
        if token.installation.suspended_at is not None:
            raise refusals.suspended()
        return token.installation.app, token

    def _user(self, secret: str) -> UserToken:
        if secret in self.hub.tokens:
            raise refusals.not_accessible()
        user = self.hub.user_tokens.get(secret)
        if user is None or user.revoked:
            raise refusals.bad_credentials()
        return user

    def _spend(self, app: App, token: InstallationToken | UserToken | None, spent: dict[str, str]) -> None:
        who = _budget_of(app, token)
        budget = self.limits.budget(who)
        if not budget.spend():
            number = token.installation.installation_id if isinstance(token, InstallationToken) else 0
            raise refusals.primary_limit(number, budget.resets_at, budget.limit)
        spent.update(budget.headers())

    def _repository(self, arguments: Mapping[str, str], path: str) -> Repository:
        name = f"{arguments['owner']}/{arguments['repo']}"
        try:
            return self.hub.repository(name)
        except LookupError:
            moved = self.hub.repositories.get(self.hub.former_names.get(name.lower(), 0))
            if moved is None or moved.deleted:
                raise refusals.not_found() from None
            raise moved_to(self.hub, moved, path) from None

    def _permit(self, operation: Operation, call: Call) -> None:
        if call.token is None:
            return
        repository = call.repository_or_none
        if isinstance(call.token, UserToken):
            if repository is None or repository.owner.login.lower() not in call.token.reads:
                raise refusals.not_found()
            return
        if repository is not None and not _reaches(call.token, repository):
            raise refusals.not_found()
        if not any(_granted(call.token.permissions, need) for need in operation.needs):
            raise refusals.not_accessible()
        if repository is not None and repository.archived and operation.method != "GET":
            raise refusals.archived()

    def _pace(self, operation: Operation, token: InstallationToken | UserToken | None) -> None:
        if not operation.creates or not isinstance(token, InstallationToken):
            return
        if not self.limits.may_create(f"installation {token.installation.installation_id}"):
            raise refusals.secondary_limit(403, 60)


def _budget_of(app: App, token: InstallationToken | UserToken | None) -> str:
    if token is None:
        return f"app {app.app_id}"
    if isinstance(token, UserToken):
        return f"user {token.owner.account_id}"
    return f"installation {token.installation.installation_id}"


def moved_to(hub: Hub, repository: Repository, path: str) -> Refusal:
    """The repository has another name now: the client is sent to the same thing's address by id."""
    rest = path.split("/", 4)[4:]
    location = "/".join([f"{hub.url}/repositories/{repository.repository_id}", *rest])
    refusal = Refusal(301, "Moved Permanently", headers={"location": location})
    refusal.body["url"] = location
    return refusal


def _version(headers: Mapping[str, str]) -> str:
    version = headers.get("x-github-api-version", VERSIONS[0])
    if version not in VERSIONS:
        raise Refusal(400, f"{version} is not a valid API version.")
    return version


def _reaches(token: InstallationToken, repository: Repository) -> bool:
    if not token.installation.covers(repository):
        return False
    return token.repository_ids is None or repository.repository_id in token.repository_ids


def _granted(permissions: Mapping[str, str], need: str) -> bool:
    name, _, level = need.partition(":")
    return name == "any" or LEVELS.get(permissions.get(name, ""), 0) >= LEVELS[level]


def _body(operation: Operation, raw: bytes) -> dict[str, Any]:
    if operation.body is None:
        return {}
    if not raw and not operation.body_required:
        return {}
    try:
        body = json.loads(raw)
        json.dumps(
            body, ensure_ascii=False, allow_nan=False
        ).encode()  # half a surrogate pair is no text, NaN no number
    except ValueError:
        raise Refusal(400, "Problems parsing JSON") from None
    if not isinstance(body, dict):
        raise Refusal(400, "Body should be a JSON object")
    operation.body("body", body)
    return body


def verified_app(hub: Hub, token: str) -> App:
    """The App that signed this JWT: RS256, its id as iss, not older and not longer than ten minutes."""
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.InvalidTokenError:
        raise refusals.bad_credentials("A JSON web token could not be decoded") from None
    app = next((app for app in hub.apps.values() if str(issuer) in {str(app.app_id), f"Iv23li{app.app_id:014d}"}), None)
    if app is None or not app.public_key:
        raise Refusal(404, "Integration not found")
    options = {"require": ["exp", "iat", "iss"], "verify_iss": False, "verify_aud": False}
    try:
        claims = jwt.decode(token, app.public_key, algorithms=["RS256"], options=options, leeway=5)  # type: ignore[arg-type]
    except jwt.ExpiredSignatureError:
        raise refusals.bad_credentials("'Expiration time' claim ('exp') is too far in the past") from None
    except jwt.InvalidTokenError:
        raise refusals.bad_credentials("A JSON web token could not be decoded") from None
    if claims["exp"] > time.time() + JWT_MAX_S:
        raise refusals.bad_credentials("'Expiration time' claim ('exp') is too far in the future")
    return app

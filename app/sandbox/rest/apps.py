"""/app and /installation: the App itself, its installations, its tokens and its webhook deliveries."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from app.sandbox import refusals
from app.sandbox.clock import iso
from app.sandbox.deliveries import headers as delivery_headers
from app.sandbox.refusals import Refusal
from app.sandbox.rest.door import LEVELS, Answer, Call, Operation
from app.sandbox.rest.fields import each, integer, shape, text
from app.sandbox.shapes import accounts, repositories
from app.sandbox.state import Delivery, Installation, InstallationToken

TOKEN_LIFETIME_S = 3600
DELIVERIES_ARE_KEPT = timedelta(days=3)


def get_app(call: Call) -> Answer:
    count = sum(one.app is call.app and not one.deleted for one in call.hub.installations.values())
    return Answer(body=accounts.app(call.hub, call.app) | {"installations_count": count})


def get_installations(call: Call) -> Answer:
    own = [one for one in call.hub.installations.values() if one.app is call.app and not one.deleted]
    page, headers = call.paged(own)
    return Answer(body=[accounts.installation(call.hub, one) for one in page], headers=headers)


def _installation(call: Call) -> Installation:
    found = call.hub.installations.get(call.number("installation_id"))
    if found is None or found.deleted or found.app is not call.app:
        raise refusals.not_found()
    return found


def get_installation(call: Call) -> Answer:
    return Answer(body=accounts.installation(call.hub, _installation(call)))


def get_repository_installation(call: Call) -> Answer:
    for one in call.hub.installations.values():
        if one.app is call.app and not one.deleted and one.covers(call.repository):
            return Answer(body=accounts.installation(call.hub, one))
    raise refusals.not_found()


def create_token(call: Call) -> Answer:
    installed = _installation(call)
    if installed.suspended_at is not None:
        raise refusals.suspended()
    asked = call.body.get("permissions")
    permissions = dict(installed.permissions)
    if asked:
        for name, level in asked.items():
            if LEVELS.get(level, 0) > LEVELS.get(permissions.get(name, ""), 0):
                raise Refusal(422, "The permissions requested are not granted to this installation.")
        permissions = dict(asked) | {"metadata": "read"}
    covered = [one for one in call.hub.repositories.values() if installed.covers(one)]
    narrowed = _narrowed(call.body, {one.repository_id: one.name for one in covered})
    token = InstallationToken(
        token=f"ghs_{call.app.app_id}_{secrets.token_urlsafe(380)}",  # as long as the stateless ones
        installation=installed,
        permissions=permissions,
        repository_ids=narrowed,
        expires_at=int(time.time()) + TOKEN_LIFETIME_S,
    )
    call.hub.tokens[token.token] = token
    selected = installed.selected is not None or narrowed is not None
    body: dict[str, Any] = {
        "token": token.token,
        "expires_at": iso(datetime.fromtimestamp(token.expires_at, UTC)),
        "permissions": permissions,
        "repository_selection": "selected" if selected else "all",
    }
    if narrowed is not None:
        body["repositories"] = [
            repositories.full_repository(call.hub, one) for one in covered if one.repository_id in narrowed
        ]
    return Answer(201, body)


def _narrowed(body: dict[str, Any], covered: dict[int, str]) -> set[int] | None:
    """The repositories that the token is asked for, None for all. 422 for one that is not covered."""
    ids: set[int] = set(body.get("repository_ids", ()))
    names: set[str] = set(body.get("repositories", ()))
    if not ids and not names:
        return None
    if not ids <= covered.keys() or not names <= set(covered.values()):
        raise Refusal(
            422, "There is at least one repository that does not exist or is not accessible to the parent installation."
        )
    return ids | {number for number, name in covered.items() if name in names}


def get_installation_repositories(call: Call) -> Answer:
    token = call.token
    if not isinstance(token, InstallationToken):
        raise refusals.not_found()
    seen = [
        one
        for one in call.hub.repositories.values()
        if token.installation.covers(one)
        and (token.repository_ids is None or one.repository_id in token.repository_ids)
    ]
    page, headers = call.paged(seen)
    listed = [repositories.full_repository(call.hub, one) for one in page]
    selection = "all" if token.installation.selected is None else "selected"
    return Answer(
        body={"total_count": len(seen), "repository_selection": selection, "repositories": listed}, headers=headers
    )


def get_hook_config(call: Call) -> Answer:
    url = call.app.hook_url or ""
    return Answer(body={"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": url})


def _delivery_item(entry: Delivery) -> dict[str, Any]:
    return {
        "id": entry.delivery_id,
        "guid": entry.guid,
        "delivered_at": iso(entry.created_at),
        "redelivery": entry.redelivery,
        "duration": entry.duration_s,
        "status": entry.status,
        "status_code": entry.status_code,
        "event": entry.event,
        "action": entry.action,
        "installation_id": entry.installation_id,
        "repository_id": entry.repository_id,
        "throttled_at": None,
    }


def _own_deliveries(call: Call) -> list[Delivery]:
    """The App's finished attempts of the last three days: GitHub forgets older ones, and redelivers none."""
    oldest = call.hub.now() - DELIVERIES_ARE_KEPT
    return [
        entry
        for entry in call.deliveries()
        if entry.app is call.app and entry.status != "waiting" and entry.created_at >= oldest
    ]


def get_deliveries(call: Call) -> Answer:
    """Newest first. `status=failure` means an HTTP answer of 400 to 599: those without any answer are not in it."""
    entries = sorted(_own_deliveries(call), key=lambda entry: -entry.delivery_id)
    if call.query.get("status") == "failure":
        entries = [entry for entry in entries if 400 <= entry.status_code <= 599]
    if call.query.get("status") == "success":
        entries = [entry for entry in entries if 200 <= entry.status_code <= 399]
    size = min(int(call.query.get("per_page", "30")), 100)
    cursor = call.query.get("cursor", "").removeprefix("v1_")
    if cursor and not cursor.isdigit():
        raise Refusal(422, "Invalid cursor")
    if cursor:
        entries = [entry for entry in entries if entry.delivery_id < int(cursor)]
    page, headers = entries[:size], {}
    if len(entries) > size:
        link = f"{call.hub.url}/app/hook/deliveries?per_page={size}&cursor=v1_{page[-1].delivery_id}"
        headers = {"link": f'<{link}>; rel="next"'}
    return Answer(body=[_delivery_item(entry) for entry in page], headers=headers)


def get_delivery(call: Call) -> Answer:
    number = call.number("delivery_id")
    for entry in _own_deliveries(call):
        if entry.delivery_id == number:
            request = {"headers": delivery_headers(entry), "payload": {}}
            response = {"headers": entry.answer_headers, "payload": entry.answer}
            return Answer(body=_delivery_item(entry) | {"request": request, "response": response})
    raise refusals.not_found()


def redeliver(call: Call) -> Answer:
    number = call.number("delivery_id")
    if not any(entry.delivery_id == number for entry in _own_deliveries(call)):
        raise refusals.not_found()
    call.redeliver(number)
    return Answer(202, {})


def get_rate_limit(call: Call) -> Answer:
    used = {name.removeprefix("x-ratelimit-"): text for name, text in call.spent.items()}
    core = {name: int(used[name]) for name in ("limit", "remaining", "used", "reset")}
    return Answer(body={"resources": {"core": core, "search": core}, "rate": core})


def get_meta(_call: Call) -> Answer:
    return Answer(body={"verifiable_password_authentication": False, "hooks": ["127.0.0.1/32"], "actions": []})


def get_user(call: Call) -> Answer:
    account = call.hub.accounts.get(call.arguments["username"].lower())
    if account is None:
        raise refusals.not_found()
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    words = dict.fromkeys(("name", "company", "blog", "location", "email", "hireable", "bio"))
    made = iso(call.hub.now())
    times = {"created_at": made, "updated_at": made}
    return Answer(body=accounts.simple_user(call.hub, account) | words | counts | times)


def _permissions(name: str, value: Any) -> None:
    shape(dict.fromkeys(value if isinstance(value, dict) else {}, text()))(name, value)


TOKEN_BODY = shape(
    {
        "repositories": each(text(), 500),
        "repository_ids": each(integer, 500),
        "permissions": _permissions,
    }
)

OPERATIONS = (
    Operation("GET", "/app", ("app",), get_app),
    Operation("GET", "/app/hook/config", ("app",), get_hook_config),
    Operation("GET", "/app/hook/deliveries", ("app",), get_deliveries),
    Operation("GET", "/app/hook/deliveries/{delivery_id}", ("app",), get_delivery),
    Operation("POST", "/app/hook/deliveries/{delivery_id}/attempts", ("app",), redeliver),
    Operation("GET", "/app/installations", ("app",), get_installations),
    Operation("GET", "/app/installations/{installation_id}", ("app",), get_installation),
    Operation(
        "POST", "/app/installations/{installation_id}/access_tokens", ("app",), create_token, TOKEN_BODY,
        body_required=False,
    ),
    Operation("GET", "/repos/{owner}/{repo}/installation", ("app",), get_repository_installation),
    Operation("GET", "/installation/repositories", ("any:read",), get_installation_repositories),
    Operation("GET", "/rate_limit", ("any:read",), get_rate_limit),
    Operation("GET", "/meta", ("any:read",), get_meta),
    Operation("GET", "/users/{username}", ("any:read",), get_user),
)  # fmt: skip

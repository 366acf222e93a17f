"""Which App hears of an event, and the payload it gets. Sending is the courier's."""

import json
from collections.abc import Mapping
from typing import Any

from app.sandbox.shapes import accounts, checks, conversations, repositories
from app.sandbox.state import Account, App, CheckRun, Comment, Delivery, Hub, Installation, Pull, Repository

ALWAYS = ("installation", "installation_repositories", "installation_target", "ping")  # sent without subscription


def emit(
    hub: Hub,
    event: str,
    account: Account,
    sender: Account,
    body: Mapping[str, Any],
    repository: Repository | None = None,
) -> None:
    """Send the event to every App that is installed there and subscribed to it."""
    for installed in list(hub.installations.values()):
        if _hears(installed, event, account, repository):
            send(hub, installed, event, sender, body, repository)


def _hears(installed: Installation, event: str, account: Account, repository: Repository | None) -> bool:
    if installed.deleted or installed.suspended_at or installed.account is not account:
        return False
    if repository is not None and not (installed.covers(repository) or repository.deleted):
        return False
    return event in ALWAYS or event in installed.app.events


def send(
    hub: Hub,
    installed: Installation,
    event: str,
    sender: Account,
    body: Mapping[str, Any],
    repository: Repository | None = None,
) -> None:
    """Send the event for this installation, with the parts that every payload has."""
    payload = dict(body)
    if repository is not None:
        properties = {"custom_properties": dict(repository.properties)}
        payload["repository"] = repositories.full_repository(hub, repository) | properties
    if installed.account.kind == "Organization":
        payload["organization"] = accounts.organization(hub, installed.account)
    payload["sender"] = accounts.simple_user(hub, sender)
    number = installed.installation_id
    payload.setdefault("installation", {"id": number, "node_id": accounts.node_id("IN", number)})
    post(hub, installed.app, event, payload, number, repository.repository_id if repository else None)


def post(
    hub: Hub,
    app: App,
    event: str,
    payload: Mapping[str, Any],
    installation_id: int | None = None,
    repository_id: int | None = None,
) -> str:
    """Hand a payload to the courier; gives the delivery's guid."""
    delivery = Delivery(
        delivery_id=hub.next_id("delivery"),
        guid=hub.next_uuid("guid"),
        app=app,
        event=event,
        action=payload.get("action"),
        installation_id=installation_id,
        repository_id=repository_id,
        body=json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode(),
        created_at=hub.now(),
    )
    hub.deliver(delivery)
    return delivery.guid


def ping(hub: Hub, app: App) -> str:
    hook = {
        "type": "App",
        "id": app.hook_id,
        "name": "web",
        "active": True,
        "events": app.events,
        "app_id": app.app_id,
        "config": {"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": app.hook_url},
    }
    return post(hub, app, "ping", {"zen": "Keep it logically awesome.", "hook_id": app.hook_id, "hook": hook})


def pull_request(
    hub: Hub, repository: Repository, pull: Pull, action: str, sender: Account, more: Mapping[str, Any]
) -> None:
    body = {"action": action, "number": pull.number, "pull_request": conversations.pull_full(hub, repository, pull)}
    emit(hub, "pull_request", repository.owner, sender, body | dict(more), repository)


def issue_comment(
    hub: Hub, repository: Repository, comment: Comment, action: str, sender: Account, more: Mapping[str, Any]
) -> None:
    """issue_comment: created, edited or deleted, on an issue or a pull."""
    body = {
        "action": action,
        "issue": conversations.issue(hub, repository, repository.issues[comment.number]),
        "comment": conversations.comment(hub, repository, comment),
    }
    emit(hub, "issue_comment", repository.owner, sender, body | dict(more), repository)


def check_rerequested(hub: Hub, repository: Repository, check: CheckRun, sender: Account) -> None:
    """Someone pressed "Re-run": only the App that owns the check hears of it."""
    body = {"action": "rerequested", "check_run": checks.check_run(hub, repository, check)}
    for installed in list(hub.installations.values()):
        if installed.app.app_id == check.app_id and _hears(installed, "check_run", repository.owner, repository):
            send(hub, installed, "check_run", sender, body, repository)


def repository_changed(
    hub: Hub, repository: Repository, action: str, sender: Account, changed: Mapping[str, Any] | None = None
) -> None:
    body: dict[str, Any] = {"action": action}
    if changed is not None:
        body["changes"] = changed
    emit(hub, "repository", repository.owner, sender, body, repository)


def properties_changed(hub: Hub, repository: Repository, before: Mapping[str, str]) -> None:
    """custom_property_values: what the repository said of those that changed, and says now."""
    after = repository.properties
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    told = {
        key: [{"property_name": name, "value": said.get(name)} for name in changed]
        for key, said in (("new_property_values", after), ("old_property_values", before))
    }
    emit(hub, "custom_property_values", repository.owner, repository.owner, {"action": "updated", **told}, repository)


def short_repository(repository: Repository) -> dict[str, Any]:
    """A repository as installation events list it."""
    return {
        "id": repository.repository_id,
        "node_id": accounts.node_id("R", repository.repository_id),
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
    }


def installation(hub: Hub, installed: Installation, action: str, sender: Account) -> None:
    """installation: created, deleted, suspend, unsuspend or new_permissions_accepted."""
    covered = [short_repository(one) for one in hub.repositories.values() if installed.covers(one)]
    body: dict[str, Any] = {"action": action, "installation": accounts.installation(hub, installed)}
    if action in {"created", "deleted"}:
        body |= {"repositories": covered, "requester": None}
    send(hub, installed, "installation", sender, body)


def installation_repositories(
    hub: Hub, installed: Installation, added: list[Repository], removed: list[Repository], sender: Account
) -> None:
    body = {
        "action": "added" if added else "removed",
        "installation": accounts.installation(hub, installed),
        "repository_selection": "all" if installed.selected is None else "selected",
        "repositories_added": [short_repository(one) for one in added],
        "repositories_removed": [short_repository(one) for one in removed],
        "requester": None,
    }
    send(hub, installed, "installation_repositories", sender, body)

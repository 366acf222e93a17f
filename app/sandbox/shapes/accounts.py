"""Accounts, Apps and installations as JSON."""

import base64
from typing import Any
from urllib.parse import quote

from app.sandbox.clock import iso, iso_or_none
from app.sandbox.state import Account, App, Hub, Installation, Team

LISTS = (
    "followers",
    "following{/other_user}",
    "gists{/gist_id}",
    "starred{/owner}{/repo}",
    "subscriptions",
    "repos",
    "events{/privacy}",
    "received_events",
)


def node_id(kind: str, number: int) -> str:
    """An opaque global id, as GraphQL would give it."""
    return f"{kind}_{base64.urlsafe_b64encode(number.to_bytes(8, 'big')).decode().rstrip('=')}"


def simple_user(hub: Hub, account: Account) -> dict[str, Any]:
    api = f"{hub.url}/users/{quote(account.login)}"
    page = f"apps/{account.login.removesuffix('[bot]')}" if account.kind == "Bot" else account.login
    lists = {f"{name.partition('{')[0]}_url": f"{api}/{name}" for name in LISTS}
    return {
        "login": account.login,
        "id": account.account_id,
        "node_id": node_id("O" if account.kind == "Organization" else "U", account.account_id),
        "avatar_url": f"{hub.url}/avatars/{account.account_id}",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{hub.url}/{page}",
        **lists,
        "organizations_url": f"{api}/orgs",
        "type": account.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


PERMISSIONS = {"triage": "read", "maintain": "write"}  # what the older word for a role is


def collaborator(hub: Hub, account: Account, role: str) -> dict[str, Any]:
    """A person's permission on a repository, as its own operation tells it."""
    person = simple_user(hub, account) | role_of(role)
    return {"permission": PERMISSIONS.get(role, role), "role_name": role, "user": person}


def role_of(role: str) -> dict[str, Any]:
    """A role on a repository by its name, and as what it allows."""
    levels = ("read", "triage", "write", "maintain", "admin")
    has = levels.index(role) if role in levels else -1
    names = zip(("pull", "triage", "push", "maintain", "admin"), range(5), strict=True)
    return {"role_name": role, "permissions": {name: place <= has for name, place in names}}


def team(hub: Hub, organisation: Account, told: Team) -> dict[str, Any]:
    api = f"{hub.url}/organizations/{organisation.account_id}/team/{told.team_id}"
    return {
        "id": told.team_id,
        "node_id": node_id("T", told.team_id),
        "name": told.name,
        "slug": told.slug,
        "description": None,
        "privacy": "closed",
        "notification_setting": "notifications_enabled",
        "permission": "pull",
        "url": api,
        "html_url": f"{hub.url}/orgs/{organisation.login}/teams/{told.slug}",
        "members_url": f"{api}/members{{/member}}",
        "repositories_url": f"{api}/repos",
        "type": "organization",
        "organization_id": organisation.account_id,
        "parent": None,
    }


def organization(hub: Hub, account: Account) -> dict[str, Any]:
    """The `organization` of a webhook payload."""
    api = f"{hub.url}/orgs/{account.login}"
    return {
        "login": account.login,
        "id": account.account_id,
        "node_id": node_id("O", account.account_id),
        "url": api,
        "repos_url": f"{api}/repos",
        "events_url": f"{api}/events",
        "hooks_url": f"{api}/hooks",
        "issues_url": f"{api}/issues",
        "members_url": f"{api}/members{{/member}}",
        "public_members_url": f"{api}/public_members{{/member}}",
        "avatar_url": f"{hub.url}/avatars/{account.account_id}",
        "description": "",
    }


def app(hub: Hub, registered: App) -> dict[str, Any]:
    return {
        "id": registered.app_id,
        "slug": registered.slug,
        "client_id": f"Iv23li{registered.app_id:014d}",
        "node_id": node_id("A", registered.app_id),
        "owner": simple_user(hub, registered.owner),
        "name": registered.name,
        "description": "",
        "external_url": f"{hub.url}/{registered.owner.login}",
        "html_url": f"{hub.url}/apps/{registered.slug}",
        "created_at": iso(registered.created_at),
        "updated_at": iso(registered.created_at),
        "permissions": registered.permissions,
        "events": registered.events,
    }


def installation(hub: Hub, installed: Installation) -> dict[str, Any]:
    number, account = installed.installation_id, installed.account
    return {
        "id": number,
        "client_id": f"Iv23li{installed.app.app_id:014d}",
        "account": simple_user(hub, account),
        "repository_selection": "all" if installed.selected is None else "selected",
        "access_tokens_url": f"{hub.url}/app/installations/{number}/access_tokens",
        "repositories_url": f"{hub.url}/installation/repositories",
        "html_url": f"{hub.url}/organizations/{account.login}/settings/installations/{number}",
        "app_id": installed.app.app_id,
        "app_slug": installed.app.slug,
        "target_id": account.account_id,
        "target_type": account.kind,
        "permissions": installed.permissions,
        "events": installed.app.events,
        "created_at": iso(installed.created_at),
        "updated_at": iso(installed.suspended_at or installed.created_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": simple_user(hub, account) if installed.suspended_at else None,
        "suspended_at": iso_or_none(installed.suspended_at),
    }

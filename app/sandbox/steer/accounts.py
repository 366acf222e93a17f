"""Accounts, Apps, installations."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from app.sandbox import events, keys
from app.sandbox.state import App, Hub, Installation, Team
from app.sandbox.steer.desk import Desk

PERMISSIONS = {
    "metadata": "read",
    "pull_requests": "write",
    "checks": "write",
    "issues": "write",
    "actions": "read",
    "contents": "read",
    "organization_custom_properties": "read",
}
EVENTS = ("pull_request", "check_run", "repository", "issue_comment", "custom_property_values")


class Accounts(Desk):
    """Who there is, which Apps are registered and where they are installed."""

    def create_account(self, login: str, kind: str = "Organization") -> int:
        """Make an "Organization" or "User"; gives its id."""
        with self.hub.lock:
            account = self.hub.account(login)
            account.kind = kind
            return account.account_id

    def account_id(self, login: str) -> int:
        with self.hub.lock:
            return self.hub.account(login).account_id

    def create_team(self, organisation: str, name: str, roles: Mapping[str, str] | None = None) -> str:
        """Make a team, or let the one of that name be on these repositories alone; gives its slug. `roles` by
        repository: "read", "triage", "write", "maintain" or "admin"."""
        with self.hub.lock:
            teams, slug = self.hub.account(organisation).teams, name.lower().replace(" ", "-")
            team = teams.setdefault(slug, Team(self.hub.next_id("team"), name, slug, {}))
            team.roles = {self.hub.repository(place).repository_id: role for place, role in (roles or {}).items()}
            return slug

    def register_app(
        self,
        hook_url: str | None = None,
        slug: str = "mergemeter",
        owner: str = "mergemeter-makers",
        permissions: Mapping[str, str] | None = None,
        events: Sequence[str] = EVENTS,
        webhook_secret: str | None = None,
        public_key: str | None = None,
        app_id: int | None = None,
    ) -> dict[str, Any]:
        """Register an App; gives app_id, slug, private_key (PEM, unless the caller has the pair), webhook_secret,
        bot_id and bot_login."""
        with self.hub.lock:
            pair = keys.rsa_key(f"app {slug}")
            app = App(
                app_id=app_id or self.hub.next_id("app"),
                slug=slug,
                name=slug.capitalize(),
                owner=self.hub.account(owner),
                bot=self.hub.account(f"{slug}[bot]"),
                public_key=public_key or keys.public_pem(pair),
                webhook_secret=webhook_secret or secrets.token_hex(32),
                hook_url=hook_url,
                hook_id=self.hub.next_id("hook"),
                permissions=dict(permissions or PERMISSIONS),
                events=list(events),
                created_at=self.hub.now(),
            )
            self.hub.apps[app.app_id] = app
            return {
                "app_id": app.app_id,
                "slug": slug,
                "private_key": None if public_key else keys.private_pem(pair),
                "webhook_secret": app.webhook_secret,
                "bot_id": app.bot.account_id,
                "bot_login": app.bot.login,
            }

    def set_hook_url(self, url: str | None, app_id: int | None = None) -> None:
        """Where the App's webhooks go from now on."""
        with self.hub.lock:
            _app(self.hub, app_id).hook_url = url

    def ping(self, app_id: int | None = None) -> str:
        """Send the ping event; gives its guid."""
        with self.hub.lock:
            return events.ping(self.hub, _app(self.hub, app_id))

    def install(
        self,
        account: str,
        repositories: Sequence[str] | None = None,
        permissions: Mapping[str, str] | None = None,
        app_id: int | None = None,
        by: str | None = None,
    ) -> int:
        """Install the App on all repositories of the account, or on these; gives the installation id."""
        with self.hub.lock:
            app = _app(self.hub, app_id)
            chosen = (
                None if repositories is None else {self.hub.repository(name).repository_id for name in repositories}
            )
            installed = Installation(
                installation_id=self.hub.next_id("installation"),
                app=app,
                account=self.hub.account(account),
                permissions=dict(permissions or app.permissions),
                selected=chosen,
                created_at=self.hub.now(),
            )
            self.hub.installations[installed.installation_id] = installed
            events.installation(self.hub, installed, "created", self.hub.account(by or account))
            return installed.installation_id

    def uninstall(self, installation_id: int) -> None:
        with self.hub.lock:
            installed = self.hub.installations[installation_id]
            events.installation(self.hub, installed, "deleted", installed.account)
            installed.deleted = True

    def suspend(self, installation_id: int) -> None:
        with self.hub.lock:
            installed = self.hub.installations[installation_id]
            installed.suspended_at = self.hub.now()
            events.installation(self.hub, installed, "suspend", installed.account)

    def unsuspend(self, installation_id: int) -> None:
        with self.hub.lock:
            installed = self.hub.installations[installation_id]
            installed.suspended_at = None
            events.installation(self.hub, installed, "unsuspend", installed.account)

    def grant(self, installation_id: int, permissions: Mapping[str, str]) -> None:
        """These permissions from now on, for present tokens too (a permission left out is withdrawn)."""
        with self.hub.lock:
            installed = self.hub.installations[installation_id]
            installed.permissions = dict(permissions)
            for token in self.hub.tokens.values():
                if token.installation is installed:
                    token.permissions = dict(permissions)
            events.installation(self.hub, installed, "new_permissions_accepted", installed.account)

    def select_repositories(self, installation_id: int, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Change which repositories the installation covers."""
        with self.hub.lock:
            installed = self.hub.installations[installation_id]
            if installed.selected is None:
                installed.selected = {
                    one.repository_id for one in self.hub.repositories.values() if installed.covers(one)
                }
            added = [self.hub.repository(name) for name in add]
            removed = [self.hub.repository(name) for name in remove]
            installed.selected |= {one.repository_id for one in added}
            installed.selected -= {one.repository_id for one in removed}
            for more, less in ((added, []), ([], removed)):
                if more or less:
                    events.installation_repositories(self.hub, installed, more, less, installed.account)


def _app(hub: Hub, app_id: int | None) -> App:
    """The App of that id, or the one that was registered first."""
    if app_id is not None:
        return hub.apps[app_id]
    return next(app for app in hub.apps.values() if app.public_key)

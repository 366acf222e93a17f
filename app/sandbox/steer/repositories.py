"""Repositories: made, forked, pushed to, renamed, moved, archived, published, deleted."""

from collections.abc import Mapping
from typing import Any

from app.sandbox import commits, events, pulls
from app.sandbox.state import Hub, Installation, Repository
from app.sandbox.steer.desk import Desk

FIRST_FILES = {"README.md": "# Here\n"}


class Repositories(Desk):
    """Repositories and the commits in them."""

    def create_repository(
        self,
        full_name: str,
        visibility: str = "private",
        files: Mapping[str, str] | None = None,
        default_branch: str = "main",
        has_issues: bool = True,
        properties: Mapping[str, str] | None = None,
    ) -> int:
        """Make a repository with a first commit; gives its id. `visibility`: public, private or internal."""
        owner, _, name = full_name.partition("/")
        with self.hub.lock:
            account = self.hub.account(owner)
            repository = Repository(
                self.hub.next_id("repository"), account, name, visibility, self.hub.now(), default_branch
            )
            repository.has_issues = has_issues
            repository.properties = dict(properties or {})
            account.properties = dict.fromkeys(repository.properties, "org_actors") | account.properties
            tree = FIRST_FILES if files is None else files
            repository.branches[default_branch] = commits.add_commit(self.hub, (), tree, "First commit", account)
            self.hub.repositories[repository.repository_id] = repository
            self._announce(repository, "created")
            for installed in _everywhere(self.hub, repository):
                events.installation_repositories(self.hub, installed, [repository], [], account)
            return repository.repository_id

    def permit(self, repository: str, user: str, role: str) -> None:
        """What a person may do there: "none", "read", "triage", "write", "maintain" or "admin"."""
        with self.hub.lock:
            self.hub.repository(repository).roles[self.hub.account(user).account_id] = role

    def push(
        self,
        repository: str,
        branch: str,
        files: Mapping[str, str | None],
        author: str = "ada",
        message: str = "Change",
        force: bool = False,
    ) -> str:
        """Commit these files to the branch (None removes one), made from the default branch when it is new; gives the
        sha. `force` starts again from the default branch and drops what the branch had."""
        with self.hub.lock:
            place, person = self.hub.repository(repository), self.hub.account(author)
            start = place.branches[place.default_branch]
            parent = start if force else place.branches.get(branch, start)
            tree = commits.edited(commits.tree_of(self.hub, parent), files)
            sha = commits.add_commit(self.hub, (parent,), tree, message, person)
            pulls.move_branch(self.hub, place, branch, sha, person)
            return sha

    def head(self, repository: str, branch: str | None = None) -> str:
        """The sha that a branch points at; the default branch by default."""
        with self.hub.lock:
            place = self.hub.repository(repository)
            return place.branches[branch or place.default_branch]

    def merge_branch(self, repository: str, source: str, into: str, by: str = "ada") -> str:
        """Merge one branch into another without a pull; gives the merge commit's sha."""
        with self.hub.lock:
            place, person = self.hub.repository(repository), self.hub.account(by)
            message = f"Merge branch '{source}' into {into}"
            sha = commits.merge_commit(self.hub, place.branches[into], place.branches[source], message, person)
            pulls.move_branch(self.hub, place, into, sha, person)
            return sha

    def fork(self, repository: str, owner: str) -> str:
        """Fork under another account; gives the fork's name."""
        with self.hub.lock:
            place, account = self.hub.repository(repository), self.hub.account(owner)
            copy = Repository(
                self.hub.next_id("repository"),
                account,
                place.name,
                place.visibility,
                self.hub.now(),
                place.default_branch,
            )
            copy.fork_of, copy.branches = place.repository_id, dict(place.branches)
            self.hub.repositories[copy.repository_id] = copy
            return copy.full_name

    def rename_repository(self, repository: str, name: str) -> str:
        """Rename; the old name leads on. Gives the new full name."""
        with self.hub.lock:
            place = self.hub.repository(repository)
            self.hub.former_names[place.full_name.lower()] = place.repository_id
            old, place.name = place.name, name
            self._announce(place, "renamed", {"repository": {"name": {"from": old}}})
            return place.full_name

    def transfer_repository(self, repository: str, owner: str) -> str:
        """Move to another account; gives the new full name."""
        with self.hub.lock:
            place, account = self.hub.repository(repository), self.hub.account(owner)
            self.hub.former_names[place.full_name.lower()] = place.repository_id
            covering = [one for one in self.hub.installations.values() if one.covers(place)]
            former, place.owner = place.owner, account
            for installed in covering:
                events.installation_repositories(self.hub, installed, [], [place], former)
            kind = "organization" if former.kind == "Organization" else "user"
            whom = {"login": former.login, "id": former.account_id}
            self._announce(place, "transferred", {"owner": {"from": {kind: whom}}})
            return place.full_name

    def archive_repository(self, repository: str, archived: bool = True) -> None:
        with self.hub.lock:
            place = self.hub.repository(repository)
            place.archived = archived
            self._announce(place, "archived" if archived else "unarchived")

    def set_visibility(self, repository: str, visibility: str) -> None:
        with self.hub.lock:
            place = self.hub.repository(repository)
            place.visibility = visibility
            self._announce(place, "publicized" if visibility == "public" else "privatized")

    def delete_repository(self, repository: str) -> None:
        """Delete; pulls from it lose their head repository."""
        with self.hub.lock:
            place = self.hub.repository(repository)
            place.deleted = True
            self._announce(place, "deleted")

    def enable_issues(self, repository: str, enabled: bool) -> None:
        with self.hub.lock:
            self.hub.repository(repository).has_issues = enabled

    def set_properties(self, repository: str, properties: Mapping[str, str]) -> None:
        """The repository's custom properties; they come in tokens as repo_property_*."""
        with self.hub.lock:
            place = self.hub.repository(repository)
            before, place.properties = place.properties, dict(properties)
            for name in properties:
                place.owner.properties.setdefault(name, "org_actors")
            if before != place.properties:
                events.properties_changed(self.hub, place, before)

    def define_property(self, account: str, name: str, editors: str | None = "org_actors") -> None:
        """Let an organisation have a custom property. `editors` of its values: "org_actors", "org_and_repo_actors";
        None takes it away, with every value."""
        with self.hub.lock:
            owner = self.hub.account(account)
            if editors is not None:
                owner.properties[name] = editors
                return
            owner.properties.pop(name, None)
            for place in self.hub.repositories.values():
                if place.owner is owner:
                    place.properties.pop(name, None)

    def _announce(self, place: Repository, action: str, changed: Mapping[str, Any] | None = None) -> None:
        events.repository_changed(self.hub, place, action, place.owner, changed)


def _everywhere(hub: Hub, repository: Repository) -> list[Installation]:
    """Installations on all repositories of the account: they hear that there is one more."""
    live = [one for one in hub.installations.values() if not one.deleted and one.suspended_at is None]
    return [one for one in live if one.selected is None and one.covers(repository)]

"""Pulls and conversations as people use them, and what the App wrote there."""

from collections.abc import Mapping
from typing import Any

from app.sandbox import commits, events, pulls
from app.sandbox.shapes import checks, conversations
from app.sandbox.state import Comment, Pull, Repository
from app.sandbox.steer.desk import Desk


class Pulls(Desk):
    """What happens to pulls, and a look at them."""

    def open_pull(
        self,
        repository: str,
        head: str,
        base: str | None = None,
        title: str = "A change",
        body: str = "",
        files: Mapping[str, str | None] | None = None,
        author: str = "ada",
        draft: bool = False,
    ) -> int:
        """Open a pull from branch `head` ("fork-owner:branch" from a fork); gives its number. With `files` they are
        committed to the branch first."""
        with self.hub.lock:
            place, person = self.hub.repository(repository), self.hub.account(author)
            login, _, branch = head.rpartition(":")
            source = place if not login else self.hub.repository(f"{login}/{place.name}")
            target = base or place.default_branch
            if files is not None:
                start = source.branches.get(branch, place.branches[target])
                tree = commits.edited(commits.tree_of(self.hub, start), files)
                sha = commits.add_commit(self.hub, (start,), tree, title, person)
                pulls.move_branch(self.hub, source, branch, sha, person)
            return pulls.open_pull(self.hub, place, source, branch, target, title, body, person, draft=draft).number

    def push_to_pull(
        self,
        repository: str,
        number: int,
        files: Mapping[str, str | None],
        author: str = "ada",
        message: str = "More",
        force: bool = False,
    ) -> str:
        """One more commit on the pull's branch; `force` replaces all of the pull's commits by it. Gives the sha."""
        with self.hub.lock:
            place, pull = self.hub.pull(repository, number)
            person, source = self.hub.account(author), self.hub.repositories[pull.head_repository_id]
            base = commits.merge_base(self.hub, place.branches[pull.base_ref], pull.head_sha)
            parent = base if force and base else pull.head_sha
            tree = commits.edited(commits.tree_of(self.hub, parent), files)
            sha = commits.add_commit(self.hub, (parent,), tree, message, person)
            pulls.move_branch(self.hub, source, pull.head_ref, sha, person)
            return sha

    def merge(self, repository: str, number: int, method: str = "merge", by: str = "ada") -> str:
        """Merge by "merge", "squash" or "rebase"; gives merge_commit_sha."""
        with self.hub.lock:
            return pulls.merge(self.hub, *self.hub.pull(repository, number), method, self.hub.account(by))

    def queue_pull(self, repository: str, number: int) -> str:
        """Put the pull into the merge queue: gives the temporary branch for merge_group runs. merge() ends it."""
        with self.hub.lock:
            place, pull = self.hub.pull(repository, number)
            base = place.branches[pull.base_ref]
            branch = f"gh-readonly-queue/{pull.base_ref}/pr-{number}-{base}"
            message = f"Merge pull request #{number}"
            merged = commits.merge_commit(self.hub, base, pull.head_sha, message, pull.issue.author)
            place.branches[branch] = merged
            return branch

    def close(self, repository: str, number: int, by: str = "ada") -> None:
        with self.hub.lock:
            pulls.close(self.hub, *self.hub.pull(repository, number), self.hub.account(by))

    def reopen(self, repository: str, number: int, by: str = "ada") -> None:
        with self.hub.lock:
            pulls.reopen(self.hub, *self.hub.pull(repository, number), self.hub.account(by))

    def revert(self, repository: str, number: int, by: str = "ada") -> int:
        """Press the Revert button; gives the new pull's number."""
        with self.hub.lock:
            return pulls.revert(self.hub, *self.hub.pull(repository, number), self.hub.account(by)).number

    def edit_pull(
        self, repository: str, number: int, title: str | None = None, body: str | None = None, base: str | None = None,
        by: str = "ada",
    ) -> None:  # fmt: skip
        """Change title, body or base branch."""
        with self.hub.lock:
            place, pull = self.hub.pull(repository, number)
            changed: dict[str, Any] = {}
            if title is not None:
                changed["title"], pull.issue.title = {"from": pull.issue.title}, title
            if body is not None:
                changed["body"], pull.issue.body = {"from": pull.issue.body}, body
            if base is not None:
                changed["base"] = {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}
                pull.base_ref, pull.base_sha = base, place.branches[base]
            pull.issue.updated_at = self.hub.now()
            pulls.announce(self.hub, place, pull, "edited", self.hub.account(by), changes=changed)

    def lock(self, repository: str, number: int, reason: str | None = None, by: str = "ada") -> None:
        self._lock(repository, number, by, reason, locked=True)

    def unlock(self, repository: str, number: int, by: str = "ada") -> None:
        self._lock(repository, number, by, None, locked=False)

    def _lock(self, repository: str, number: int, by: str, reason: str | None, *, locked: bool) -> None:
        with self.hub.lock:
            place = self.hub.repository(repository)
            issue = place.issues[number]
            issue.locked, issue.lock_reason = locked, reason
            if number in place.pulls:
                action = "locked" if locked else "unlocked"
                pulls.announce(self.hub, place, place.pulls[number], action, self.hub.account(by))

    def announce(self, repository: str, number: int, action: str, pull: Mapping[str, Any], by: str = "ada") -> None:
        """Send the pull_request webhook once more, with these fields of the pull other than they are: payloads lie."""
        with self.hub.lock:
            place, record = self.hub.pull(repository, number)
            shape = conversations.pull_full(self.hub, place, record) | dict(pull)
            pulls.announce(self.hub, place, record, action, self.hub.account(by), pull_request=shape)

    def comment(self, repository: str, number: int, user: str, body: str, via_app: int | None = None) -> int:
        """A comment; gives its id. `via_app`: the App through which it was made in the user's name."""
        with self.hub.lock:
            place, now = self.hub.repository(repository), self.hub.now()
            comment = Comment(self.hub.next_id("comment"), number, self.hub.account(user), via_app, body, now, now)
            place.comments[comment.comment_id] = comment
            place.issues[number].updated_at = now
            events.issue_comment(self.hub, place, comment, "created", comment.author, {})
            return comment.comment_id

    def edit_comment(self, repository: str, comment_id: int, body: str, by: str = "ada") -> None:
        with self.hub.lock:
            place = self.hub.repository(repository)
            comment = place.comments[comment_id]
            before, comment.body, comment.updated_at = comment.body, body, self.hub.now()
            changes = {"changes": {"body": {"from": before}}}
            events.issue_comment(self.hub, place, comment, "edited", self.hub.account(by), changes)

    def delete_comment(self, repository: str, comment_id: int, by: str = "ada") -> None:
        with self.hub.lock:
            place = self.hub.repository(repository)
            comment = place.comments.pop(comment_id)
            events.issue_comment(self.hub, place, comment, "deleted", self.hub.account(by), {})

    def reactions(self, repository: str, comment_id: int) -> list[str]:
        """What kinds of reaction stand below a comment, the oldest first."""
        with self.hub.lock:
            return [one.content for one in self.hub.repository(repository).comments[comment_id].reactions]

    def create_issue(self, repository: str, title: str, body: str = "", user: str = "ada") -> int:
        """A person's issue; gives its number."""
        with self.hub.lock:
            place = self.hub.repository(repository)
            return pulls.add_issue(self.hub, place, title, body, self.hub.account(user)).number

    def rerequest(self, check_run_id: int, by: str = "ada") -> None:
        """Press "Re-run" on a check."""
        with self.hub.lock:
            check = self.hub.checks[check_run_id]
            place = self.hub.repositories[check.repository_id]
            events.check_rerequested(self.hub, place, check, self.hub.account(by))

    def pull(self, repository: str, number: int) -> dict[str, Any]:
        """The pull as REST gives it."""
        with self.hub.lock:
            return conversations.pull_full(self.hub, *self.hub.pull(repository, number))

    def issues(self, repository: str) -> list[dict[str, Any]]:
        """Issues that are no pulls, oldest first."""
        with self.hub.lock:
            place = self.hub.repository(repository)
            own = [issue for number, issue in place.issues.items() if number not in place.pulls]
            return [conversations.issue(self.hub, place, issue) for issue in own]

    def comments(self, repository: str, number: int) -> list[dict[str, Any]]:
        """The conversation, oldest first."""
        with self.hub.lock:
            place = self.hub.repository(repository)
            own = [comment for comment in place.comments.values() if comment.number == number]
            return [conversations.comment(self.hub, place, comment) for comment in own]

    def checks(self, repository: str, number: int) -> list[dict[str, Any]]:
        """Check runs on the pull's head, without those of workflow jobs; each with its `annotations`."""
        with self.hub.lock:
            place, pull = self.hub.pull(repository, number)
            return self._checks(place, pull)

    def _checks(self, place: Repository, pull: Pull) -> list[dict[str, Any]]:
        found = [
            check
            for check in self.hub.checks.values()
            if check.head_sha == pull.head_sha and self.hub.apps[check.app_id].public_key
            and check.repository_id == place.repository_id
        ]  # fmt: skip
        return [
            checks.check_run(self.hub, place, check)
            | {"annotations": [checks.annotation(self.hub, place, check, given) for given in check.annotations]}
            for check in found
        ]

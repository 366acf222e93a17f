"""What happens to pulls: opened, pushed to, merged, closed, reopened, reverted. Changes state and announces it."""

from app.sandbox import commits, events
from app.sandbox.diffs import pull_changes
from app.sandbox.state import Account, Hub, Issue, Pull, Repository


def announce(hub: Hub, repository: Repository, pull: Pull, action: str, sender: Account, **more: object) -> None:
    """Send the pull_request webhook."""
    events.pull_request(hub, repository, pull, action, sender, more)


def add_issue(
    hub: Hub, repository: Repository, title: str, body: str | None, author: Account, app_id: int | None = None
) -> Issue:
    """A new issue, or the conversation of a new pull."""
    number, now = next(repository.numbers), hub.now()
    issue = Issue(hub.next_id("issue"), number, title, body, author, app_id, now, now)
    repository.issues[number] = issue
    return issue


def open_pull(
    hub: Hub,
    repository: Repository,
    head: Repository,
    head_ref: str,
    base_ref: str,
    title: str,
    body: str | None,
    author: Account,
    *,
    draft: bool = False,
) -> Pull:
    issue = add_issue(hub, repository, title, body, author)
    head_label = f"{head.owner.login}:{head_ref}"
    pull = Pull(
        pull_id=hub.next_id("pull"),
        issue=issue,
        head_repository_id=head.repository_id,
        head_label=head_label,
        head_ref=head_ref,
        head_sha=head.branches[head_ref],
        base_ref=base_ref,
        base_sha=repository.branches[base_ref],
        draft=draft,
    )
    repository.pulls[issue.number] = pull
    announce(hub, repository, pull, "opened", author)
    return pull


def move_branch(hub: Hub, repository: Repository, branch: str, sha: str, sender: Account) -> None:
    """Point a branch at a commit: pulls from it follow their head, pulls into it may turn out to be merged."""
    before = repository.branches.get(branch)
    repository.branches[branch] = sha
    reached = commits.ancestors(hub, sha)
    for owner in list(hub.repositories.values()):
        for pull in [pull for pull in owner.pulls.values() if pull.issue.state == "open"]:
            if (pull.head_repository_id, pull.head_ref) == (repository.repository_id, branch):
                _follow_head(hub, owner, pull, sha, sender)
            elif owner is repository and pull.base_ref == branch and pull.head_sha in reached:
                # An indirect merge: another merge or push brought this pull's commits to its base.
                record_merge(hub, pull, sha, before or pull.base_sha, sender)
                announce(hub, owner, pull, "closed", sender)


def _follow_head(hub: Hub, owner: Repository, pull: Pull, sha: str, sender: Account) -> None:
    if pull.head_sha != sha:
        before, pull.head_sha, pull.issue.updated_at = pull.head_sha, sha, hub.now()
        announce(hub, owner, pull, "synchronize", sender, before=before, after=sha)


def merge(hub: Hub, repository: Repository, pull: Pull, method: str, by: Account) -> str:
    """Merge as the button does ("merge", "squash" or "rebase"); gives merge_commit_sha."""
    if pull.issue.state != "open":
        raise ValueError(f"pull {repository.full_name}#{pull.number} is not open")
    base = repository.branches[pull.base_ref]
    title, number = pull.issue.title, pull.number
    if method == "merge":
        message = f"Merge pull request #{number} from {pull.head_label.replace(':', '/', 1)}\n\n{title}"
        sha = commits.merge_commit(hub, base, pull.head_sha, message, by)
    elif method == "squash":
        sha = commits.squash_commit(hub, base, pull.head_sha, f"{title} (#{number})", by)
    elif method == "rebase":
        sha = commits.rebased_commits(hub, base, pull.head_sha)
    else:
        raise ValueError(f"no merge method {method!r}")
    record_merge(hub, pull, sha, base, by)
    move_branch(hub, repository, pull.base_ref, sha, by)
    announce(hub, repository, pull, "closed", by)
    return sha


def record_merge(hub: Hub, pull: Pull, sha: str, base: str, by: Account) -> None:
    """Mark the pull as merged by commit `sha` onto `base`; its commits and diff stay as they are now."""
    pull.commits_at_merge = commits.between(hub, base, pull.head_sha)
    pull.base_sha = base
    pull.merged_at, pull.merged_by, pull.merge_commit_sha = hub.now(), by, sha
    _close(hub, pull.issue, by)


def _close(hub: Hub, issue: Issue, by: Account) -> None:
    issue.state, issue.closed_at, issue.closed_by, issue.updated_at = "closed", hub.now(), by, hub.now()


def close(hub: Hub, repository: Repository, pull: Pull, by: Account) -> None:
    """Close without merging."""
    _close(hub, pull.issue, by)
    announce(hub, repository, pull, "closed", by)


def reopen(hub: Hub, repository: Repository, pull: Pull, by: Account) -> None:
    """Open a closed pull again. ValueError once it merged."""
    if pull.merged_at is not None:
        raise ValueError("a merged pull cannot be reopened")
    pull.issue.state, pull.issue.closed_at, pull.issue.closed_by = "open", None, None
    pull.issue.updated_at = hub.now()
    announce(hub, repository, pull, "reopened", by)


def revert(hub: Hub, repository: Repository, pull: Pull, by: Account) -> Pull:
    """What the Revert button makes: a branch that undoes the merged diff, and a pull from it."""
    if pull.merged_at is None:
        raise ValueError("only a merged pull can be reverted")
    base = repository.branches[pull.base_ref]
    start = commits.tree_of(hub, commits.merge_base(hub, pull.base_sha, pull.head_sha))
    undone: dict[str, str | None] = {
        change.path: start.get(change.path) for change in pull_changes(hub, repository, pull)
    }
    title = f'Revert "{pull.issue.title}"'
    tree = commits.edited(commits.tree_of(hub, base), undone)
    branch = f"revert-{pull.number}-{pull.head_ref}"
    repository.branches[branch] = commits.add_commit(hub, (base,), tree, title, by)
    body = f"Reverts {repository.full_name}#{pull.number}"
    return open_pull(hub, repository, repository, branch, pull.base_ref, title, body, by)

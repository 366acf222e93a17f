"""What a pull consists of: its commits, its diff and its test merge. Reads only."""

from app.sandbox import commits
from app.sandbox.commits import Change
from app.sandbox.state import Hub, Pull, Repository


def base_tip(repository: Repository, pull: Pull) -> str:
    """Where the base stands for this pull: its branch now, or as it was when the pull merged."""
    if pull.merged_at is not None:
        return pull.base_sha
    return repository.branches.get(pull.base_ref, pull.base_sha)


def pull_commits(hub: Hub, repository: Repository, pull: Pull) -> tuple[str, ...]:
    """Shas of the pull's own commits, oldest first."""
    if pull.commits_at_merge is not None:
        return pull.commits_at_merge
    return commits.between(hub, base_tip(repository, pull), pull.head_sha)


def pull_changes(hub: Hub, repository: Repository, pull: Pull) -> list[Change]:
    """The pull's diff: from where it left the base to its head."""
    start = commits.merge_base(hub, pull.base_sha if pull.merged_at else base_tip(repository, pull), pull.head_sha)
    return commits.changes(commits.tree_of(hub, start), commits.tree_of(hub, pull.head_sha))


def test_merge_sha(hub: Hub, repository: Repository, pull: Pull) -> str:
    """The commit behind refs/pull/N/merge, made anew whenever head or base moved."""
    ends = (base_tip(repository, pull), pull.head_sha)
    if ends not in pull.test_merges:
        message = f"Merge {ends[1]} into {ends[0]}"
        pull.test_merges[ends] = commits.merge_commit(hub, *ends, message, pull.issue.author, "test-merge")
    return pull.test_merges[ends]

"""A light git: commits with parents and whole trees, reachability, diffs and the three ways to merge."""

import dataclasses
import difflib
from collections import deque
from collections.abc import Iterable, Mapping

from app.sandbox.state import Account, Commit, Hub


@dataclasses.dataclass(frozen=True)
class Change:
    """One file between two trees. `status`: "added", "removed" or "modified"."""

    path: str
    status: str
    additions: int
    deletions: int
    patch: str


def add_commit(
    hub: Hub, parents: Iterable[str], tree: Mapping[str, str], message: str, author: Account, kind: str = "commit"
) -> str:
    """Store a commit; gives its sha."""
    commit = Commit(hub.next_hex(kind), tuple(parents), dict(tree), message, author, hub.now())
    hub.commits[commit.sha] = commit
    return commit.sha


def edited(tree: Mapping[str, str], files: Mapping[str, str | None]) -> dict[str, str]:
    """The tree with these files written; None removes one."""
    new = {path: text for path, text in tree.items() if files.get(path, "") is not None}
    return new | {path: text for path, text in files.items() if text is not None}


def ancestors(hub: Hub, sha: str) -> dict[str, None]:
    """The commit and all that it reaches, nearest first."""
    seen: dict[str, None] = {}
    waiting = deque([sha])
    while waiting:
        current = waiting.popleft()
        if current not in seen:
            seen[current] = None
            waiting.extend(hub.commits[current].parents)
    return seen


def merge_base(hub: Hub, ours: str, theirs: str) -> str | None:
    """The nearest commit that both reach, None when the histories are unrelated."""
    reach = ancestors(hub, ours)
    return next((sha for sha in ancestors(hub, theirs) if sha in reach), None)


def between(hub: Hub, base: str, head: str) -> tuple[str, ...]:
    """Commits that head reaches and base does not, oldest first."""
    known = ancestors(hub, base)
    return tuple(reversed([sha for sha in ancestors(hub, head) if sha not in known]))


def tree_of(hub: Hub, sha: str | None) -> Mapping[str, str]:
    return {} if sha is None else hub.commits[sha].tree


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """What differs between two trees, by path."""
    paths = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return [_change(path, before.get(path), after.get(path)) for path in paths]


def _change(path: str, old: str | None, new: str | None) -> Change:
    status = "added" if old is None else "removed" if new is None else "modified"
    lines = list(difflib.unified_diff((old or "").splitlines(), (new or "").splitlines(), lineterm="", n=3))[2:]
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    return Change(path, status, added, removed, "\n".join(lines))


def merged_tree(hub: Hub, base: str, head: str) -> dict[str, str]:
    """The base's tree with what head changed since they parted. Our files never conflict: head wins."""
    since = tree_of(hub, merge_base(hub, base, head))
    after = tree_of(hub, head)
    edits = {change.path: after.get(change.path) for change in changes(since, after)}
    return edited(tree_of(hub, base), edits)


def merge_commit(hub: Hub, base: str, head: str, message: str, author: Account, kind: str = "commit") -> str:
    return add_commit(hub, (base, head), merged_tree(hub, base, head), message, author, kind)


def squash_commit(hub: Hub, base: str, head: str, message: str, author: Account) -> str:
    return add_commit(hub, (base,), merged_tree(hub, base, head), message, author)


def rebased_commits(hub: Hub, base: str, head: str) -> str:
    """Each commit of head again on top of base (merges are left out); gives the last one's sha."""
    tip = base
    for sha in between(hub, base, head):
        commit = hub.commits[sha]
        if len(commit.parents) != 1:
            continue
        before, after = tree_of(hub, commit.parents[0]), commit.tree
        edits = {change.path: after.get(change.path) for change in changes(before, after)}
        tip = add_commit(hub, (tip,), edited(tree_of(hub, tip), edits), commit.message, commit.author)
    return tip

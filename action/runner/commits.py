"""The commits that this job made, read from git's own files. Git is never run: a repository can make it run programs.

A commit counts when it is the tip of a local branch, of a worktree or of what was pushed, was not there at the job's
start, and git's log of that ref says that it was made here and not fetched. A claim; the server asks GitHub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

LIMIT = 100
FILES_LIMIT = 2000
LOG_TAIL = 1 << 20
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_ENTRY = re.compile(r"(?:[0-9a-f]{40,64}) ([0-9a-f]{40,64}) .*?(\d{1,12}) [+-]\d{4}\t(.*)\Z")
_MADE = re.compile(r"commit\b|rebase\b|cherry-pick\b|revert\b|am\b|merge\b|pull\b|update by push\Z")


def tips(workspace: str) -> dict[str, str]:
    """The refs below refs/heads and refs/remotes of the workspace's repositories, by path, with their commits."""
    found: dict[str, str] = {}
    for folder in _repositories(workspace):
        for kind in ("heads", "remotes"):
            for name, path in _files(os.path.join(folder, "refs", kind)):
                found[f"{folder}:refs/{kind}/{name}"] = _read(path, 128).strip()
        for line in _read(os.path.join(folder, "packed-refs"), LOG_TAIL).splitlines():
            sha, _, name = line.partition(" ")
            if name.startswith(("refs/heads/", "refs/remotes/")):
                found.setdefault(f"{folder}:{name}", sha)
    return {name: sha for name, sha in found.items() if _SHA.match(sha)}


def made(workspace: str, before: set[str], since_s: int) -> list[str]:
    """Commits that are tips now, were none before, and were made here since that second. At most LIMIT."""
    logged = {sha for folder in _repositories(workspace) for sha in _made_in(folder, since_s)}
    now = {*tips(workspace).values(), *_heads(workspace)}
    return sorted((now & logged) - before)[:LIMIT]


def _heads(workspace: str) -> Iterator[str]:
    """Commits that a HEAD points to directly, as in a pull's checkout."""
    for folder in _repositories(workspace):
        for _, path in [("", os.path.join(folder, "HEAD")), *_files(os.path.join(folder, "worktrees"), "HEAD")]:
            yield _read(path, 128).strip()


def _made_in(folder: str, since_s: int) -> Iterator[str]:
    logs = [("HEAD", os.path.join(folder, "logs", "HEAD"))]
    logs += [(f"heads/{name}", path) for name, path in _files(os.path.join(folder, "logs", "refs", "heads"))]
    logs += [(f"remotes/{name}", path) for name, path in _files(os.path.join(folder, "logs", "refs", "remotes"))]
    logs += list(_files(os.path.join(folder, "worktrees"), "HEAD"))
    for name, path in logs:
        for line in _read(path, LOG_TAIL, from_end=True).splitlines():
            entry = _ENTRY.match(line)
            if not entry or int(entry.group(2)) < since_s or "Fast-forward" in entry.group(3):
                continue
            pushed = entry.group(3) == "update by push"
            if pushed == name.startswith("remotes/") and _MADE.match(entry.group(3)):
                yield entry.group(1)


def _repositories(workspace: str) -> list[str]:
    """The git folders of the workspace and of the folders in it."""
    folders = [workspace]
    try:
        with os.scandir(workspace or os.devnull) as entries:
            folders += [e.path for e, _ in zip(entries, range(200)) if e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [folder for folder in map(_git_folder, folders) if folder]


def _git_folder(folder: str) -> str:
    path = os.path.join(folder, ".git")
    if os.path.isdir(path):
        return path
    pointed = _read(path, 4096).partition("gitdir: ")[2].strip()
    return os.path.join(folder, pointed) if pointed and os.path.isdir(os.path.join(folder, pointed)) else ""


def _files(root: str, only: str = "") -> Iterator[tuple[str, str]]:
    """Names relative to root, with slashes, and paths; no link is followed."""
    count = 0
    for folder, _, names in os.walk(root):
        for name in names:
            count += 1
            if count > FILES_LIMIT:
                return
            path = os.path.join(folder, name)
            if only in {"", name} and not os.path.islink(path):
                yield os.path.relpath(path, root).replace(os.sep, "/"), path


def _read(path: str, limit: int, from_end: bool = False) -> str:
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, "rb") as file:
            if from_end:
                file.seek(max(0, os.path.getsize(path) - limit))
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""

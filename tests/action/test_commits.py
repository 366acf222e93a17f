"""Which commits a job claims to have made: read from git's files, in real repositories."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from runner import commits, event

pytestmark = pytest.mark.optional("git")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    folder = tmp_path / "upstream"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(folder, "one")
    git(folder, "config", "receive.denyCurrentBranch", "ignore")
    return folder


@pytest.fixture
def workspace(tmp_path: Path, upstream: Path) -> Path:
    """As actions/checkout leaves it, within the job."""
    git(tmp_path, "clone", "--quiet", str(upstream), "workspace")
    return tmp_path / "workspace"


def made(workspace: Path, before: set[str] | None = None, since_s: int = 0) -> list[str]:
    return commits.made(str(workspace), before or set(), since_s)


def test_a_checkout_makes_nothing(workspace: Path) -> None:
    assert made(workspace) == []


def test_a_commit_on_a_branch_and_its_amendment_are_made(workspace: Path) -> None:
    git(workspace, "switch", "--quiet", "--create", "feature")
    commit(workspace, "two")
    git(workspace, "commit", "--quiet", "--amend", "--allow-empty", "--message", "three")
    assert made(workspace) == [git(workspace, "rev-parse", "HEAD")]


def test_a_pushed_commit_stays_made(workspace: Path) -> None:
    sha = commit(workspace, "two")
    git(workspace, "push", "--quiet", "origin", "HEAD:refs/heads/agent")
    git(workspace, "reset", "--quiet", "--hard", "HEAD~1")
    assert made(workspace) == [sha]


def test_what_was_fetched_or_fast_forwarded_is_not_made(workspace: Path, upstream: Path) -> None:
    commit(upstream, "theirs")
    git(workspace, "pull", "--quiet", "--ff-only")
    assert made(workspace) == []


def test_commits_on_a_detached_head_and_in_a_worktree_are_made(workspace: Path) -> None:
    git(workspace, "checkout", "--quiet", "--detach")
    detached = commit(workspace, "two")
    git(workspace, "worktree", "add", "--quiet", "--detach", str(workspace / "tree"), "main")
    third = commit(workspace / "tree", "three")
    assert made(workspace) == sorted([detached, third])


def test_what_was_there_before_is_not_made(workspace: Path) -> None:
    commit(workspace, "two")
    assert made(workspace, set(commits.tips(str(workspace)).values())) == []
    assert made(workspace, since_s=int(time.time()) + 60) == []


def test_packed_refs_are_read(workspace: Path) -> None:
    sha = commit(workspace, "two")
    git(workspace, "pack-refs", "--all")
    assert sha in commits.tips(str(workspace)).values()
    assert made(workspace) == [sha]


def test_a_repository_in_a_folder_of_the_workspace_is_read(tmp_path: Path, workspace: Path) -> None:
    sha = commit(workspace, "two")
    assert sha in made(tmp_path)


def test_garbage_in_gits_files_is_nothing(workspace: Path) -> None:
    commit(workspace, "two")
    (workspace / ".git" / "logs" / "refs" / "heads" / "main").write_bytes(b"\xff" * 5000)
    (workspace / ".git" / "logs" / "HEAD").write_bytes(b"\0" * 5000)
    (workspace / ".git" / "refs" / "heads" / "x").write_bytes(b"not a sha")
    (workspace / ".git" / "packed-refs").write_bytes(b"\n\n^\x00 refs/heads/y\n")
    assert made(workspace) == []


def test_no_workspace_is_nothing(tmp_path: Path) -> None:
    assert made(tmp_path / "missing") == []
    assert commits.made("", set(), 0) == []


EVENTS: list[tuple[object, int | None]] = [
    ({"pull_request": {"number": 5}}, 5),
    ({"issue": {"number": 6, "pull_request": {}}}, 6),
    ({"issue": {"number": 7}}, None),
    ({"workflow_run": {"pull_requests": [{"number": 8}]}}, 8),
    ({"workflow_run": {"pull_requests": [{"number": 8}, {"number": 9}]}}, None),
    ({"pull_request": {"number": "5"}}, None),
    ({"pull_request": {"number": True}}, None),
    ({"pull_request": {"number": 2**40}}, None),
    ([], None),
]


@pytest.mark.parametrize(("content", "number"), EVENTS, ids=str)
def test_the_event_names_its_pull(tmp_path: Path, content: object, number: int | None) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert event.pull_number({"GITHUB_EVENT_PATH": str(path), "GITHUB_REF": "refs/heads/main"}) == number


def test_the_ref_of_a_pull_names_it_too() -> None:
    assert event.pull_number({"GITHUB_REF": "refs/pull/31/merge"}) == 31
    assert event.pull_number({"GITHUB_REF": "refs/pull/0/merge"}) is None

"""A job with the Action and no server: the runner's two steps, locked packages, and one comment or one notice."""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standalone import install, start

from app.sandbox import Sandbox
from tests.action import packages as stock
from tests.action.job import Job
from tests.action.logs import replant

pytestmark = [pytest.mark.optional("node"), pytest.mark.usefixtures("packages")]
WIDGETS = "acme/widgets"
CODEX = "codex-0.169.0/basic"
MAY_COMMENT = {"pull_requests": "write"}
LEAD = "::notice title=Mergemeter::This job's cost is not shown on its pull: "


@pytest.fixture
def widgets(gh: Sandbox) -> Sandbox:
    """acme/widgets, private, with pull 1."""
    gh.create_repository(WIDGETS, files={"a.py": "one\n"})
    gh.set_visibility(WIDGETS, "private")
    gh.open_pull(WIDGETS, "feature", files={"b.py": "1\n"})
    return gh


@pytest.fixture(scope="module")
def index() -> Iterator[dict[str, str]]:
    """The variables that lead pip and uv to the index on loopback."""
    stock.wheels()
    with stock.index() as url:
        yield index_at(url)


def index_at(url: str) -> dict[str, str]:
    return {"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}


def job_on(folder: Path, gh: Sandbox, event: str = "pull_request", token: str | None = None, **inputs: str) -> Job:
    """A job of a workflow run that `event` started, about pull 1; its inputs as action.yml has them."""
    run = gh.start_workflow_run(WIDGETS, event, pull=1)
    given = {"github-token": gh.job_token(WIDGETS, MAY_COMMENT) if token is None else token, "matrix": "null", **inputs}
    found = f"{Path(sys.executable).parent}:/usr/bin:/bin"  # this Python and uv
    job = Job(folder, given, {**run["env"], "PATH": found})
    job.set_event(run["event"])
    return job


def worked(job: Job, index: dict[str, str], **more: str) -> tuple[int, str]:
    """Run the job's two steps around an agent; what the second said."""
    assert job.main() == (0, "")
    replant(CODEX, job.home, datetime.now(UTC) + timedelta(milliseconds=5))
    return job.post(**index, **more)


def bodies(gh: Sandbox) -> list[str]:
    return [str(comment["body"]) for comment in gh.comments(WIDGETS, 1)]


@pytest.mark.parametrize("event", ["pull_request", "issue_comment"])
def test_a_job_without_a_server_comments_on_its_pull(
    tmp_path: Path, widgets: Sandbox, index: dict[str, str], event: str
) -> None:
    job = job_on(tmp_path, widgets, event)
    assert worked(job, index) == (0, "")
    (body,) = bodies(widgets)
    assert body.startswith("**$0.0")
    assert "It is this run alone" in body
    assert "**Cost of this job: $0.0" in job.summary()
    assert "** at list prices (prices: `genai-prices " in job.summary()
    output = job.values("output")
    assert (output["status"], output["record-id"], output["output-tokens"]) == ("commented", "", "258")
    assert float(output["cost-usd"]) > 0


def test_nothing_of_it_stays_on_the_runner_and_the_token_is_in_no_file(
    tmp_path: Path, widgets: Sandbox, index: dict[str, str]
) -> None:
    job = job_on(tmp_path, widgets)
    assert job.main() == (0, "")
    assert_nowhere(job.inputs["github-token"], tmp_path)
    assert worked(job, index) == (0, "")
    assert_nowhere(job.inputs["github-token"], tmp_path)
    assert [path.name for path in (tmp_path / "temp").iterdir() if path.is_dir()] == []


def assert_nowhere(secret: str, folder: Path) -> None:
    assert [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()] == []


def test_a_runner_without_uv_gets_it_from_its_lock_file(
    tmp_path: Path, widgets: Sandbox, index: dict[str, str]
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    job = job_on(tmp_path, widgets)
    job.environ["PATH"] = str(tmp_path / "bin")
    assert worked(job, index) == (0, "")
    assert len(bodies(widgets)) == 1


def test_a_job_in_which_no_agent_ran_installs_and_writes_nothing(tmp_path: Path, widgets: Sandbox) -> None:
    job = job_on(tmp_path, widgets)
    assert job.main() == (0, "")
    assert job.post(**index_at("http://127.0.0.1:9")) == (0, "")
    assert "No agent run was found." in job.summary()
    assert widgets.requests == []


@contextmanager
def with_a_changed_wheel(folder: Path) -> Iterator[dict[str, str]]:
    """An index whose PyGithub is another one than the locked one."""
    shutil.copytree(stock.wheels() / "simple", folder / "simple")
    (wheel,) = (folder / "simple" / "pygithub").iterdir()
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with stock.index(folder) as url:
        yield index_at(url)


def test_a_package_that_was_changed_is_not_installed(tmp_path: Path, widgets: Sandbox) -> None:
    with with_a_changed_wheel(tmp_path / "index") as changed:
        code, said = worked(job_on(tmp_path / "job", widgets), changed)
    assert (code, said.startswith(LEAD + "its packages could not be installed")) == (0, True)
    assert widgets.requests == []


def test_without_a_network_there_is_one_notice_and_the_tokens_stay(tmp_path: Path, widgets: Sandbox) -> None:
    job = job_on(tmp_path, widgets)
    began = time.monotonic()
    code, said = worked(job, index_at("http://127.0.0.1:9/simple"))
    assert time.monotonic() - began < 65
    assert (code, said.count("::notice")) == (0, 1)
    assert said.startswith(LEAD + "its packages could not be installed")
    assert "258" in job.summary()
    assert "$" not in job.summary()
    assert job.values("output")["status"] == "not-sent"


def test_with_fail_on_error_what_could_not_be_shown_fails_the_job(
    tmp_path: Path, widgets: Sandbox, index: dict[str, str]
) -> None:
    job = job_on(tmp_path, widgets, token=widgets.job_token(WIDGETS, {"contents": "read"}), **{"fail-on-error": "true"})
    code, said = worked(job, index)
    assert code == 1
    assert said.startswith("::error title=Mergemeter::")
    assert "permissions: pull-requests: write" in said
    assert "258" in job.summary()
    assert "Cost of this job" in job.summary()
    assert job.values("output")["status"] == "not-sent"


def test_a_pull_from_a_fork_learns_that_this_is_as_it_should_be(
    tmp_path: Path, widgets: Sandbox, index: dict[str, str]
) -> None:
    job = job_on(tmp_path, widgets, token=widgets.job_token(WIDGETS, {"pull_requests": "read"}))
    event = json.loads((tmp_path / "event.json").read_text(encoding="utf-8"))
    event["pull_request"]["head"]["repo"]["id"] += 1
    job.set_event(event)
    code, said = worked(job, index)
    assert (code, "forks" in said, "permissions" in said) == (0, True, False)


def test_a_job_about_no_pull_is_told_so(tmp_path: Path, widgets: Sandbox, index: dict[str, str]) -> None:
    job = job_on(tmp_path, widgets, token="t")
    job.set_event({"repository": {"visibility": "private"}})
    job.environ["GITHUB_REF"] = "refs/heads/main"
    code, said = worked(job, index)
    assert (code, said) == (0, LEAD + "the event that started the workflow names no pull.\n")
    assert "258" in job.summary()


def test_a_job_without_a_token_is_told_so(tmp_path: Path, widgets: Sandbox, index: dict[str, str]) -> None:
    code, said = worked(job_on(tmp_path, widgets, token=""), index)
    assert (code, said.startswith(LEAD + "there is no token to comment with")) == (0, True)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({"visibility": "public"}, False),
        ({"visibility": "private"}, True),
        ({"visibility": "internal"}, True),
        ({"private": True}, True),
        ({"private": False}, False),
        ({}, False),
        (None, False),
    ],
)
def test_amounts_are_shown_where_not_everybody_reads_them(
    tmp_path: Path, widgets: Sandbox, told: dict[str, Any] | None, shown: bool
) -> None:
    job = job_on(tmp_path, widgets)
    job.set_event({"repository": told})
    assert job.main() == (0, "")
    assert json.loads(job.values("state")["memory"])["standalone"]["money"] is shown


def test_amounts_are_shown_on_a_public_repository_that_asks_for_them(
    tmp_path: Path, widgets: Sandbox, index: dict[str, str]
) -> None:
    widgets.set_visibility(WIDGETS, "public")
    quiet = job_on(tmp_path / "quiet", widgets)
    assert worked(quiet, index) == (0, "")
    assert "$" not in bodies(widgets)[0] + quiet.summary()
    assert quiet.values("output")["cost-usd"] == ""
    assert worked(job_on(tmp_path / "told", widgets, **{"show-money": "true"}), index) == (0, "")
    assert bodies(widgets)[0].startswith("**$0.0")


def test_post_trusts_nothing_that_an_agent_may_have_changed(
    tmp_path: Path, widgets: Sandbox, index: dict[str, str]
) -> None:
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("uv", "python3", "pip"):
        (evil / name).write_text(f"#!/bin/sh\ntouch {evil}/ran\nexit 9\n", encoding="utf-8")
        (evil / name).chmod(0o755)
    for name in ("github.py", "app.py", "sitecustomize.py"):
        (evil / name).write_text(f"open({str(evil / 'ran')!r}, 'w')\n", encoding="utf-8")
    job = job_on(tmp_path / "job", widgets)
    (job.home / ".config" / "uv").mkdir(parents=True)
    (job.home / ".config" / "uv" / "uv.toml").write_text("not toml", encoding="utf-8")
    (job.home / ".netrc").write_text("machine 127.0.0.1 login x password y\n", encoding="utf-8")
    shutil.copy(evil / "github.py", job.folder / "workspace")
    changed = {
        "PATH": f"{evil}:/usr/bin:/bin", "PYTHONPATH": str(evil), "UV_PYTHON": str(evil / "python3"),
        "UV_CONFIG_FILE": str(evil / "app.py"), "PIP_TARGET": str(evil), "HTTPS_PROXY": "http://127.0.0.1:9",
        "REQUESTS_CA_BUNDLE": str(evil / "app.py"), "VIRTUAL_ENV": str(evil),
    }  # fmt: skip
    assert worked(job, index, **changed) == (0, "")
    assert not (evil / "ran").exists()
    assert len(bodies(widgets)) == 1


def test_a_comment_is_one_workflow_files_job_and_leg(tmp_path: Path) -> None:
    def key(**changed: str) -> int:
        told = {"workflow_file": "acme/widgets/.github/workflows/a.yml", "name": "agent", "matrix": "", **changed}
        return start._key(told, told)

    other = [key(workflow_file="acme/widgets/.github/workflows/b.yml"), key(name="review"), key(matrix="0" * 64)]
    assert len({key(), *other}) == 4


def test_a_workflow_is_known_by_its_file_on_whatever_branch() -> None:
    names = {
        "GITHUB_WORKFLOW": "Agents",
        "GITHUB_WORKFLOW_REF": "acme/widgets/.github/workflows/a.yml@refs/pull/1/merge",
    }
    assert start.remembered(names, False)["workflow_file"] == "acme/widgets/.github/workflows/a.yml"


def test_an_older_python_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 10, 4))
    answer, problem = start.report({start.TOKEN: "t"}, {}, {"pull_number": 1}, b"{}")
    assert answer is None
    assert "Python 3.11 or newer is needed for that. Put actions/setup-python before this step." in problem


def test_a_part_of_the_repository_alone_is_told_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "ROOT", str(tmp_path))
    assert "not a whole copy" in start.report({start.TOKEN: "t"}, {}, {"pull_number": 1}, b"{}")[1]


@pytest.mark.parametrize("script", ["exit 1", "echo hello"])
def test_a_program_that_gives_no_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\ncat >/dev/null\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(install, "environment", lambda *_: str(program))
    about = {"uv": "", "workflow_file": "a.yml", "fork": False}
    job = {"pull_number": 1, "name": "agent", "matrix": ""}
    told = start.report({start.TOKEN: "t", "RUNNER_TEMP": str(tmp_path)}, about, job, b"{}")
    assert told == (None, start.LEAD + "the program that writes it ended without an answer.")


def test_a_temporary_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    about = {"uv": "", "workflow_file": "a.yml", "fork": False}
    job = {"pull_number": 1, "name": "agent", "matrix": ""}
    gone = {start.TOKEN: "t", "RUNNER_TEMP": str(tmp_path / "gone")}
    assert "temporary folder cannot be used (FileNotFoundError)" in start.report(gone, about, job, b"{}")[1]


def test_an_installation_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "INSTALLING_S", 0.2)
    slow = tmp_path / "uv"
    slow.write_text("#!/bin/sh\nexec sleep 30\n", encoding="utf-8")
    slow.chmod(0o755)
    began = time.monotonic()
    with pytest.raises(install.Uninstalled, match="within 0 seconds"):
        install.environment(str(tmp_path), str(slow), {})
    assert time.monotonic() - began < 5

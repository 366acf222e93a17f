"""The Action's two steps around a job, as the runner starts them: what is sent, shown and set, and what is not."""

import json
import stat
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import validator_for

from tests.action.job import Job
from tests.action.logs import ROOT, expected, home_of, replant, usage
from tests.action.server import RECORDED, Answer, Server

pytestmark = pytest.mark.optional("node")
SCHEMA = validator_for(json.loads((ROOT / "app" / "web" / "agent-runs-1.schema.json").read_text(encoding="utf-8")))
CLAUDE, CODEX = "claude-code-2.1.330/subagent", "codex-0.169.0/basic"


def job_for(tmp_path: Path, server: Server, **inputs: str) -> Job:
    return Job(tmp_path, {"server-url": server.url, "matrix": "null", **inputs}, server.environ())


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(milliseconds=5)


def test_a_job_sends_an_opening_and_a_closing_record_each_with_a_token_of_its_own(tmp_path: Path) -> None:
    with Server() as server:
        job = job_for(tmp_path, server, team="payments", purpose="review", tags="cost-center=4711\n\nsize = big = L")
        assert job.main() == (0, "")
        replant(CLAUDE, job.home, soon())
        replant(CODEX, job.home, soon())
        assert job.post() == (0, "")
    opened, closed = server.bodies
    for body in (opened, closed):
        SCHEMA.validate(body)
    assert (opened["phase"], closed["phase"]) == ("opened", "closed")
    assert server.tokens == ["Bearer token-1", "Bearer token-2"]
    assert server.audiences == [server.url, server.url]
    assert usage(closed["agent_runs"]) == {**expected(CLAUDE), **expected(CODEX)}
    assert closed["tags"] == {
        "team": "payments", "purpose": "review", "labels": {"cost-center": "4711", "size": "big = L"},
    }  # fmt: skip
    assert closed["job"]["name"] == "agent"


def test_logs_of_a_restored_cache_count_nothing_whenever_they_were_restored(tmp_path: Path) -> None:
    with Server() as server:
        job = job_for(tmp_path, server)
        replant(CLAUDE, job.home, datetime.now(UTC) - timedelta(hours=2))
        job.main()
        replant("claude-code-2.1.197/basic-json", job.home, datetime.now(UTC) - timedelta(minutes=5))
        replant(CODEX, job.home, datetime.now(UTC) - timedelta(days=3))
        job.post()
    assert server.closed["agent_runs"] == []


def test_logs_that_were_there_count_nothing_even_when_their_clock_was_ahead(tmp_path: Path) -> None:
    with Server() as server:
        job = job_for(tmp_path, server)
        for scenario in (CLAUDE, CODEX):
            replant(scenario, job.home, datetime.now(UTC) + timedelta(minutes=3))
        job.main()
        job.post()
    assert server.closed["agent_runs"] == []


@pytest.mark.parametrize(
    "scenario", ["claude-code-2.1.330/resume", "claude-code-2.1.197/resume", "codex-0.169.0/resume"]
)
@pytest.mark.parametrize("ahead", [timedelta(hours=-2), timedelta(minutes=3)], ids=["past", "clock-ahead"])
def test_a_resumed_session_counts_only_what_this_job_added(tmp_path: Path, scenario: str, ahead: timedelta) -> None:
    """The first half of every log was there; the job appends the rest, with times of its own."""
    with Server() as server:
        job = job_for(tmp_path, server)
        replant(scenario, job.home, datetime.now(UTC) + ahead)
        whole = {path: path.read_bytes() for path in job.home.rglob("*.jsonl")}
        for path, content in whole.items():
            path.write_bytes(b"".join(content.splitlines(keepends=True)[: content.count(b"\n") // 2]))
        before = ids_in(job.home)
        job.main()
        moved = tmp_path / "moved"
        replant(scenario, moved, soon())
        for path, content in whole.items():
            lines = (moved / path.relative_to(job.home)).read_bytes().splitlines(keepends=True)
            with path.open("ab") as file:
                file.write(b"".join(lines[content.count(b"\n") // 2 :]))
        job.post()
    sent = [call["id"] for run in server.closed["agent_runs"] for call in run["calls"]]
    everything = ids_in(moved)
    assert len(sent) == len(set(sent))
    assert set(sent) == everything - before
    assert before
    assert everything - before


def ids_in(home: Path) -> set[str]:
    """Response ids in the logs, read in the plainest way."""
    found = set()
    for path in home.rglob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if record["type"] == "assistant":
                found.add(record["requestId"])
            elif record["type"] == "token_usage_record":
                found.add(record["payload"]["response_id"])
    return found


def test_a_fork_of_a_session_that_was_there_counts_only_its_own_calls(tmp_path: Path) -> None:
    scenario = "claude-code-2.1.330/resume"
    with Server() as server:
        job = job_for(tmp_path, server)
        replant(scenario, job.home, datetime.now(UTC) + timedelta(minutes=1))
        fork = next(job.home.rglob("f0e0f25b*.jsonl"))
        content = fork.read_bytes()
        fork.unlink()
        job.main()
        fork.write_bytes(content)
        job.post()
    (run,) = server.closed["agent_runs"]
    assert len(run["calls"]) == 2
    assert {call["model"] for call in run["calls"]} == {"claude-opus-4-5-20251101"}


def test_the_same_log_in_two_places_counts_once(tmp_path: Path) -> None:
    with Server() as server:
        job = job_for(tmp_path, server)
        job.main()
        at = soon()
        for scenario in (CLAUDE, CODEX):
            replant(scenario, job.home, at)
        replant(CLAUDE, job.folder / "temp" / "own", at)
        (job.folder / "temp" / "own" / ".claude").rename(job.folder / "temp" / "claude-home")
        archived = job.home / ".codex" / "archived_sessions"
        archived.mkdir()
        for path in (job.home / ".codex" / "sessions").rglob("*.jsonl"):
            (archived / path.name).write_bytes(path.read_bytes())
        job.post()
    assert usage(server.closed["agent_runs"]) == {**expected(CLAUDE), **expected(CODEX)}


def test_homes_that_agents_actions_set_for_themselves_are_read(tmp_path: Path) -> None:
    with Server() as server:
        job = job_for(tmp_path, server)
        job.main()
        replant(CLAUDE, tmp_path / "elsewhere", soon())
        replant(CODEX, tmp_path / "temp" / "x", soon())
        (tmp_path / "temp" / "x" / ".codex").rename(tmp_path / "temp" / "codex-home-1a2b")
        job.post(CLAUDE_CONFIG_DIR=str(tmp_path / "elsewhere" / ".claude"))
    assert usage(server.closed["agent_runs"]) == {**expected(CLAUDE), **expected(CODEX)}


def test_post_trusts_no_environment_that_an_agent_may_have_changed(tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("python3", "python"):
        (evil / name).write_text("#!/bin/sh\necho evil python >&2\nexit 9\n", encoding="utf-8")
        (evil / name).chmod(0o755)
    (evil / "json.py").write_text("print('evil module')\nraise SystemExit(9)\n", encoding="utf-8")
    (evil / "sitecustomize.py").write_text("print('evil site')\n", encoding="utf-8")
    with Server() as server, Server() as attacker:
        job = job_for(tmp_path, server)
        job.main()
        (job.folder / "workspace" / "json.py").write_text("print('evil folder')\n", encoding="utf-8")
        replant(CODEX, job.home, soon())
        code, output = job.post(
            PATH=f"{evil}:/usr/bin:/bin",
            PYTHONPATH=str(evil), PYTHONHOME=str(evil), PYTHONSTARTUP=str(evil / "json.py"),
            HOME=str(tmp_path / "other-home"), HTTP_PROXY=attacker.url, HTTPS_PROXY=attacker.url,
            SSL_CERT_FILE=str(evil / "json.py"), ACTIONS_ID_TOKEN_REQUEST_URL=f"{attacker.url}/token?x=1",
            **{"INPUT_SERVER-URL": attacker.url, "INPUT_TEAM": "other"},
        )  # fmt: skip
    assert (code, output) == (0, "")
    assert usage(server.closed["agent_runs"]) == expected(CODEX)
    assert "team" not in server.closed["tags"]
    assert not attacker.raw
    assert not attacker.audiences


def test_the_tags_reach_the_agents_telemetry_after_what_was_there(tmp_path: Path) -> None:
    with Server() as server:
        job = job_for(tmp_path, server, team="other", tags="tier=gold\nlevel=%")
        job.set_event({"issue": {"number": 12, "pull_request": {}}})
        job.environ["OTEL_RESOURCE_ATTRIBUTES"] = "service.namespace=ci,mergemeter.team=kept"
        job.main()
    assert job.values("env")["OTEL_RESOURCE_ATTRIBUTES"] == (
        "service.namespace=ci,mergemeter.team=kept,mergemeter.purpose=other,vcs.owner.name=acme,vcs.repository.name=widgets,"
        "vcs.change.id=12,cicd.pipeline.name=Agents,cicd.pipeline.run.id=77,mergemeter.run_attempt=1,mergemeter.job=agent,"
        "mergemeter.tag.tier=gold,mergemeter.tag.level=%25"
    )


def test_tags_in_telemetry_are_percent_encoded(tmp_path: Path) -> None:
    with Server() as server:
        job = job_for(tmp_path, server, team="Ü,=;\\ %")
        job.main()
    assert job.values("env")["OTEL_RESOURCE_ATTRIBUTES"].startswith("mergemeter.team=%C3%9C%2C%3D%3B%5C%20%25,")


def test_legs_of_a_matrix_differ_and_no_matrix_is_empty(tmp_path: Path) -> None:
    legs = []
    for number, matrix in enumerate(["null", '{"os": "linux"}', '{"os": "macos"}']):
        with Server() as server:
            job = job_for(tmp_path / str(number), server, matrix=matrix)
            job.main()
            legs.append(server.bodies[0]["job"]["matrix"])
    assert legs[0] == ""
    assert len(set(legs)) == 3
    assert all(len(leg) == 64 for leg in legs[1:])


def with_money(body: dict[str, Any]) -> Answer:
    runs = [
        {"agent": run["agent"], "session": run["session"], "status": "recorded", "cost_nano_usd": 12_345_678}
        for run in body["agent_runs"]
    ]
    return 201, {
        **RECORDED,
        "agent_runs": runs,
        "cost_nano_usd": 1_234_567_891,
        "show_money": True,
        "unpriced_calls": 3,
    }


def test_the_summary_and_the_outputs_tell_the_cost_that_the_server_answers(tmp_path: Path) -> None:
    with Server(with_money) as server:
        job = job_for(tmp_path, server)
        job.main()
        replant(CODEX, job.home, soon())
        job.post()
    assert "**Cost of this job: $1.23** contracted (prices: `genai-prices 0.2.3`)" in job.summary()
    assert "$0.0123" in job.summary()
    assert "3 model calls have no known price" in job.summary()
    assert job.values("output") == {
        "status": "recorded", "record-id": "0193", "cost-usd": "1.234567891", "agent-runs": "1", "model-calls": "3",
        "input-tokens": "6002", "output-tokens": "258",
    }  # fmt: skip


def test_no_money_is_shown_where_the_server_hides_it(tmp_path: Path) -> None:
    def hidden(body: dict[str, Any]) -> Answer:
        return 201, {**with_money(body)[1], "show_money": False}

    with Server(hidden) as server:
        job = job_for(tmp_path, server)
        job.main()
        replant("claude-code-2.1.330/basic-json", job.home, soon())
        job.post()
    assert "$" not in job.summary()
    assert "cost" not in job.summary().lower()
    assert job.values("output")["cost-usd"] == ""


@pytest.mark.parametrize(("strict", "code", "kind"), [("false", 0, "notice"), ("true", 1, "error")])
def test_a_server_that_is_down_gives_one_notice_or_fails_where_asked(
    tmp_path: Path, strict: str, code: int, kind: str
) -> None:
    with Server() as server:
        job = job_for(tmp_path, server, **{"fail-on-error": strict})
    began = time.monotonic()
    assert job.main() == (0, "")
    assert time.monotonic() - began < 3
    replant(CODEX, job.home, soon())
    got, output = job.post()
    assert got == code
    assert output.count("::") == 2
    assert output.startswith(f"::{kind} title=Mergemeter::This job's agents were not recorded: 127.0.0.1 could not be")
    assert "258" in job.summary()
    assert job.values("output")["status"] == "not-sent"


def test_a_job_without_the_permission_learns_which_line_is_missing_and_only_once(tmp_path: Path) -> None:
    job = Job(tmp_path, {"server-url": "https://mergemeter.example.com"})
    code, output = job.main()
    assert code == 0
    assert "permissions: id-token: write" in output
    assert output.count("::notice") == 1
    replant(CODEX, job.home, soon())
    assert job.post() == (0, "")
    assert "258" in job.summary()


def test_a_pull_from_a_fork_learns_that_this_is_as_it_should_be(tmp_path: Path) -> None:
    job = Job(tmp_path, {"server-url": "https://mergemeter.example.com"})
    job.set_event({"pull_request": {"number": 3, "head": {"repo": {"id": 2}}, "base": {"repo": {"id": 1}}}})
    code, output = job.main()
    assert code == 0
    assert "forks" in output
    assert "pull_request_target" in output
    assert "permissions" not in output


WRONG = {
    "server-url": ["mergemeter", "ftp://x", "http://mergemeter.example.com", "https://u:p@x", "https://x/?a=1"],
    "purpose": ["fun"],
    "agents": ["claude-code,emacs"],
    "fail-on-error": ["yes"],
    "show-money": ["yes"],
    "tags": ["no equals", "bad key=1", "\n".join(f"k{n}=v" for n in range(21)), "k=" + "x" * 257],
    "team": ["x" * 257, "two\nlines"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_input_is_told_once_and_stops_nothing(tmp_path: Path, name: str, value: str) -> None:
    job = Job(tmp_path, {"server-url": "https://mergemeter.example.com", name: value})
    code, output = job.main()
    assert code == 0
    assert output.startswith("::notice title=Mergemeter::This job's agents are not recorded: ")
    assert name in output
    assert output.count("\n") == 1
    assert job.post() == (0, "")


def test_with_fail_on_error_a_wrong_input_fails_the_job_at_once(tmp_path: Path) -> None:
    job = Job(tmp_path, {"server-url": "nowhere", "fail-on-error": "true"})
    code, output = job.main()
    assert code == 1
    assert output.startswith("::error title=Mergemeter::")
    assert job.post() == (0, "")


def test_without_python_there_is_one_notice(tmp_path: Path) -> None:
    job = Job(tmp_path, {"server-url": "https://mergemeter.example.com"})
    sentence = "This job's agents are not recorded: Python 3.9 or newer was not found on this runner."
    assert job.main(PATH=str(tmp_path)) == (0, f"::notice title=Mergemeter::{sentence}\n")
    assert job.post() == (0, "")


def test_an_old_python_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    old, new = tmp_path / "bin" / "python3", tmp_path / "bin" / "python"
    old.write_text("#!/bin/sh\nexit 79\n", encoding="utf-8")
    old.chmod(0o755)
    new.symlink_to(sys.executable)
    job = Job(tmp_path, {"server-url": "https://mergemeter.example.com"})
    _, output = job.main(PATH=f"{tmp_path / 'bin'}:/nonexistent")
    assert "id-token" in output
    assert Path(job.values("state")["python"]).is_absolute()


def test_the_notes_of_the_start_are_private_gone_afterwards_and_refused_when_changed(tmp_path: Path) -> None:
    with Server() as server:
        job = job_for(tmp_path, server)
        job.main()
        (notes,) = (tmp_path / "temp").iterdir()
        assert stat.S_IMODE(notes.stat().st_mode) == 0o600
        notes.write_text('{"known": {}, "tips": [""]}', encoding="utf-8")
        replant(CODEX, job.home, soon())
        code, output = job.post()
        assert code == 0
        assert "the notes from the job's start are gone" in output
        assert not notes.exists()
    assert usage(server.closed["agent_runs"]) == expected(CODEX)
    assert server.closed["notices"] == ["the notes from the job's start are gone; only times tell what is new"]


def test_only_the_chosen_agents_are_read(tmp_path: Path) -> None:
    with Server() as server:
        job = job_for(tmp_path, server, agents="codex")
        job.main()
        for scenario in (CLAUDE, CODEX):
            replant(scenario, job.home, soon())
        job.post()
    assert usage(server.closed["agent_runs"]) == expected(CODEX)


def test_nothing_but_numbers_ids_models_times_hashes_and_tags_leaves_the_runner(tmp_path: Path) -> None:
    secret = "PlantedSecret0123"

    def plant(text: str) -> str:
        planted = []
        for line in text.splitlines():
            if not line.startswith("{"):
                return text
            record = json.loads(line)
            hide(record, secret)
            planted.append(json.dumps(record))
        return "\n".join(planted) + "\n"

    with Server() as server:
        job = job_for(tmp_path, server, team="t")
        job.main()
        for scenario in (CLAUDE, "claude-code-2.1.330/resume", "codex-0.169.0/resume"):
            replant(scenario, job.home, soon(), plant)
        assert any(secret in path.read_text(encoding="utf-8") for path in home_of(CLAUDE).rglob("*.jsonl")) is False
        assert secret in next(job.home.rglob("*.jsonl")).read_text(encoding="utf-8")
        job.post()
        (job.home / f"{secret}.txt").touch()
    sent = b"".join(server.raw)
    assert server.closed["agent_runs"]
    assert secret.encode() not in sent
    for private in (b"/home/runner", str(tmp_path).encode(), b"widgets", b"echo hi", b"SCN:", b"feat/meter"):
        assert private not in sent
    assert secret not in job.summary()


COUNTED = {
    "type", "timestamp", "sessionId", "requestId", "id", "model", "usage", "version", "cli_version", "session_id",
    "thread_id", "response_id", "model_provider", "isSidechain", "thread_source", "parent_thread_id", "forked_from_id",
    "stop_reason", "turn_id", "service_tier", "speed",
}  # fmt: skip


def hide(value: Any, secret: str) -> None:
    """Put the secret into every text of a log line that is not read by its meaning."""
    pairs = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, inner in pairs:
        if isinstance(inner, str) and key not in COUNTED:
            value[key] = f"{inner} {secret}"
        else:
            hide(inner, secret)

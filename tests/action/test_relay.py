"""Recording in two jobs: what the agents' job leaves in a folder, and what the other job sends of it and refuses."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import records
import summary

from tests.action.job import Job
from tests.action.logs import expected, replant, usage
from tests.action.server import RECORDED, Answer, Server
from tests.action.test_job import SCHEMA, soon

node = pytest.mark.optional("node")
CLAUDE, CODEX = "claude-code-2.1.330/subagent", "codex-0.169.0/basic"
HOSTILE = "x</details>|`@everyone`\n::error::owned"


def agents_job(folder: Path, *scenarios: str, **inputs: str) -> Job:
    """A job that has watched, run these agents, and collected."""
    job = Job(folder, {"mode": "watch", "matrix": "null", **inputs})
    assert job.main() == (0, "")
    for scenario in scenarios:
        replant(scenario, job.home, soon())
    assert collected(job) == (0, "")
    return job


def collected(job: Job, **inputs: str) -> tuple[int, str]:
    step = Job(job.folder, {"mode": "collect", "start": job.values("output").get("start", ""), **inputs})
    code, said = step.main()
    assert step.post() == (0, "")
    return code, said


def folder_of(job: Job) -> Path:
    return Path(job.values("output")["records"])


def sent(folder: Path, server: Server, **inputs: str) -> tuple[int, str, Job]:
    """The other job: its exit code, what it said, and itself."""
    given = {"mode": "send", "server-url": server.url, "records": str(folder), **inputs}
    job = Job(folder.parent / "sender", given, server.environ())
    code, said = job.main()
    assert job.post() == (0, "")
    return code, said, job


def a_record(name: str = "agent", **changed: Any) -> dict[str, Any]:
    job = {"name": name, "run_id": 77, "run_attempt": 1, "started_at": "2026-10-01T00:00:00Z"}
    whole = {"schema": "mergemeter.agent-runs/1", "phase": "closed", "action_version": "1", "relayed": True}
    return {**whole, "job": job, "agent_runs": [], **changed}


@node
def test_the_agents_job_leaves_one_record_for_another_job_and_sends_nothing(tmp_path: Path) -> None:
    job = agents_job(tmp_path, CLAUDE, CODEX, team="payments", purpose="author")
    (path,) = folder_of(job).iterdir()
    body = json.loads(path.read_bytes())
    SCHEMA.validate(body)
    assert (body["relayed"], body["phase"], body["tags"]) == (True, "closed", {"team": "payments", "purpose": "author"})
    assert (body["job"]["name"], body["job"]["run_id"], body["job"]["run_attempt"]) == ("agent", 77, 1)
    assert usage(body["agent_runs"]) == {**expected(CLAUDE), **expected(CODEX)}
    assert job.values("output")["status"] == "collected"
    assert "another job sends this record" in job.summary()


@node
def test_the_folder_is_known_from_the_first_step_on(tmp_path: Path) -> None:
    job = Job(tmp_path, {"mode": "watch"})
    job.main()
    assert job.values("output")["records"] == str(tmp_path / "temp" / "mergemeter-records")


@node
def test_what_was_there_before_the_first_step_is_not_collected(tmp_path: Path) -> None:
    job = Job(tmp_path, {"mode": "watch"})
    replant(CLAUDE, job.home, datetime.now(UTC) + timedelta(minutes=3))
    job.main()
    replant(CODEX, job.home, soon())
    collected(job)
    (path,) = folder_of(job).iterdir()
    assert usage(json.loads(path.read_bytes())["agent_runs"]) == expected(CODEX)


@node
def test_what_agents_do_after_the_collecting_step_is_not_seen(tmp_path: Path) -> None:
    job = agents_job(tmp_path, CLAUDE)
    replant(CODEX, job.home, soon())
    (path,) = folder_of(job).iterdir()
    assert usage(json.loads(path.read_bytes())["agent_runs"]) == expected(CLAUDE)


@node
def test_an_agents_job_that_may_ask_for_a_token_is_told_to_drop_the_permission(tmp_path: Path) -> None:
    with Server() as server:
        job = Job(tmp_path, {"mode": "watch"}, server.environ())
        code, said = job.main()
    assert code == 0
    assert said.startswith("::notice title=Mergemeter::This job can ask for OIDC tokens (id-token: write)")
    assert (server.audiences, server.raw) == ([], [])


@node
@pytest.mark.parametrize(("strict", "code"), [("false", 0), ("true", 1)])
def test_collecting_without_the_first_steps_output_is_told(tmp_path: Path, strict: str, code: int) -> None:
    got, said = collected(Job(tmp_path, {}), **{"fail-on-error": strict})
    assert got == code
    assert "the input start must be what the step with mode: watch gave" in said
    assert not (tmp_path / "temp" / "mergemeter-records").exists()


@node
def test_each_record_is_sent_as_it_is_with_a_token_of_its_own(tmp_path: Path) -> None:
    one, two = agents_job(tmp_path / "one", CLAUDE), agents_job(tmp_path / "two", CODEX)
    for job, artifact in ((one, "a"), (two, "b")):
        (tmp_path / "down" / artifact).mkdir(parents=True)
        (path,) = folder_of(job).iterdir()
        path.rename(tmp_path / "down" / artifact / path.name)
    with Server() as server:
        code, said, job = sent(tmp_path / "down", server)
    assert (code, said) == (0, "")
    assert sorted(server.raw) == sorted(path.read_bytes() for path in (tmp_path / "down").rglob("*.json"))
    assert server.tokens == ["Bearer token-1", "Bearer token-2"]
    assert server.audiences == [server.url, server.url]
    assert usage(run for body in server.bodies for run in body["agent_runs"]) == {**expected(CLAUDE), **expected(CODEX)}
    assert job.values("output")["status"] == "recorded"


def planted(folder: Path) -> None:
    """One good record among everything that is none."""
    folder.mkdir()
    (folder / "good.json").write_text(json.dumps(a_record()), encoding="utf-8")
    (folder / "not.json").write_text("{", encoding="utf-8")
    (folder / "list.json").write_text("[1]", encoding="utf-8")
    (folder / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    (folder / "digits.json").write_text("9" * 100_000, encoding="utf-8")
    (folder / "binary.json").write_bytes(b"\xff\xfe\x00")
    (folder / "no-job.json").write_text(json.dumps(a_record(job=1)), encoding="utf-8")
    # What follows would pass for records of the sender's own job.
    (folder / "own.json").write_text(json.dumps({**a_record(), "relayed": False}), encoding="utf-8")
    (folder / "own-1.json").write_text(json.dumps({**a_record(), "relayed": 1}), encoding="utf-8")
    (folder / "own-none.json").write_text(
        json.dumps({k: v for k, v in a_record().items() if k != "relayed"}), encoding="utf-8"
    )
    (folder / "link.json").symlink_to(folder / "good.json")
    (folder / "etc").symlink_to("/etc")
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "outside.json").write_text(json.dumps(a_record("outside")), encoding="utf-8")
    (folder / "linked").symlink_to(outside)


@node
@pytest.mark.parametrize(("strict", "code", "kind"), [("false", 0, "notice"), ("true", 1, "error")])
def test_what_is_no_record_is_told_and_not_sent_and_the_others_are(
    tmp_path: Path, strict: str, code: int, kind: str
) -> None:
    planted(tmp_path / "down")
    with Server() as server:
        got, said, job = sent(tmp_path / "down", server, **{"fail-on-error": strict})
    assert got == code
    assert [body["job"]["name"] for body in server.bodies] == ["agent"]
    assert len(server.audiences) == 1
    assert said.startswith(f"::{kind} title=Mergemeter::Not every record was sent: {records.LINK} (3 times); ")
    assert f"{records.NO_RECORD} (9 times)" in said
    assert said.count("\n") == 1
    assert job.values("output")["status"] == "not-sent"


def test_a_pipe_among_the_records_is_not_waited_for(tmp_path: Path) -> None:
    import os  # noqa: PLC0415 - mkfifo is not on every system

    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(records.Unusable, match="not one that"):
        records.read(str(tmp_path / "pipe.json"))


def test_a_record_that_is_too_large_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.json"
    path.write_text(json.dumps(a_record(notices=["x" * 2000])), encoding="utf-8")
    assert records.read(str(path))[0] == "agent"
    monkeypatch.setattr(records, "BODY_LIMIT", 1000)
    with pytest.raises(records.Unusable, match="too large"):
        records.read(str(path))


def test_no_more_records_are_sent_than_a_matrix_has_jobs(tmp_path: Path) -> None:
    for number in range(records.FILES_LIMIT + 1):
        (tmp_path / f"{number:03}.json").touch()
    paths, problems = records.listed(str(tmp_path))
    assert (len(paths), problems) == (256, [records.TOO_MANY])


def test_a_folder_without_end_is_not_walked_to_its_end(tmp_path: Path) -> None:
    at = tmp_path
    for _ in range(40):
        at /= "d"
        at.mkdir()
        for number in range(60):
            (at / f"{number}").mkdir()
    paths, problems = records.listed(str(tmp_path))
    assert (paths, problems) == ([], [records.TOO_MANY])


@node
def test_what_the_server_refuses_is_told_and_the_next_record_is_sent(tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> Answer:
        refused = {"code": "other-run", "message": f"The record was made in another workflow run. {HOSTILE}"}
        return (409, refused) if body["job"]["name"] == "one" else (201, RECORDED)

    (tmp_path / "down").mkdir()
    for name in ("one", "two"):
        (tmp_path / "down" / f"{name}.json").write_text(json.dumps(a_record(name)), encoding="utf-8")
    with Server(answer) as server:
        code, said, _ = sent(tmp_path / "down", server)
    assert code == 0
    assert [body["job"]["name"] for body in server.bodies] == ["one", "two"]
    assert "answered 409: The record was made in another workflow run." in said
    assert "(other-run)" in said
    assert said.count("\n") == 1


@node
@pytest.mark.parametrize("made", [True, False], ids=["empty", "gone"])
def test_a_folder_without_a_record_is_told(tmp_path: Path, made: bool) -> None:
    if made:
        (tmp_path / "down").mkdir()
    with Server() as server:
        code, said, _ = sent(tmp_path / "down", server)
    assert code == 0
    assert "there is no record in the folder" in said
    assert (server.audiences, server.raw) == ([], [])


@node
def test_a_sender_without_a_token_learns_which_line_is_missing(tmp_path: Path) -> None:
    job = Job(tmp_path, {"mode": "send", "server-url": "https://mergemeter.example.com", "records": "x"})
    code, said = job.main()
    assert code == 0
    assert "permissions: id-token: write" in said


WRONG = [
    ({"mode": "artifact"}, "the input mode must be one of record, watch, collect, send"),
    ({"mode": "send", "server-url": "https://x"}, "the input records is empty"),
    ({"mode": "send", "records": "x"}, "the input server-url is empty"),
    ({"mode": "send", "records": "x", "server-url": "http://x"}, "must begin with https://"),
    ({"mode": "watch", "team": "two\nlines"}, "the input team must be one line"),
]


@node
@pytest.mark.parametrize(("given", "sentence"), WRONG)
@pytest.mark.parametrize(("strict", "code"), [("false", 0), ("true", 1)])
def test_a_wrong_input_is_told_once(
    tmp_path: Path, given: dict[str, str], sentence: str, strict: str, code: int
) -> None:
    job = Job(tmp_path, {**given, "fail-on-error": strict})
    got, said = job.main()
    assert got == code
    assert sentence in said
    assert said.count("\n") == 1
    assert job.post() == (0, "")


def test_the_senders_summary_has_a_row_for_each_job_and_no_text_leaves_its_cell() -> None:
    run = {"agent": "a", "session": "s", "model_calls": 3, "output_tokens": 1_300}
    answer = {"status": HOSTILE, "agent_runs": [run, run], "cost_nano_usd": 10**9, "show_money": True}
    page = summary.relayed([("fix", answer), (HOSTILE, {})], [HOSTILE])
    assert "| `fix` | 2 | 6 | 2,600 | $1.00 |" in page
    outside = "".join(page.split("`")[::2])
    assert not any(unsafe in outside for unsafe in ("</details>", "@everyone", "::error"))
    assert len({row.count("|") for row in page.splitlines() if row.startswith("|")}) == 1


def test_a_cost_of_several_jobs_is_told_only_when_all_of_them_are_known() -> None:
    known, hidden = {"cost_nano_usd": 5 * 10**8, "show_money": True}, {"cost_nano_usd": None, "show_money": False}
    assert summary.answered([known, known])["cost-usd"] == "1"
    assert summary.answered([known, hidden])["cost-usd"] == ""
    assert summary.answered([])["cost-usd"] == ""

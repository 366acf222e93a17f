"""What agents wrote stays on the runner: not on the wire, not in the database's files, not in the server's log."""

import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.action.job import Job
from tests.action.logs import replant
from tests.e2e.stage import PATH, Stage, staged

CLAUDE, CODEX = "claude-code-2.1.330/subagent", "codex-0.169.0/subagent"
PLANTED = {
    "a prompt": "PLANTED-PROMPT rewrite the billing of our largest customer",
    "an answer": "PLANTED-ANSWER here is the new billing",
    "code": "PLANTED-CODE def transfer(account): ...",
    "a command": "PLANTED-COMMAND psql --host prod",
    "a command's output": "PLANTED-OUTPUT 4711 rows",
    "a key": "sk-ant-PLANTED0123456789abcdef",
    "a token": "ghp_PLANTED0123456789abcdef",
    "a file's name": "PLANTED-FILE.py",
    "a thought": "PLANTED-THOUGHT the user will not notice",
    "a folder": "PLANTED-FOLDER",
    "a branch": "PLANTED-BRANCH",
    "an error": "PLANTED-ERROR connection refused",
}


class Wire:
    """A proxy in front of the App that remembers every byte that came from the runner."""

    def __init__(self, target: str) -> None:
        self.heard = b""
        outer, port = self, int(urlsplit(target).port or 0)

        class Passing(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.heard += bytes(self.headers) + body
                onward = HTTPConnection("127.0.0.1", port, timeout=30)
                onward.request("POST", self.path, body, dict(self.headers.items()))
                answer = onward.getresponse()
                content = answer.read()
                onward.close()
                self.send_response(answer.status)
                for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(content)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def wired(target: str) -> Iterator[Wire]:
    wire = Wire(target)
    thread = threading.Thread(target=wire.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield wire
    finally:
        wire.server.shutdown()
        thread.join()
        wire.server.server_close()


def plant(home: Path) -> None:
    """Real logs of both agents, of just now, with secrets wherever an agent writes text."""
    now = datetime.now(UTC)
    for scenario in (CLAUDE, CODEX):
        replant(scenario, home, now)
    projects = home / ".claude" / "projects"
    (folder,) = projects.iterdir()
    folder.rename(projects / f"-home-runner-work-{PLANTED['a folder']}")
    for number, path in enumerate(sorted(home.rglob("*.jsonl"))):
        entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        told = [*map(_told, entries), *_said(path, number, now + timedelta(milliseconds=1))]
        path.write_text("".join(json.dumps(entry) + "\n" for entry in told), encoding="utf-8")


def _told(entry: dict[str, Any]) -> dict[str, Any]:
    """A log's own line with more text in it, at every place for text that it has."""
    everything = " ".join(PLANTED.values())
    if "cwd" in entry:
        entry |= {"cwd": f"/home/runner/{PLANTED['a folder']}", "gitBranch": PLANTED["a branch"]}
    message = entry.get("message")
    if isinstance(message, dict) and isinstance(message.get("content"), list):
        message["content"] += [
            {"type": "text", "text": everything},
            {"type": "thinking", "thinking": everything, "signature": everything},
            {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": everything}},
        ]
    if isinstance(entry.get("payload"), dict):
        entry["payload"] |= {"cwd": f"/x/{PLANTED['a folder']}", "instructions": everything, "output": everything}
    return entry


def _said(path: Path, number: int, at: datetime) -> list[dict[str, Any]]:
    """Further lines as the agents write them around their answers."""
    everything = " ".join(PLANTED.values())
    stamp = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
    if ".codex" in str(path):
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": everything}]}
        call = {"type": "function_call_output", "call_id": "c", "output": everything}
        return [{"timestamp": stamp, "type": "response_item", "payload": payload} for payload in (item, call)]
    session = {
        "sessionId": path.stem,
        "timestamp": stamp,
        "uuid": f"planted-{number}",
        "cwd": f"/{PLANTED['a folder']}",
    }
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": everything}
    return [
        {**session, "type": "user", "message": {"role": "user", "content": everything}},
        {
            **session,
            "type": "user",
            "message": {"role": "user", "content": [result]},
            "toolUseResult": {"stdout": everything},
        },
        {**session, "type": "summary", "summary": everything},
        {**session, "type": "system", "content": everything, "level": "error"},
        {
            **session,
            "type": "assistant",
            "message": {"id": "msg_planted", "model": "claude-sonnet-4-5", "usage": everything},
        },
    ]


class Played:
    """What a job with planted logs left everywhere."""

    def __init__(self, stage: Stage, wire: Wire, printed: str, folder: Path) -> None:
        self.stage, self.wire, self.printed, self.folder = stage, wire, printed, folder


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """One job on a stage of its own, with its pull merged and GitHub failing in between, so that errors are logged."""
    folder = tmp_path_factory.mktemp("privacy")
    with staged(folder) as stage, wired(stage.server.url) as wire:
        org = stage.organisation("private")
        pull = org.open()
        run = stage.gh.start_workflow_run(org.repository, pull=pull, path=PATH)
        inputs = {"server-url": wire.url, "audience": stage.server.url, "team": "payments", "purpose": "author"}
        env = {**run["env"], "GITHUB_HEAD_REF": PLANTED["a branch"], "SOME_SECRET": PLANTED["a token"]}
        job = Job(folder / "runner", inputs, env)
        job.set_event(run["event"])
        code, printed = job.main()
        assert code == 0, printed
        plant(job.home)
        code, more = job.post(ANTHROPIC_API_KEY=PLANTED["a key"])
        assert code == 0, more
        assert job.values("output")["status"] == "recorded", more
        stage.gh.fail("status", path=f"/repos/{org.repository}", method="POST")
        stage.gh.fail("secondary", path=f"/repos/{org.repository}/issues", method="POST", retry_after_s=1)
        stage.gh.merge(org.repository, pull)
        stage.record(run, b"x" * 1_000)
        stage.record(run, {}, algorithm="none")
        org.settle()
        assert org.comment(pull) is not None
        assert org.books()["pull", pull] > 0
        yield Played(stage, wire, printed + more + job.summary() + "".join(job.values("output").values()), folder)


@pytest.mark.optional("node")
@pytest.mark.parametrize("what", PLANTED)
def test_what_an_agent_wrote_leaves_no_trace(played: Played, what: str) -> None:
    planted = PLANTED[what].encode()
    assert b'"claude-code"' in played.wire.heard
    assert b'"codex"' in played.wire.heard
    assert planted not in played.wire.heard
    assert planted.decode() not in played.printed
    for path, content in kept(played):
        assert planted not in content, path


@pytest.mark.optional("node")
def test_the_record_that_is_kept_compressed_holds_numbers_and_ids_alone(played: Played) -> None:
    bodies = [zlib.decompress(row[0]) for row in played.stage.rows("SELECT body FROM record")]
    assert len(bodies) >= 2
    for body in bodies:
        assert b"PLANTED" not in body
        assert b"/home/" not in body


@pytest.mark.optional("node")
def test_no_secret_is_in_a_log_or_in_the_database_even_at_debug(played: Played) -> None:
    stage = played.stage
    assert stage.server.environ["MERGEMETER_LOG_LEVEL"] == "DEBUG"
    assert "GitHub limits our requests" in stage.server.log() or "502" in stage.server.log()
    stage.check_log()
    for path, content in kept(played):
        for number, secret in enumerate(stage.secrets()):
            assert secret.encode() not in content, f"secret {number} is in {path}"


def kept(played: Played) -> list[tuple[str, bytes]]:
    """Every file that the App wrote: database, its write-ahead log, and the server's log."""
    found = [(str(path), path.read_bytes()) for path in played.folder.glob("*") if path.is_file()]
    assert {Path(path).name for path, _ in found} >= {"mergemeter.sqlite3", "server.log"}
    return found

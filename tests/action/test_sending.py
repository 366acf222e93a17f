"""What the Action does when the network, the server or an answer is not as it should be."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import record
import send
import summary
from collect.calls import AgentRun, Call
from hypothesis import given
from hypothesis import strategies as st
from runner.commands import escape

from tests.action.job import Job
from tests.action.logs import replant
from tests.action.server import RECORDED, Answer, Server

node = pytest.mark.optional("node")
HOSTILE = "x\n::error::owned\r\n::set-output name=a::b %0A</details><img src=x> @everyone [a](http://b) `c` | d"


def finished(tmp_path: Path, server: Server) -> tuple[int, str, Job]:
    job = Job(tmp_path, {"server-url": server.url}, server.environ())
    job.main()
    replant("codex-0.169.0/basic", job.home, datetime.now(UTC) + timedelta(milliseconds=5))
    return *job.post(), job


@node
def test_a_server_that_stumbles_gets_the_same_bytes_with_the_same_token_again(tmp_path: Path) -> None:
    def stumbling(body: dict[str, Any]) -> Answer:
        tries = sum(sent["phase"] == "closed" for sent in server.bodies)
        return (503, {}) if body["phase"] == "closed" and tries < 3 else (201, RECORDED)

    with Server(stumbling) as server:
        code, output, _ = finished(tmp_path, server)
    assert (code, output) == (0, "")
    assert [body["phase"] for body in server.bodies] == ["opened", "closed", "closed", "closed"]
    assert len(set(server.tokens[1:])) == len(set(server.raw[1:])) == 1


@node
def test_a_refusal_is_told_with_the_servers_reason_and_not_repeated(tmp_path: Path) -> None:
    with Server(lambda _: (403, {"code": "not-installed", "message": HOSTILE})) as server:
        code, output, job = finished(tmp_path, server)
    assert code == 0
    assert len(server.bodies) == 2
    assert "answered 403: x%0A::error::owned" in output
    assert [line for line in output.splitlines() if line.startswith("::")] == output.splitlines()[:1]
    assert "<img" not in job.summary().replace("`", "").partition("<img")[0]
    assert all(line.count("`") % 2 == 0 for line in job.summary().splitlines())


@node
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((301, {"location": "http://127.0.0.1:9/"}), "redirects elsewhere"),
        ((200, {}), "an answer that is not Mergemeter's"),
        ((404, {}), "answered 404"),
    ],
)
def test_other_answers_are_told(tmp_path: Path, answer: Answer, sentence: str) -> None:
    with Server(lambda _: answer) as server:
        code, output, _ = finished(tmp_path, server)
    assert code == 0
    assert sentence in output
    assert output.count("::notice") == 1


@node
def test_a_token_that_github_refuses_is_told(tmp_path: Path) -> None:
    with Server(token_status=403) as server:
        code, output, _ = finished(tmp_path, server)
    assert code == 0
    assert server.bodies == []
    assert "answered 403" in output


@contextmanager
def dripping() -> Iterator[str]:
    """A server that sends a byte of its answer now and then, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection:
            while not stop.wait(0.1):
                try:
                    connection.sendall(b"H")
                except OSError:
                    return

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.close()


def test_work_is_waited_for_no_longer_than_its_budget() -> None:
    began = time.monotonic()
    with dripping() as url, pytest.raises(send.Unsent, match="in time"):
        send.within(0.5, lambda deadline: send.record({}, url, "t", b"{}", deadline))
    assert time.monotonic() - began < 2


@node
def test_a_server_that_hangs_holds_the_start_of_a_job_for_seconds_at_most(tmp_path: Path) -> None:
    with dripping() as url, Server() as tokens:
        job = Job(tmp_path, {"server-url": url}, tokens.environ())
        began = time.monotonic()
        assert job.main() == (0, "")
        assert time.monotonic() - began < 5


def test_a_record_never_exceeds_what_the_server_takes_and_says_what_it_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "BODY_LIMIT", 20_000)
    small, large = AgentRun("codex", "small"), AgentRun("codex", "large")
    small.calls = [Call("a", "openai", "gpt-5", 0)]
    large.calls = [Call(f"resp_{number}", "openai", "gpt-5", number) for number in range(1000)]
    given = {"purpose": "other", "team": "", "tags": {}}
    body = record.closed(record.job_of({}, "", 0, None), given, [small, large], [], [], 1)
    assert len(body) <= 20_000
    assert (small.completeness, large.completeness) == ("complete", "lower_bound")
    assert len(small.calls) == 1
    assert len(large.calls) > 50


PROXIES: list[tuple[dict[str, str], str, str]] = [
    ({"HTTPS_PROXY": "http://p:3128"}, "mergemeter.example.com", "http://p:3128"),
    ({"https_proxy": "http://p:3128", "no_proxy": "example.com"}, "mergemeter.example.com", ""),
    ({"https_proxy": "http://p:3128", "no_proxy": "*"}, "mergemeter.example.com", ""),
    ({"https_proxy": "http://p:3128", "no_proxy": "ample.com"}, "mergemeter.example.com", "http://p:3128"),
    ({"https_proxy": "http://p:3128"}, "localhost", ""),
    ({"http_proxy": "http://p:3128"}, "mergemeter.example.com", ""),
]


@pytest.mark.parametrize(("environ", "host", "proxy"), PROXIES)
def test_the_proxy_is_the_environments(environ: dict[str, str], host: str, proxy: str) -> None:
    assert send._proxy(host, environ) == proxy


@given(st.text())
def test_a_message_never_becomes_a_command(message: str) -> None:
    escaped = escape(message)
    assert "\n" not in escaped
    assert "\r" not in escaped
    assert "##[" not in escaped
    decoded = escaped.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
    assert decoded.replace("# #[", "##[") == message.replace("# #[", "##[")


@given(st.text())
def test_outside_text_stays_in_its_code_span(value: str) -> None:
    shown = summary.code(value)
    assert shown == "–" or (shown[0] == shown[-1] == "`" and not set(shown[1:-1]) & set("`|\n\r\\"))


def test_a_model_with_a_hostile_name_cannot_break_the_summary() -> None:
    run = AgentRun("claude-code", "s")
    run.calls = [Call("msg_1", "anthropic", HOSTILE, 0)]
    page = summary.markdown([run], {"agent_runs": [], "show_money": False}, "", [])
    outside = "".join(page.split("`")[::2])
    for unsafe in ("<img", "@everyone", "](http", "::"):
        assert unsafe not in outside
    assert len({row.count("|") for row in page.splitlines() if row.startswith("|")}) == 1


@pytest.mark.parametrize(
    ("nano", "exact", "shown"),
    [
        (0, "0", "$0.00"), (1, "0.000000001", "$0.0000"), (12_345_678, "0.012345678", "$0.0123"),
        (1_234_567_891, "1.234567891", "$1.23"), (1_995_000_000_000, "1995", "$1,995.00"), (None, "", "unknown"),
        (-1, "", "unknown"), (True, "", "unknown"), ("1", "", "unknown"),
    ],
)  # fmt: skip
def test_amounts_are_exact_in_outputs_and_short_for_people(nano: object, exact: str, shown: str) -> None:
    assert (summary.usd(nano), summary.dollars(nano)) == (exact, shown)

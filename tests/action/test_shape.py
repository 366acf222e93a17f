"""The shape of the work: what is counted of real and of written logs, and that nothing but counts leaves."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import summary
from collect import collect
from collect.calls import AgentRun
from collect.files import LogFile, tail_digest
from collect.places import Surroundings
from collect.shape import KINDS, Shape, Step, Steps, fresh_steps, hashed
from collect.window import Window
from hypothesis import given
from hypothesis import strategies as st

from tests.action.logs import home_of

SESSION = "0a1b2c3d-0000-4000-8000-000000000001"
START = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
CANARIES = ("CanaryPath", "CanaryCommand", "CanaryPrompt", "CanaryOutput", "CanaryTool")


def shapes(home: Path, window: Window | None = None) -> list[dict[str, Any] | None]:
    runs, _ = collect(Surroundings([str(home)], {}, "", ""), window or Window())
    return [run.shape.as_json() if run.shape else None for run in runs]


def stamp(second: int) -> str:
    return (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Log:
    """A log of one session, written line by line as the agents write theirs."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write(self, path: Path, separators: tuple[str, str] = (",", ":")) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line, separators=separators) + "\n" for line in self.lines), "utf-8")
        return path

    # ---- Claude Code

    def claude(self, kind: str, message: object, **more: Any) -> None:
        number = len(self.lines)
        shared = {"uuid": f"00000000-0000-4000-8000-{number:012}", "timestamp": stamp(number), "sessionId": SESSION}
        self.lines.append({"isSidechain": False, "type": kind, "message": message, **shared, **more})

    def ask(self, prompt: str, **more: Any) -> None:
        self.claude("user", {"role": "user", "content": prompt}, **more)

    def call(self, name: str, given: dict[str, Any], failed: bool | None = None, **more: Any) -> None:
        number = len(self.lines)
        block = {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": f"msg_{number}", "model": "claude-x", "stop_reason": "tool_use", "usage": usage}
        self.claude("assistant", {**message, "content": [block]}, requestId=f"req_{number}", **more)
        result = {"tool_use_id": f"toolu_{number}", "type": "tool_result", "content": "CanaryOutput"}
        told = {} if failed is None else {"is_error": failed}
        self.claude("user", {"role": "user", "content": [{**result, **told}]}, toolUseResult="CanaryOutput", **more)

    def retry(self) -> None:
        self.claude("system", None, subtype="api_error", retryAttempt=1)

    # ---- Codex

    def codex(self, kind: str, **payload: Any) -> None:
        self.lines.append({"timestamp": stamp(len(self.lines)), "type": kind, "payload": payload})

    def run(self, name: str, given: str, output: str, kind: str = "function_call") -> None:
        call_id = f"call_{len(self.lines)}"
        self.codex("response_item", type=kind, name=name, arguments=given, call_id=call_id)
        self.codex("response_item", type=f"{kind}_output", call_id=call_id, output=output)


def claude_log(home: Path) -> Path:
    return home / ".claude" / "projects" / "-x" / f"{SESSION}.jsonl"


def worked() -> Log:
    log = Log()
    log.ask("CanaryPrompt one")
    log.call("Read", {"file_path": "/CanaryPath/a"}, failed=False)
    log.call("Read", {"file_path": "/CanaryPath/a", "offset": 10})
    log.call("Read", {"file_path": "/CanaryPath/b"}, failed=True)
    log.call("Bash", {"command": "CanaryCommand"}, failed=True)
    log.call("Bash", {"command": "CanaryCommand"}, failed=False)
    log.retry()
    log.ask("CanaryPrompt two")
    log.call("Edit", {"file_path": "/CanaryPath/a", "old_string": "x", "new_string": '"is_error":true'})
    log.call("mcp__CanaryTool__do", {"x": 1})
    log.call("Grep", {"pattern": "CanaryCommand"})
    log.call("WebFetch", {"url": "https://CanaryPath.example"})
    log.ask("no prompt but a note", isMeta=True)
    log.ask("what was said before", isCompactSummary=True)
    return log


WORKED = {
    "turns": 2,
    "tool_calls": {"read": 3, "edit": 1, "command": 2, "search": 1, "web": 1, "agent": 0, "other": 1},
    "repeated_reads": 1,
    "repeated_requests": 1,
    "failed_tool_calls": 2,
    "retries": 1,
    "subagents": 0,
}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
def test_what_claude_code_did_is_counted(tmp_path: Path, separators: tuple[str, str]) -> None:
    worked().write(claude_log(tmp_path), separators)
    assert shapes(tmp_path) == [WORKED]


REAL = [
    ("claude-code-2.1.330/subagent", {"turns": 1, "subagents": 1, "repeated_requests": 1}, {"command": 2, "agent": 1}),
    ("codex-0.169.0/subagent", {"turns": 1, "subagents": 1, "repeated_requests": 1}, {"command": 2, "agent": 1}),
    ("codex-0.118.0/basic", {"turns": 1, "subagents": 0, "repeated_requests": 1}, {"command": 2}),
    ("codex-0.63.0/basic", {"turns": 1, "subagents": 0, "repeated_requests": 1}, {"command": 2}),
]


@pytest.mark.parametrize(("scenario", "counts", "calls"), REAL, ids=[scenario for scenario, _, _ in REAL])
def test_real_logs_give_what_their_agents_did(scenario: str, counts: dict[str, int], calls: dict[str, int]) -> None:
    for shape in shapes(home_of(scenario)):
        assert shape is not None
        assert {name: shape[name] for name in counts} == counts
        assert {kind: number for kind, number in shape["tool_calls"].items() if number} == calls


def test_retries_of_real_sessions_are_counted() -> None:
    told = [shape["retries"] for shape in shapes(home_of("claude-code-2.1.330/errors")) if shape]
    assert sorted(told) == [0, 0, 0, 2, 5]


def test_what_codex_cannot_tell_is_absent() -> None:
    (shape,) = shapes(home_of("codex-0.169.0/basic"))
    assert shape is not None
    assert not {"repeated_reads", "retries"} & shape.keys()


def test_a_fork_counts_only_what_it_did_itself() -> None:
    (whole, *forks) = shapes(home_of("claude-code-2.1.330/resume"))
    assert whole is not None
    assert whole["turns"] == 3
    for fork in forks:
        assert fork is not None
        assert (fork["turns"], sum(fork["tool_calls"].values())) == (1, 2)


def test_only_what_this_job_did_is_counted(tmp_path: Path) -> None:
    """The first turn stood in the file when the job began: its reads are nobody's first reads either."""
    path = claude_log(tmp_path)
    before = next(number for number, line in enumerate(worked().lines) if "two" in str(line["message"]))
    log = worked()
    log.call("Read", {"file_path": "/CanaryPath/b"})
    log.write(path)
    size = sum(len(line) for line in path.read_bytes().splitlines(keepends=True)[:before])
    known = {str(path): (size, tail_digest(str(path), size))}
    window = Window(int(START.timestamp()) * 10**6, path.stat().st_mtime_ns // 1000, known)
    (shape,) = shapes(tmp_path, window)
    assert shape == {
        "turns": 1,
        "tool_calls": {**dict.fromkeys(KINDS, 0), "read": 1, "edit": 1, "search": 1, "web": 1, "other": 1},
        "repeated_reads": 0,
        "repeated_requests": 0,
        "failed_tool_calls": 0,
        "retries": 0,
        "subagents": 0,
    }


CODEX_OUTPUTS = [
    ("Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code 0\nOutput:\nExit code: 1\n", False),
    ("Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code 2\nOutput:\nfine\n", True),
    ("Exit code: 0\nWall time: 0 seconds\nOutput:\nProcess exited with code 9\n", False),
    ("Exit code: 127\nWall time: 0 seconds\nOutput:\n\n", True),
    (json.dumps({"output": "x" * 9000, "metadata": {"exit_code": 1, "duration_seconds": 0.1}}), True),
    (json.dumps({"output": 'a "metadata":{"exit_code":1}', "metadata": {"exit_code": 0}}), False),
    ("it says Exit code: 3", False),
    ("", False),
]


@pytest.mark.parametrize("kind", ["function_call", "custom_tool_call"])
@pytest.mark.parametrize(("output", "failed"), CODEX_OUTPUTS)
def test_a_codex_call_failed_when_its_output_tells_an_exit_code(
    tmp_path: Path, kind: str, output: str, failed: bool
) -> None:
    log = Log()
    log.codex("session_meta", id=SESSION, cwd="/CanaryPath", cli_version="0.169.0", model_provider="openai")
    log.codex("event_msg", type="task_started", turn_id="t1")
    log.run("shell", '{"command": "CanaryCommand"}', output, kind)
    usage = dict.fromkeys(("input_tokens", "output_tokens"), 1)
    log.codex("token_usage_record", response_id="resp_1", usage=usage)
    log.codex("event_msg", type="task_complete", turn_id="t1")
    log.write(tmp_path / ".codex" / "sessions" / f"rollout-2026-10-01T12-00-00-{SESSION}.jsonl")
    (shape,) = shapes(tmp_path)
    assert shape is not None
    assert (shape["failed_tool_calls"], shape["tool_calls"]["command"], shape["turns"]) == (int(failed), 1, 1)


def test_no_path_command_prompt_output_or_tool_name_leaves(tmp_path: Path) -> None:
    path = worked().write(claude_log(tmp_path))
    assert all(canary in path.read_text(encoding="utf-8") for canary in CANARIES)
    runs, notices = collect(Surroundings([str(tmp_path)], {}, "", ""), Window())
    sent = json.dumps([run.as_json() for run in runs]) + summary.markdown(runs, None, "", notices)
    assert '"failed_tool_calls": 2' in sent
    assert not [canary for canary in CANARIES if canary.lower() in sent.lower()]
    held = repr([(run.shape.steps, run.shape.failed) for run in runs if run.shape])
    assert not [canary for canary in CANARIES if canary in held]
    hashes = [hashed("/CanaryPath/a"), hashed(("Bash", {"command": "CanaryCommand"}))]
    assert not [each for each in hashes if each.hex() in sent]


ODD: list[object] = [None, [], {}, [[]], {"a": [1]}, 3, True, "", "x" * 9000, "\ud800"]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("field", ["type", "id", "name", "input", "file_path", "tool_use_id", "content"])
def test_odd_values_neither_stop_the_reading_nor_lose_a_call(tmp_path: Path, field: str, odd: object) -> None:
    log = worked()
    for line in log.lines:
        content = line["message"]["content"] if line["message"] else None
        for block in content if isinstance(content, list) else ():
            place = block["input"] if field == "file_path" and "input" in block else block
            place.update({field: odd} if field in place else {})
    log.call("Read", {"deep": json.loads("[" * 500 + "]" * 500)})
    log.write(claude_log(tmp_path))
    (run,), _ = collect(Surroundings([str(tmp_path)], {}, "", ""), Window())
    assert len(run.calls) == 10
    assert run.shape is not None
    assert set(run.shape.as_json()) == set(WORKED)


def test_odd_values_in_a_rollout_do_not_stop_the_reading(tmp_path: Path) -> None:
    log = Log()
    log.codex("session_meta", id=SESSION, cwd="/x", cli_version="0.169.0", model_provider="openai")
    for odd in ODD:
        for field in ("type", "name", "arguments", "call_id", "action", "input"):
            log.codex("response_item", **{"type": "function_call", "name": "shell", "call_id": "c", field: odd})
        log.codex("event_msg", type="task_started", turn_id=odd)
        log.codex("event_msg", type=odd, mark="function_call")
    log.codex("token_usage_record", response_id="r", usage={"input_tokens": 1, "output_tokens": 1})
    log.write(tmp_path / ".codex" / "sessions" / f"rollout-2026-10-01T12-00-00-{SESSION}.jsonl")
    (run,), _ = collect(Surroundings([str(tmp_path)], {}, "", ""), Window())
    assert len(run.calls) == 1
    assert run.shape is not None


def test_an_agent_whose_log_is_not_looked_at_has_no_shape() -> None:
    assert "shape" not in AgentRun("aider", "s").as_json()


def test_the_summary_tells_tool_calls_in_one_line() -> None:
    run = AgentRun("codex", "s")
    run.shape = Shape(reads=False, retries=False)
    steps = [Step(0, 0, "command", bytes([number]), b"same") for number in range(3)]
    run.shape.add(steps, [bytes([1])], 0)
    assert "3 tool calls, of which 2 asked the same again and 1 failed." in summary.markdown([run], None, "", [])
    assert "tool calls" not in summary.markdown([AgentRun("codex", "s")], None, "", [])


# ---- laws -----------------------------------------------------------------------------------------------------------

made = st.builds(
    Step,
    offset=st.integers(0, 50),
    at_us=st.integers(0, 9),
    what=st.sampled_from(["turn", "retry", *KINDS]),
    key=st.binary(min_size=1, max_size=1),
    request=st.sampled_from([b"a", b"b", b"c"]),
    file=st.sampled_from([b"", b"x", b"y"]),
)
logs = st.lists(st.tuples(st.lists(made, max_size=12), st.integers(0, 50)), max_size=4)


@given(logs)
def test_a_step_counts_once_and_never_when_it_stood_there_before(logged: list[tuple[list[Step], int]]) -> None:
    given_logs = []
    for number, (listed, old_size) in enumerate(logged):
        steps, file = Steps(), LogFile(str(number), 100, 0)
        steps.made, file.old_size = listed, old_size
        given_logs.append((steps, file))
    fresh = [step for listed in fresh_steps(given_logs, Window()) for step in listed]
    keys = [step.key for step in fresh]
    before = {step.key for listed, old_size in logged for step in listed if step.offset < old_size}
    assert len(keys) == len(set(keys))
    assert set(keys) == {step.key for listed, _ in logged for step in listed} - before


@given(st.lists(made, max_size=30), st.lists(st.binary(min_size=1, max_size=1), max_size=9))
def test_no_part_is_more_than_its_whole(listed: list[Step], failed: list[bytes]) -> None:
    shape = Shape(reads=True, retries=True)
    shape.add([step if step.what == "read" else step._replace(file=b"") for step in listed], failed, 0)
    counts = shape.as_json()
    calls = sum(counts["tool_calls"].values())
    assert counts["turns"] + counts["retries"] + calls == len(listed)
    assert 0 <= counts["repeated_requests"] <= max(0, calls - 1)
    assert 0 <= counts["failed_tool_calls"] <= calls
    assert 0 <= counts["repeated_reads"] <= counts["tool_calls"]["read"]

"""Lines of Claude Code's transcripts that are looked at as bytes: when a log ends unanswered, and what is no step."""

import json
from pathlib import Path
from typing import Any

import pytest
from collect import collect
from collect.calls import AgentRun
from collect.claude_transcript import UNANSWERED
from collect.files import tail_digest
from collect.places import Surroundings
from collect.sources import BROKEN
from collect.window import Window

SESSION = "11111111-2222-4333-8444-555555555555"
Lines = list[dict[str, Any]]


def stamped(kind: str, second: int, **more: Any) -> dict[str, Any]:
    own = {"uuid": f"uuid-{second}", "timestamp": f"2026-11-23T10:00:{second:02d}.000Z", "sessionId": SESSION}
    return {"parentUuid": None, "type": kind, **more, **own}


def answer(second: int = 10) -> dict[str, Any]:
    usage = {"input_tokens": 5, "output_tokens": 7}
    message: dict[str, Any] = {
        "model": "claude-x",
        "id": f"msg_{second}",
        "type": "message",
        "role": "assistant",
        "content": [],
    }
    message |= {"stop_reason": "end_turn", "usage": usage}
    line = stamped("assistant", second, requestId=f"req_{second}")
    return {"parentUuid": line.pop("parentUuid"), "message": message, **line}  # its type stands behind the message


PROMPT = stamped("user", 20, message={"role": "user", "content": "please"})
NOTE = stamped("user", 30, message={"role": "user", "content": "a note"}, isMeta=True)
REQUEST = {"type": "api-request", **stamped("api-request", 40, id="1")}
RESULT = stamped("user", 50, message={"role": "user", "content": [{"tool_use_id": "t", "type": "tool_result"}]})


def read(home: Path, content: bytes) -> AgentRun:
    path = home / ".claude" / "projects" / "p" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    ((run,), _) = collect(Surroundings([str(home)]), Window())
    return run


def jsonl(lines: Lines, separators: tuple[str, str] = (",", ":")) -> bytes:
    return b"".join(json.dumps(line, separators=separators).encode() + b"\n" for line in lines)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
@pytest.mark.parametrize(
    ("after", "unanswered"),
    [
        ([], False), ([NOTE], False), ([NOTE, NOTE], False), ([PROMPT, answer(50)], False), ([NOTE, answer(50)], False),
        ([PROMPT], True), ([PROMPT, NOTE], True), ([RESULT, RESULT], True), ([REQUEST], True), ([REQUEST, NOTE], True),
        ([NOTE, REQUEST], True), ([PROMPT, answer(45), RESULT], True), ([PROMPT, NOTE, answer(45), NOTE], False),
    ],
)  # fmt: skip
def test_a_log_ends_unanswered_when_its_last_prompt_result_or_request_has_no_answer(
    tmp_path: Path, after: Lines, unanswered: bool, separators: tuple[str, str]
) -> None:
    run = read(tmp_path, jsonl([answer(), *after], separators))
    assert run.reasons == ([UNANSWERED] if unanswered else [])


@pytest.mark.parametrize("kept", [0.7, 0.9])
@pytest.mark.parametrize("side", ["beginning", "end"])
def test_an_answer_of_which_one_side_is_lost_is_told(tmp_path: Path, side: str, kept: float) -> None:
    line = jsonl([answer(20)])[:-1]
    part = int(len(line) * kept)
    torn = line[-part:] if side == "beginning" else line[:part]
    run = read(tmp_path, jsonl([answer()]) + torn + b"\n" + jsonl([answer(30)]))
    assert (len(run.calls), run.reasons) == (2, [BROKEN])


def turns(run: AgentRun) -> int:
    assert run.shape is not None
    told: int = run.shape.as_json()["turns"]
    return told


def test_a_prompt_behind_a_torn_request_is_a_turn_and_a_request_is_none(tmp_path: Path) -> None:
    torn = jsonl([REQUEST])[:30]
    assert turns(read(tmp_path, torn + jsonl([PROMPT, answer(21), REQUEST, answer(41)]))) == 1


def test_what_only_mentions_an_error_of_the_api_is_no_retry(tmp_path: Path) -> None:
    mention = stamped("attachment", 15, text="an api_error")
    run = read(tmp_path, jsonl([answer(), mention, stamped("system", 16, subtype="api_error"), answer(17)]))
    assert run.shape is not None
    assert run.shape.as_json()["retries"] == 1


# ---- links to pulls -------------------------------------------------------------------------------------------------


def link(number: object = 12, place: object = "acme/widgets") -> dict[str, Any]:
    url = f"https://github.com/{place}/pull/{number}"
    return {"type": "pr-link", "sessionId": SESSION, "prNumber": number, "prUrl": url, "prRepository": place}


def linked(home: Path, *lines: dict[str, Any], tail: bytes = b"", repository: str = "Acme/Widgets") -> AgentRun:
    path = home / ".claude" / "projects" / "p" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jsonl([answer(), *lines]) + tail)
    ((run,), _) = collect(Surroundings([str(home)], repository=repository), Window())
    return run


def test_the_pulls_of_the_jobs_repository_with_which_a_session_is_linked_are_claimed_of_it(tmp_path: Path) -> None:
    run = linked(tmp_path, link(13), link(12), link(13), link(99, "acme/other"))
    assert (run.pulls, run.as_json()["pulls"]) == ([12, 13], [12, 13])
    assert [call.pull for call in run.calls] == [0]
    assert linked(tmp_path, link(), repository="").pulls == []


@pytest.mark.parametrize("wrong", [link("12"), link(None), link(0), link(True), link(2**31), link(12, None)])
def test_a_link_that_is_none_is_passed_over(tmp_path: Path, wrong: dict[str, Any]) -> None:
    run = linked(tmp_path, wrong, link(7))
    assert (run.pulls, run.completeness, len(run.calls)) == ([7], "complete", 1)


def test_a_torn_link_is_no_sign_of_missing_calls(tmp_path: Path) -> None:
    run = linked(tmp_path, tail=jsonl([link()])[:-20])
    assert (run.pulls, run.completeness) == ([], "complete")


def test_a_link_that_stood_in_the_log_before_the_job_is_not_claimed(tmp_path: Path) -> None:
    path = tmp_path / ".claude" / "projects" / "p" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True)
    old = jsonl([answer(5), link(11)])
    path.write_bytes(old)
    known = {str(path.resolve()): (len(old), tail_digest(str(path), len(old)))}
    path.write_bytes(old + jsonl([answer(), link(12)]))
    ((run,), _) = collect(Surroundings([str(tmp_path)], repository="acme/widgets"), Window(known=known))
    assert run.pulls == [12]

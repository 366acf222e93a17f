"""Lines found by their marks are those that looking at each line finds, wherever blocks end and however lines break."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from collect import collect, files
from collect.claude_transcript import UNANSWERED
from collect.places import Surroundings
from collect.sources import BROKEN, CUT
from collect.window import Window
from hypothesis import given
from hypothesis import strategies as st

from tests.action.logs import LOGS

MARKS = re.compile(rb'"usage"|cost')
PARTS = [b'"usage"', b"cost", b'"usa', b'ge"', b"\n", b"\n\n", b"{}", b"x" * 40]
contents = st.lists(st.sampled_from(PARTS) | st.binary(max_size=5), max_size=30).map(b"".join)
SESSION = "11111111-2222-4333-8444-555555555555"


@contextmanager
def small_blocks(block: int, limit: int = files.LINE_LIMIT) -> Iterator[None]:
    """Files are read in blocks of so many bytes, the first as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "FIRST", block)
        patch.setattr(files, "BLOCK", block)
        patch.setattr(files, "LINE_LIMIT", limit)
        yield


@given(contents, st.integers(1, 60))
def test_marked_lines_are_the_lines_with_a_mark_and_those_that_are_not_whole(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, block: int
) -> None:
    path = tmp_path_factory.mktemp("marked") / "log"
    path.write_bytes(content)
    with small_blocks(block, limit=64):
        every = list(files.lines(str(path)))
        marked = list(files.marked_lines(str(path), MARKS))
    assert marked == [(at, line, whole) for at, line, whole in every if not whole or MARKS.search(line)]


@given(contents, st.integers(1, 60))
def test_lines_are_the_same_in_blocks_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, block: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "log"
    path.write_bytes(content)
    every = list(files.lines(str(path)))
    with small_blocks(block):
        assert list(files.lines(str(path))) == every


def test_of_a_line_over_the_limit_the_beginning_is_given_and_the_next_line_stands_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a" * 100 + b"\n" + b"b" * 20 + b'"usage"\nc')
    with small_blocks(16, limit=32):
        (at, line, whole), *others = files.marked_lines(str(path), MARKS)
    assert (at, set(line), 32 <= len(line) <= 48, whole) == (0, set(b"a"), True, False)
    assert others == [(101, b"b" * 20 + b'"usage"', True), (129, b"c", False)]


def records(name: str) -> list[dict[str, Any]]:
    paths = sorted((LOGS / "claude-code-2.1.330" / name / "home").rglob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


REAL = [record for name in ("basic-json", "subagent", "errors") for record in records(name)]
texts = st.text(st.sampled_from('{}[]:,"\\/\nusage assistant é \ud800'), max_size=20)
noise = st.dictionaries(st.sampled_from(["usage", "type", "assistant", "timestamp", "isMeta", "cost-state"]), texts)


@st.composite
def transcript(draw: st.DrawFn) -> bytes:
    """Real lines in any order and number, with other text in places, spaced or not; torn answers, a torn end."""
    lines = []
    for record in draw(st.lists(st.sampled_from(REAL), max_size=12)):
        changed = {**record, "sessionId": SESSION}
        if isinstance(record.get("message"), dict):
            said = [{"type": "tool_use", "input": draw(noise)}, {"type": "text", "text": draw(texts)}]
            changed["message"] = {**record["message"], "content": said}
        line = json.dumps(changed, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))).encode()
        torn = record["type"] == "assistant" and draw(st.integers(0, 9)) == 0
        lines.append(line[: draw(st.integers(0, len(line)))] if torn else line)
    content = b"\n".join(lines)
    return content + b"\n" if draw(st.booleans()) else content[: len(content) - draw(st.integers(0, 300))]


Told = tuple[dict[tuple[str, str], tuple[int, ...]], set[str]]


def plainly(content: bytes) -> Told:
    """The usage of each response and what is doubted, from every line as decoded JSON and nothing else."""
    calls: dict[tuple[str, str], tuple[int, ...]] = {}
    doubts: set[str] = set()
    asked = False
    *whole, last = content.split(b"\n")
    for number, line in enumerate([*whole, last]):
        try:
            record = json.loads(line)
        except ValueError:
            if number == len(whole) and line:
                doubts.add(CUT)
            elif (b'"usage"' in line and b'"assistant"' in line) or b'"cost-state"' in line:
                doubts.add(BROKEN)
            continue
        message = record.get("message", {})
        if record["type"] == "assistant":
            asked = False
            if message["model"] != "<synthetic>":
                u = message["usage"]
                key = (message["id"], record.get("requestId", ""))
                calls[key] = (u["input_tokens"], u["cache_read_input_tokens"], u["output_tokens"])
        elif record["type"] in {"user", "api-request"}:
            asked = asked or record.get("isMeta") is not True
    return calls, doubts | ({UNANSWERED} if asked else set())


@given(transcript(), st.integers(300, 3000))
def test_a_transcript_read_by_its_marks_tells_what_decoding_each_line_tells(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, block: int
) -> None:
    home = tmp_path_factory.mktemp("claude")
    path = home / ".claude" / "projects" / "p" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(json.dumps(REAL[0]).encode() + b"\n" + content)
    with small_blocks(block):
        runs, _ = collect(Surroundings([str(home)]), Window())
    calls, doubts = plainly(content)
    counted = [(c.id, c.input, c.cache_read, c.output) for run in runs for c in run.calls]
    assert sorted(counted) == sorted((key[1], *usage) for key, usage in calls.items())
    told = {reason for run in runs for reason in run.reasons}
    assert told & {UNANSWERED, BROKEN, CUT} == doubts

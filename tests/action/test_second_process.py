"""Files read with a second process: the same is found whether it helps, dies, or is not there at all."""

import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest
from collect import claude_parcel
from collect.claude_lines import Transcript, read_transcript
from collect.files import LogFile

from tests.action.logs import ACTION, LOGS

TWO_CPUS = sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1
PROGRAM = """
import os, signal, sys, threading, time
sys.path.insert(0, sys.argv[1])
from collect import second_process
from collect.files import LogFile

second_process.WORTH = 100_000
size, first = 1_000, os.getpid()

def read(file):
    time.sleep(0.001)
    in_second_process()
    return file.path, os.getpid()

def in_second_process():
    pass

{differently}
files = [LogFile(str(number), size + number, 0) for number in range(200)]
found = second_process.read_each(files, read, list, lambda file, packed: tuple(packed))
assert [path for path, _ in found] == [file.path for file in files]
print(len({{pid for _, pid in found}}))
"""
DIES = """
def in_second_process():
    if os.getpid() != first:
        {}
"""


def processes(differently: str = "") -> int:
    """How many processes what was found comes from. Fails unless all was found."""
    command = [sys.executable, "-I", "-S", "-c", PROGRAM.format(differently=differently), str(ACTION)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return int(done.stdout)


def test_two_processes_read_many_bytes_where_two_can_run_and_all_is_found_in_order() -> None:
    assert processes() == (2 if TWO_CPUS else 1)


@pytest.mark.parametrize(
    "differently",
    [
        "size = 10",
        "second_process.sys.platform = 'darwin'",
        "if hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])",
        "threading.Thread(target=time.sleep, args=[10], daemon=True).start()",
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    ],
    ids=["few bytes", "not Linux", "one CPU", "a thread", "no pipes"],
)
def test_one_process_reads_where_a_second_is_no_help_or_cannot_be(differently: str) -> None:
    assert processes(differently) == 1


@pytest.mark.parametrize(
    "how", ["os.kill(os.getpid(), signal.SIGKILL)", "raise MemoryError", "sys.exit()", "os._exit(0)"]
)
def test_what_a_second_process_did_not_finish_is_read_by_the_first(how: str) -> None:
    assert processes(DIES.format(how)) == 1


def test_where_children_cannot_be_waited_for_the_first_process_reads_all() -> None:
    assert processes("signal.signal(signal.SIGCHLD, signal.SIG_IGN)") == 1


def plain(made: Transcript) -> dict[str, object]:
    """All that a transcript holds, as values that can be compared."""
    calls = {key: [getattr(call, name) for name in call.__slots__] for key, call in made.calls.items()}
    costs = [vars(cost) for cost in made.costs]
    fields = {**vars(made), "calls": calls, "costs": costs, "steps": (made.steps.made, made.steps.failed)}
    return {name: value for name, value in fields.items() if name != "latest"}


@pytest.mark.parametrize("path", sorted(LOGS.glob("claude-*/*/home/.claude/projects/**/*.jsonl")), ids=lambda p: p.stem)
def test_a_transcript_handed_over_is_the_same_transcript(path: Path) -> None:
    file = LogFile(str(path), path.stat().st_size, 0)
    file.old_size = file.size // 2
    made = read_transcript(file)
    handed_over = claude_parcel.unpack(file, marshal.loads(marshal.dumps(claude_parcel.pack(made))))
    assert plain(handed_over) == plain(made)

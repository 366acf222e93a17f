"""Programs run once: their time, CPU and memory, and what they printed. Measures nothing itself."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Run in a process of its own, so that the operating system's figures are those of the program alone.
_MEASURE = """
import json, resource, subprocess, sys, time
with open(sys.argv[1], "wb") as output:
    began = time.perf_counter()
    code = subprocess.run(sys.argv[2:], stdout=output).returncode
    wall_s = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
scale = 1024 if sys.platform != "darwin" else 1
print(json.dumps([code, wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * scale]))
"""


class Used(NamedTuple):
    """Seconds on the clock, seconds of CPU over all its threads and children, and the most that one of them held."""

    wall_s: float
    cpu_s: float
    max_rss_bytes: int


def run(command: Sequence[str], environ: Mapping[str, str], output: Path) -> Used:
    """Run a program to its end; what it prints is in `output`. Raises RuntimeError when it fails."""
    measuring = [sys.executable, "-I", "-S", "-c", _MEASURE, str(output), *command]
    done = subprocess.run(measuring, env=dict(environ), check=True, stdout=subprocess.PIPE)
    code, wall_s, cpu_s, rss = json.loads(done.stdout)
    if code:
        raise RuntimeError(f"{command} ended with {code}")
    return Used(wall_s, cpu_s, rss)


def held_bytes(command: Sequence[str], environ: Mapping[str, str], output: Path) -> int:
    """The most memory that a program and its children held at the same time. Linux; what they share counts for each.

    Looked at every millisecond, which takes CPU time: a run that is not timed.
    """
    most = 0
    with output.open("wb") as file, subprocess.Popen(command, env=dict(environ), stdout=file) as process:
        while process.poll() is None:
            most = max(most, family_bytes(process.pid))
            time.sleep(0.001)
    return most


def family_bytes(pid: int) -> int:
    """What a process and all that it has started hold now; what they share counts for each. Linux."""
    return sum(map(_held_bytes, _family(pid)))


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:  # it has just ended
        return
    for child in children.split():
        yield from _family(int(child))


def _held_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0

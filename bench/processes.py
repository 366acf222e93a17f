"""A program run once: its time, CPU and memory, and what it printed. Measures nothing itself."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
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
    """Seconds on the clock, seconds of CPU over all its threads, and the most memory it held."""

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

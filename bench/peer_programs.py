"""Programs that others wrote to read agents' logs, as their packages ship them. Measures nothing itself.

ccusage 20.0.24 is run as its native program, without the script that starts it. Of tokscale 1.4.3 the native reader is
run by Node.js: its command line needs Bun, and prices from the net even to count.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from bench.servers import cache

BENCH = Path(__file__).parent
CCUSAGE = Path("node_modules") / "@ccusage" / "ccusage-linux-x64" / "bin" / "ccusage"
TOKSCALE = "read.mjs"
Totals = tuple[int, int, int, int]  # fresh input, cache reads, cache writes, output


def ccusage() -> Path | None:
    """The program, installed as it is locked; None where it cannot be."""
    home = _installed("ccusage")
    if home is None or not (home / CCUSAGE).is_file():
        return None
    (home / CCUSAGE).chmod(0o755)  # it is shipped without the leave to be run
    return home / CCUSAGE


def tokscale() -> Path | None:
    """The script that runs its reader, beside what is locked; None where that cannot be installed."""
    home = _installed("tokscale")
    return None if home is None or shutil.which("node") is None else home / TOKSCALE


def _installed(name: str) -> Path | None:
    """Where the packages of a lock file are installed; None without npm."""
    home = cache() / name
    home.mkdir(exist_ok=True)
    for file in (BENCH / name).iterdir():
        shutil.copyfile(file, home / file.name)
    if not (home / "node_modules").is_dir():
        if shutil.which("npm") is None:
            return None
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"], cwd=home, check=True)
    return home


def ccusage_command(program: Path, *words: str) -> list[str]:
    """What reads all logs of the home that HOME names, with the prices that the program brings along."""
    return [str(program), *words, "--offline", "--json"]


def ccusage_totals(report: bytes) -> Totals:
    """The sums that ccusage printed."""
    said: dict[str, Any] = json.loads(report)["totals"]
    return (said["inputTokens"], said["cacheReadTokens"], said["cacheCreationTokens"], said["outputTokens"])


def of_ccusage(program: Path, home: Path) -> Totals:
    """What ccusage finds in a home."""
    done = subprocess.run(ccusage_command(program), env={"HOME": str(home)}, check=True, capture_output=True)
    return ccusage_totals(done.stdout)


def of_tokscale(script: Path, home: Path) -> Totals:
    """What tokscale finds in a home."""
    environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
    done = subprocess.run(["node", str(script), str(home)], env=environ, check=True, capture_output=True)
    fresh, read, written, output = json.loads(done.stdout)
    return fresh, read, written, output

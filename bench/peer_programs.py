"""Programs that others wrote to read agents' logs, as their packages ship them. Measures nothing itself.

ccusage 20.0.24 is run as its native program, without the script that starts it.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from bench.servers import cache

BENCH = Path(__file__).parent
CCUSAGE = Path("node_modules") / "@ccusage" / "ccusage-linux-x64" / "bin" / "ccusage"
Totals = tuple[int, int, int, int]


def ccusage() -> Path | None:
    """The program, installed as it is locked; None where it cannot be."""
    home = _installed("ccusage")
    if home is None or not (home / CCUSAGE).is_file():
        return None
    (home / CCUSAGE).chmod(0o755)  # it is shipped without the leave to be run
    return home / CCUSAGE


def _installed(name: str) -> Path | None:
    """Where the packages of a lock file are installed; None without npm."""
    home = cache() / name
    home.mkdir(exist_ok=True)
    for file in ("package.json", "package-lock.json"):
        shutil.copyfile(BENCH / name / file, home / file)
    if not (home / "node_modules").is_dir():
        if shutil.which("npm") is None:
            return None
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"], cwd=home, check=True)
    return home


def ccusage_command(program: Path, *words: str) -> list[str]:
    """What reads all logs of the home that HOME names, with the prices that the program brings along."""
    return [str(program), *words, "--offline", "--json"]


def ccusage_totals(report: bytes) -> Totals:
    """Fresh input, cache reads, cache writes and output of what it printed."""
    said: dict[str, Any] = json.loads(report)["totals"]
    return (said["inputTokens"], said["cacheReadTokens"], said["cacheCreationTokens"], said["outputTokens"])

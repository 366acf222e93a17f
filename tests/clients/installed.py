"""The clients of the two lock files, installed below .cache/, once for each state of a lock file."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = ROOT / "tests" / "clients"
CACHE = ROOT / ".cache" / "clients"


@dataclass(frozen=True)
class Programs:
    """The folders of the clients' programs: the newest, and the versions that many machines still have."""

    newest: Path
    older: Path


def installed() -> Programs:
    """Install what is missing: about 2.5 GB the first time. Exits where npm is missing."""
    return Programs(_installed(PINS, CACHE / "newest"), _installed(PINS / "older", CACHE / "older"))


def _installed(pins: Path, folder: Path) -> Path:
    lock, done = (pins / "package-lock.json").read_bytes(), folder / "installed-lock.json"
    programs = folder / "node_modules" / ".bin"
    if programs.is_dir() and done.exists() and done.read_bytes() == lock:
        return programs
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is needed to fetch the clients: install Node.js 20 or newer")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(pins / name, folder / name)
    # Forced, as some clients ask for a newer Node.js than their native programs need. Not `npm ci`: that refuses a lock
    # file that lacks programs for other systems, and not every mirror has them all. Install scripts run: they put the
    # native programs in place.
    subprocess.run([npm, "install", "--force", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
    done.write_bytes(lock)
    return programs

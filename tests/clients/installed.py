"""The clients of package-lock.json, installed below .cache/, once for each state of the lock file."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = ROOT / "tests" / "clients"
CACHE = ROOT / ".cache" / "clients"


def installed() -> Path:
    """The folder of the clients' programs. Fetches about 2 GB where the lock file is new; exits where npm is missing."""
    lock, done = (PINS / "package-lock.json").read_bytes(), CACHE / "installed-lock.json"
    programs = CACHE / "node_modules" / ".bin"
    if programs.is_dir() and done.exists() and done.read_bytes() == lock:
        return programs
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is needed to fetch the clients: install Node.js 20 or newer")
    CACHE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINS / name, CACHE / name)
    # Forced, as some clients ask for a newer Node.js than their native programs need. Not `npm ci`: that refuses a lock
    # file that lacks programs for other systems, and not every mirror has them all. Install scripts run: they put the
    # native programs in place.
    command = [npm, "install", "--force", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(command, cwd=CACHE, check=True)
    done.write_bytes(lock)
    return programs

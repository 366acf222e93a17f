"""The locked packages of the standalone mode: fetched once into .cache, served by an index on loopback, installed once.

A test that needs them takes the fixture `packages`; without a package index to fetch them from it is skipped.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests import optional
from tests.action.logs import ACTION, ROOT

LOCKS = (ACTION / "standalone" / "requirements.lock", ROOT / "requirements" / "uv.lock")
HOW = "pip could not fetch what action/standalone/requirements.lock names"


@cache
def wheels() -> Path:
    """A folder `simple` with a folder of wheels for each package, as an index has them."""
    named = hashlib.sha256(b"".join(lock.read_bytes() for lock in LOCKS) + sys.version.encode()).hexdigest()[:16]
    folder = ROOT / ".cache" / "standalone" / named
    if not folder.exists():
        optional.need("packages of the standalone mode", _fetch(folder), HOW)
    return folder


@cache
def python() -> Path:
    """A Python that has the locked packages, as the Action's own environment has."""
    place = wheels() / "environment"
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=wheels()) as scratch, index() as url:
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", f"{scratch}/new"], check=True)
            command = [uv(), "pip", "install", "--quiet", "--no-config", "--require-hashes", "--default-index", url]
            command += ["--python", f"{scratch}/new/bin/python", "-r", str(LOCKS[0])]
            subprocess.run(command, check=True)
            _publish(Path(scratch) / "new", place)
    return place / "bin" / "python"


def uv() -> str:
    return str(Path(sys.executable).parent / "uv")


@contextmanager
def index(folder: Path | None = None) -> Iterator[str]:
    """The address of a package index on loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder or wheels()))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()


@cache  # asked once a run, also when there is no answer
def _fetch(folder: Path) -> bool:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        for lock in LOCKS:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            command += ["--disable-pip-version-check", "--require-hashes", "-r", str(lock), "-d", scratch]
            if subprocess.run(command, check=False, capture_output=True).returncode:
                return False
        made = Path(scratch) / "made"
        for wheel in Path(scratch).glob("*.whl"):
            name = re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower()
            (made / "simple" / name).mkdir(parents=True, exist_ok=True)
            wheel.rename(made / "simple" / name / wheel.name)
        _publish(made, folder)
    return True


def _publish(made: Path, folder: Path) -> None:
    """Put it in place, unless another worker was first."""
    try:
        made.rename(folder)
    except OSError:
        assert folder.exists()

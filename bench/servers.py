"""Servers under measurement: processes of their own on free ports of loopback. Measures nothing itself."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ROOT = Path(__file__).parents[1]
SECRET = "the-webhook-secret-of-the-bench"
START_TIMEOUT_S = 60
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Running:
    """A process that answers HTTP on `port`."""

    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid

    def cpu_s(self) -> float:
        """CPU seconds used so far, in user and kernel."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def memory_mb(self) -> float:
        """Resident memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextmanager
def mergemeter(folder: Path, *options: str) -> Iterator[Running]:
    """`python -m app serve` on a new SQLite file in `folder`; it would find no GitHub."""
    env = {
        "MERGEMETER_DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}",
        "MERGEMETER_APP_ID": "1",
        "MERGEMETER_PRIVATE_KEY": private_key(),
        "MERGEMETER_WEBHOOK_SECRETS": SECRET,
        "MERGEMETER_PUBLIC_URL": "https://mergemeter.example",
        "MERGEMETER_GITHUB_API_URL": "http://127.0.0.1:9",
        "MERGEMETER_LOG_LEVEL": "WARNING",
    }
    with serving([sys.executable, "-m", "app", "serve", *options], env, "MERGEMETER_PORT", ROOT) as running:
        yield running


@contextmanager
def serving(command: list[str], env: Mapping[str, str], port_variable: str, cwd: Path) -> Iterator[Running]:
    """A server that takes its port from a variable of the environment."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    process = subprocess.Popen(command, env={"PATH": os.environ["PATH"], port_variable: str(port), **env}, cwd=cwd)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command} did not start")
            time.sleep(0.1)
        yield Running(port, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def private_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def cache() -> Path:
    """A place on the disk that the repository is on: a memory file system would flatter."""
    folder = ROOT / ".cache" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _answers(port: int) -> bool:
    try:
        urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
    except HTTPError:
        return True
    except OSError:
        return False
    return True

"""The App as a process of its own, on SQLite in a folder, talking to a GitHub on loopback."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10


class Server:
    """`python -m app serve` with the settings of the registered App. A context manager."""

    def __init__(self, folder: Path, github_url: str, issuer: str, app: Mapping[str, Any]) -> None:
        self.url = f"http://127.0.0.1:{_free_port()}"
        self.log_file = folder / "server.log"
        self.environ = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONUNBUFFERED": "1",
            "MERGEMETER_DATABASE_URL": f"sqlite:///{folder / 'mergemeter.sqlite3'}",
            "MERGEMETER_APP_ID": str(app["app_id"]),
            "MERGEMETER_PRIVATE_KEY": app["private_key"],
            "MERGEMETER_WEBHOOK_SECRETS": app["webhook_secret"],
            "MERGEMETER_PUBLIC_URL": self.url,
            "MERGEMETER_PORT": self.url.rpartition(":")[2],
            "MERGEMETER_OIDC_ISSUERS": issuer,
            "MERGEMETER_GITHUB_API_URL": github_url,
            "MERGEMETER_GITHUB_WEB_URL": github_url,
            # Nobody is disturbed here: what takes seconds on GitHub, to be a good guest, takes none.
            "MERGEMETER_DEBOUNCE_S": "0.3",
            "MERGEMETER_WRITE_SPACING_S": "0",
            "MERGEMETER_CREATE_SPACING_S": "0",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = self._start("serve")
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the App did not start:\n{self.log()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def command(self, *arguments: str) -> str:
        """Run `python -m app …` beside the server; gives what it wrote. Raises with the log when it fails."""
        with self.log_file.open("ab") as out:
            done = subprocess.run(  # noqa: S603
                _argv(arguments),
                env=self.environ,
                stdout=subprocess.PIPE,
                stderr=out,
                timeout=START_TIMEOUT_S,
                check=False,
            )
            out.write(done.stdout)
        if done.returncode:
            raise RuntimeError(f"python -m app {' '.join(arguments)} failed:\n{self.log()}")
        return done.stdout.decode().replace("\r\n", "\n")

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as out:
            return subprocess.Popen(_argv(arguments), env=self.environ, stdout=out, stderr=out)  # noqa: S603

    def _ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/healthz", timeout=1) as answer:  # noqa: S310 - our own loopback address
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


def _argv(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "app", *arguments]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])

"""The App's processes: started as an operator starts them, killed, frozen and started again as nobody should."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

from app.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
AUDIENCE = "https://meter.example"
START_TIMEOUT_S = 60


class Replica:
    """One process: `python -m app` with these arguments, or with a lease of its own through tests.chaos.replica."""

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str], lease_s: float | None, log: Path) -> None:
        entry = ["app"] if lease_s is None else ["tests.chaos.replica", str(lease_s)]
        self.command = [sys.executable, "-m", *entry, *arguments]
        self.environ, self.log = dict(environ), log
        self.serves = arguments[0] == "serve"
        self.url = f"http://127.0.0.1:{environ['MERGEMETER_PORT']}"
        self.frozen = False
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self.command, cwd=ROOT, env=self.environ, stdout=out, stderr=out)

    def kill(self) -> None:
        """kill -9; returns once it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        self.frozen = False

    def freeze(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)
            self.frozen = True

    def thaw(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        code = self.process.wait(40)
        self.process = None
        return code

    def answers(self) -> bool:
        with suppress(OSError), urlopen(f"{self.url}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
        return False


class Fleet:
    """Processes on one database that watch one GitHub. A context manager: all are running inside, none afterwards."""

    def __init__(
        self, gh: Sandbox, app: Mapping[str, Any], database_url: str, roles: Sequence[str], folder: Path,
        lease_s: float | None,
    ) -> None:  # fmt: skip
        self.replicas = []
        for number, role in enumerate(roles):
            environ = {
                "PATH": os.environ.get("PATH", ""),
                "PYTHONUNBUFFERED": "1",
                "MERGEMETER_DATABASE_URL": database_url,
                "MERGEMETER_APP_ID": str(app["app_id"]),
                "MERGEMETER_PRIVATE_KEY": app["private_key"],
                "MERGEMETER_WEBHOOK_SECRETS": app["webhook_secret"],
                "MERGEMETER_PUBLIC_URL": AUDIENCE,
                "MERGEMETER_PORT": str(_free_port()),
                "MERGEMETER_OIDC_ISSUERS": gh.oidc_issuer,
                "MERGEMETER_GITHUB_API_URL": gh.url,
                "MERGEMETER_DEBOUNCE_S": "0.2",
                "MERGEMETER_WRITE_SPACING_S": "0",
                "MERGEMETER_CREATE_SPACING_S": "0",
            }
            self.replicas.append(Replica(role.split(), environ, lease_s, folder / f"replica-{number}.log"))

    def __enter__(self) -> Self:
        for replica in self.replicas:
            replica.start()
            self._wait(replica)
        return self

    def __exit__(self, *_: object) -> None:
        for replica in self.replicas:
            replica.thaw()
            replica.kill()

    def _wait(self, replica: Replica) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while replica.serves and not replica.answers():
            died = replica.process is None or replica.process.poll() is not None
            if died or time.monotonic() > deadline:
                raise AssertionError(f"a replica did not start:\n{replica.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def addresses(self) -> list[str]:
        """Where HTTP is served, frozen or not: a load balancer does not know."""
        return [replica.url for replica in self.replicas if replica.serves and replica.process is not None]

    def died_by_themselves(self) -> list[str]:
        return [
            replica.log.read_text()[-4000:]
            for replica in self.replicas
            if replica.process is not None and replica.process.poll() is not None
        ]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])

"""Databases for tests: a SQLite file or a PostgreSQL of this run's own, each copied from a once-migrated template.

PostgreSQL is started from the system's binaries on a unix socket in a new directory, without fsync, and is shared
by all workers of the run: the first one starts it, the controller stops it. PostgreSQL refuses to run as root, so
then it runs as `postgres` or `nobody`.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from app.store.migrations import migrate

MISSING = "no initdb found; install the server (Debian: apt-get install postgresql)"


def find_binaries() -> Path | None:
    """The directory that holds initdb and pg_ctl, the newest version first; None where PostgreSQL is missing."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        places.append(Path(on_path).resolve().parent)
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


class SharedPostgres:
    """One server for a test run, in `home`; safe to ask for from several processes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / "data"
        self.admin_url = f"postgresql://mergemeter@/postgres?host={home}"

    def ensure(self) -> None:
        """Start the server and make the template, unless another process of this run has done so."""
        with self._lock():
            if (self.home / "ready").exists():
                return
            self._start()
            self.create("template", None)
            migrate(self.url("template"))
            (self.home / "ready").touch()

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://mergemeter@/{name}?host={self.home}"

    def create(self, name: str, template: str | None = "template") -> None:
        # The template must have no connection while it is copied; copies are made one at a time.
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))

    def drop(self, name: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def stop(self) -> None:
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.home, ignore_errors=True)

    def _start(self) -> None:
        if os.geteuid() == 0:
            owner = _unprivileged()
            os.chown(self.home, owner.pw_uid, owner.pw_gid)
        self.home.chmod(0o755)
        self._run("initdb", "-D", str(self.data), "-U", "mergemeter", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = (
            f"-c listen_addresses= -c unix_socket_directories={self.home} -c unix_socket_permissions=0777 "
            "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 "
            "-c shared_buffers=64MB -c autovacuum=off"
        )
        self._run("pg_ctl", "-D", str(self.data), "-w", "-o", options, "-l", str(self.home / "log"), "start")

    def _run(self, program: str, *arguments: str) -> None:
        binaries = find_binaries()
        assert binaries is not None
        owner = _unprivileged().pw_name if os.geteuid() == 0 else None
        subprocess.run(
            [str(binaries / program), *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # pg_ctl's server would keep a pipe open for ever
            cwd=self.home,
            user=owner,
            group=owner and pwd.getpwnam(owner).pw_gid,
            extra_groups=[] if owner else None,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.home / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def new_home() -> Path:
    """A short path: a unix socket's must stay under 108 bytes."""
    return Path(tempfile.mkdtemp(prefix="mm-pg-", dir="/tmp" if Path("/tmp").is_dir() else None))


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("the run is root and there is neither a postgres nor a nobody user to start PostgreSQL as")

"""Makes the one environment with packages that the Action ever has: locked, checked by hash, away from the job's own.

Refuses what an agent may have left behind: no cache and no configuration of pip or uv is read. Where the files come
from does not matter, since their hashes are in the lock files.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PACKAGES = os.path.join(HERE, "requirements.lock")
UV = os.path.join(ROOT, "requirements", "uv.lock")
INSTALLING_S = 60.0
INDEXES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_FROM_WHEELS = ("--only-binary", ":all:", "--require-hashes")


class Uninstalled(Exception):
    """The packages are not there. The message is a clause for people."""


def environment(folder: str, uv: str, surroundings: Mapping[str, str]) -> str:
    """Install the locked packages below `folder`; gives the path of a Python that has them. Raises Uninstalled.

    `uv` is the path of the runner's own, or empty: then uv comes from its lock file, by pip.
    """
    until = time.monotonic() + INSTALLING_S
    place = os.path.join(folder, "environment")
    python = os.path.join(place, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
    _run([sys.executable, "-I", "-m", "venv", *(["--without-pip"] if uv else []), place], surroundings, until)
    if not uv:
        pip = [python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
        _run([*pip, "--no-deps", *_FROM_WHEELS, "-r", UV], surroundings, until)
        uv = os.path.join(os.path.dirname(python), "uv.exe" if os.name == "nt" else "uv")
    command = [uv, "pip", "install", "--quiet", "--no-config", "--no-cache", "--no-deps", "--python", python]
    _run([*command, *_FROM_WHEELS, "-r", PACKAGES], surroundings, until)
    return python


def surroundings(environ: Mapping[str, str], folder: str) -> dict[str, str]:
    """The environment of what is started here: where to look, whom to trust, and a home with nothing in it."""
    kept = {name: environ[name] for name in (*INDEXES, "SYSTEMROOT") if environ.get(name)}
    kept.update({name.upper(): value for name, value in environ.items() if name.lower() in {"https_proxy", "no_proxy"}})
    if environ.get("SSL_CERT_DIR"):
        kept["SSL_CERT_DIR"] = environ["SSL_CERT_DIR"]
    if environ.get("SSL_CERT_FILE"):  # each of the three asks for it by another name
        kept.update(dict.fromkeys(CERTIFICATES, environ["SSL_CERT_FILE"]))
    homes = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), folder)
    return {**kept, **homes, "PIP_CONFIG_FILE": os.devnull, "PYTHONUTF8": "1"}


def _run(command: list[str], environ: Mapping[str, str], until: float) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and nothing from outside in the command
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=max(0.1, until - time.monotonic()),
            check=False,
        )
    except subprocess.TimeoutExpired as problem:
        raise Uninstalled(f"its packages could not be installed within {INSTALLING_S:.0f} seconds") from problem
    except OSError as problem:
        raise Uninstalled(f"its packages could not be installed ({type(problem).__name__})") from problem
    if done.returncode:
        raise Uninstalled("its packages could not be installed; may this runner reach a package index?")

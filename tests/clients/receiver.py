"""The App's receiver of telemetry, as a client is pointed at it: its address and an access token of the account."""

import subprocess
import sys

from tests.clients.agents import Telemetry
from tests.e2e.stage import Organisation


def told_to(org: Organisation, encoding: str, *, in_a_job: bool) -> Telemetry:
    """Telemetry for this account. In a job the Action sets the tags; elsewhere the sender does."""
    token = _token_command(org, "add", "--account", org.name, "--name", "the campaign").strip()
    owner, _, name = org.repository.partition("/")
    tags = "" if in_a_job else f"team=payments,vcs.owner.name={owner},vcs.repository.name={name}"
    return Telemetry(org.stage.server.url, token, encoding, tags)


def came(org: Organisation) -> bool:
    """Whether the account's access token was used."""
    return "used never" not in _token_command(org, "list", "--account", org.name)


def _token_command(org: Organisation, *arguments: str) -> str:
    command = [sys.executable, "-m", "app", "token", *arguments]
    done = subprocess.run(command, env=org.stage.server.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"python -m app token {arguments[0]}: {done.stderr}")
    return done.stdout

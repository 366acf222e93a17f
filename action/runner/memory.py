"""What `main` remembers for `post`: small values in the runner's own state, log files and branch tips in a file.

The runner hands the state to our `post` alone. The file lies in the runner's temporary folder, where an agent could
change it, so its hash is in the state; a changed file is told and not used.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.commands import put

STATE = "memory"
HANDED_ON = "start"


class Memory(NamedTuple):
    """How things stood when the job began."""

    inputs: dict[str, Any]
    job: dict[str, Any]
    started_us: int
    lacking: str  # why nothing can be sent, or empty
    places: dict[str, str]  # the variables that say where agents keep their logs
    sending: dict[str, str]  # proxy and certificates
    token_url: str
    standalone: dict[str, Any]  # where there is no server: what its mode needs
    start_file: str = ""
    start_sha256: str = ""


def keep(environ: Mapping[str, str], memory: Memory, start: dict[str, object]) -> None:
    """Remember values in the state of this step, for its `post`."""
    put(environ.get("GITHUB_STATE", ""), STATE, noted(environ, memory, start))


def hand_on(environ: Mapping[str, str], memory: Memory, start: dict[str, object]) -> None:
    """Remember values in an output of this step, which no later step can change, for an input of another one."""
    put(environ.get("GITHUB_OUTPUT", ""), HANDED_ON, noted(environ, memory, start))


def noted(environ: Mapping[str, str], memory: Memory, start: dict[str, object]) -> str:
    """The values as text, once the start's long lists are in a file beside it."""
    content = json.dumps(start).encode()
    path = os.path.join(environ.get("RUNNER_TEMP") or ".", f"mergemeter-{os.urandom(8).hex()}.json")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError:
        path = ""
    remembered = memory._replace(start_file=path, start_sha256=hashlib.sha256(content).hexdigest())
    return json.dumps(remembered._asdict())


def recall(environ: Mapping[str, str], name: str = "STATE_" + STATE) -> Memory | None:
    """What was remembered, from the state or from an input; None when it did not get that far."""
    try:
        return Memory(**json.loads(environ.get(name, "")))
    except (ValueError, TypeError):
        return None


def recall_start(memory: Memory) -> dict[str, object] | None:
    """The start's lists, or None when their file is gone or was changed. The file is removed."""
    try:
        with open(memory.start_file, "rb") as file:
            content = file.read(64 << 20)
        os.unlink(memory.start_file)
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != memory.start_sha256:
        return None
    found = json.loads(content)
    return found if isinstance(found, dict) else None

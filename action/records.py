"""A folder of records on their way from the jobs that made them to the job that sends them.

An agent may have changed what lies there. Refuses links and what else is no regular file, what is too large or too
much, and what does not say that it is sent for another job: such a record would pass for the sender's own.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from typing import BinaryIO

from collect.calls import Refused
from collect.files import decode, open_regular
from record import BODY_LIMIT

FOLDER = "mergemeter-records"
FILES_LIMIT = 256  # as many as a matrix has jobs
ENTRIES_LIMIT = 2000
LINK = "a link among the records was not followed"
NO_RECORD = "a file among the records is not one that `mode: collect` made"
TOO_LARGE = "a record is too large"
TOO_MANY = f"there are more than {FILES_LIMIT} records; the others were not sent"


class Unusable(Exception):
    """A file that is not sent. The message is a sentence for people, without any of its content or its name."""


def folder(environ: Mapping[str, str]) -> str:
    """Where a job's record is put, known before it is there."""
    return os.path.join(environ.get("RUNNER_TEMP") or os.getcwd(), FOLDER)


def write(into: str, job: Mapping[str, object], body: bytes) -> None:
    """Put a record into the folder, under a name that no other job's has. Raises OSError."""
    os.makedirs(into, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9_-]", "_", str(job["name"]))[:64]
    with open(os.path.join(into, f"{name}-{secrets.token_hex(8)}.json"), "xb") as file:
        file.write(body)


def listed(root: str) -> tuple[list[str], list[str]]:
    """The files of a folder and those below it, in the order of their names, and what was left out. No link is
    followed.
    """
    paths: list[str] = []
    problems: list[str] = []
    seen = 0
    for at, folders, names in os.walk(root):
        folders.sort()
        seen += len(folders) + len(names)
        if seen > ENTRIES_LIMIT:
            problems.append(TOO_MANY)
            break
        links = [name for name in (*folders, *names) if os.path.islink(os.path.join(at, name))]
        problems += [LINK] * len(links)
        paths += [os.path.join(at, name) for name in sorted(set(names) - set(links))]
    if len(paths) > FILES_LIMIT:
        problems.append(TOO_MANY)
    return paths[:FILES_LIMIT], problems


def read(path: str) -> tuple[str, bytes]:
    """The name of a record's job and the record as it came. Raises Unusable."""
    try:
        with open_regular(path) as file:
            body = _all_of(file)
        record = decode(body)
    except (OSError, Refused) as problem:
        raise Unusable(NO_RECORD) from problem
    if not isinstance(record, dict) or record.get("relayed") is not True or not isinstance(record.get("job"), dict):
        raise Unusable(NO_RECORD)
    return str(record["job"].get("name", "")), body


def _all_of(file: BinaryIO) -> bytes:
    parts, held = [], 0
    while part := file.read(1 << 20):
        parts.append(part)
        held += len(part)
        if held > BODY_LIMIT:
            raise Unusable(TOO_LARGE)
    return b"".join(parts)

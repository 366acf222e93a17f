"""Reading many files with a second process, where that is quicker: on Linux, with a second CPU and enough to read.

Both take the next files from one pipe, so that neither waits for long. What the second one found comes back as plain
values. What does not come back, because it could not start or was killed, is read here: its help is never needed.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from .files import LogFile

WORTH = 16 << 20  # bytes: reading fewer takes less time than a process is worth
GROUPS = 1000  # of files at most: their numbers, two bytes each, fit into a pipe that nobody has read from yet
Found = TypeVar("Found")
Read = Callable[[LogFile], Found]


def read_each(
    files: Sequence[LogFile], read: Read[Found], pack: Callable[[Found], Any], unpack: Callable[[LogFile, Any], Found]
) -> list[Found]:
    """What `read` finds in each file. `pack` makes of it what marshal can carry, `unpack` makes it whole again."""
    found = _with_help(files, read, pack, unpack) if _worth_it(files) else {}
    return [found[number] if number in found else read(file) for number, file in enumerate(files)]


def _worth_it(files: Sequence[LogFile]) -> bool:
    if sys.platform != "linux" or len(files) < 2 or sum(file.size for file in files) < WORTH:
        return False
    threading = sys.modules.get("threading")
    alone = threading is None or threading.active_count() == 1  # locks that a thread holds would stay taken
    return alone and len(os.sched_getaffinity(0)) > 1


def _with_help(
    files: Sequence[LogFile], read: Read[Found], pack: Callable[[Found], Any], unpack: Callable[[LogFile, Any], Found]
) -> dict[int, Found]:
    """What both processes found, by the file's number."""
    pipes: list[int] = []
    try:
        pipes += os.pipe()
        pipes += os.pipe()
        groups = _groups(files, pipes[1])
        second = os.fork()
    except OSError:
        _close(pipes)
        return {}
    tickets, _, answer, answering = pipes
    if not second:
        _answer(answering, ((number, pack(read(files[number]))) for number in _taken(tickets, groups)))
    os.close(answering)
    try:
        found = {number: read(files[number]) for number in _taken(tickets, groups)}
        found.update((number, unpack(files[number], packed)) for number, packed in _answered(answer, second))
    finally:
        _close([tickets, answer])
    return found


def _groups(files: Sequence[LogFile], tickets: int) -> list[list[int]]:
    """The files' numbers in groups, the largest first, and a ticket for each group in the pipe, which is closed."""
    largest_first = sorted(range(len(files)), key=lambda number: -files[number].size)
    groups = [largest_first[at::GROUPS] for at in range(min(GROUPS, len(files)))]
    os.write(tickets, b"".join(at.to_bytes(2, "big") for at in range(len(groups))))
    os.close(tickets)
    return groups


def _taken(tickets: int, groups: list[list[int]]) -> Iterator[int]:
    """The files' numbers of each ticket that this process gets. The system gives each ticket to one process alone."""
    while ticket := os.read(tickets, 2):
        yield from groups[int.from_bytes(ticket, "big")]


def _answer(answering: int, found: Iterator[tuple[int, Any]]) -> None:
    """What the second process does, and its end. Its last word is whether all went well."""
    code = 1
    try:
        with open(answering, "wb") as pipe:
            pipe.write(marshal.dumps(list(found)))
        code = 0
    finally:
        os._exit(code)  # nothing that the first process has begun may be ended twice


def _answered(answer: int, second: int) -> list[tuple[int, Any]]:
    """What the second process found; nothing when it did not come to its end."""
    with open(answer, "rb", closefd=False) as pipe:
        packed = pipe.read()
    try:
        _, status = os.waitpid(second, 0)
    except ChildProcessError:  # children are not to be waited for here, so how it ended is not known
        return []
    if status or not packed:
        return []
    found: list[tuple[int, Any]] = marshal.loads(packed)  # noqa: S302 - our own process wrote it
    return found


def _close(pipes: list[int]) -> None:
    for pipe in pipes:
        os.close(pipe)

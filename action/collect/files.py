"""Finds and reads log files that an agent may have written in any shape, within bounds of size, count and time.

Refuses what is not a regular file, follows no link, never holds more than one line and two blocks in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from .calls import Refused

BLOCK = 1 << 20
FIRST = 8 << 10  # of a file whose beginning may be enough
LINE_LIMIT = 4 << 20  # an answer has at most some 100,000 tokens; longer lines are tool output or images
HEAD = 64 << 10
TAIL = 256  # bytes that tell whether a file still begins as it did at the job's start
ENTRIES_LIMIT = 200_000
FILES_LIMIT = 20_000
INTEGER_DIGITS = 18
_GAP = re.compile(r"[\s,:]*")
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Budget:
    """How much may still be looked at. Running out is told, never hidden."""

    def __init__(self, seconds: float, entries: int = ENTRIES_LIMIT, files: int = FILES_LIMIT) -> None:
        self.until = time.monotonic() + seconds
        self.entries, self.files = entries, files
        self.exhausted = False

    def spend(self) -> bool:
        """True while another folder entry may be looked at."""
        self.entries -= 1
        if self.entries < 0 or self.files < 0 or (self.entries % 64 == 0 and time.monotonic() > self.until):
            self.exhausted = True
        return not self.exhausted


class LogFile:
    """A file found on disk. `old_size` bytes at its beginning were there when the job started."""

    __slots__ = ("changed_us", "old_size", "path", "size")

    def __init__(self, path: str, size: int, changed_us: int) -> None:
        self.path, self.size, self.changed_us = path, size, changed_us
        self.old_size = 0


def walk(root: str, wanted: Callable[[str], bool], budget: Budget, deep: bool = True) -> Iterator[LogFile]:
    """Regular files below root whose name is wanted, links never followed. Folders that cannot be read are skipped."""
    folders = [root]
    while folders:
        try:
            entries = os.scandir(folders.pop())
        except OSError:
            continue
        with entries:
            for entry in entries:
                if not budget.spend():
                    return
                found = _look(entry, wanted, folders if deep else [])
                if found:
                    budget.files -= 1
                    yield found


def _look(entry: os.DirEntry[str], wanted: Callable[[str], bool], folders: list[str]) -> LogFile | None:
    try:
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.path)
        elif wanted(entry.name) and entry.is_file(follow_symlinks=False):
            status = entry.stat(follow_symlinks=False)
            return LogFile(entry.path, status.st_size, status.st_mtime_ns // 1000)
    except OSError:
        pass
    return None


def open_regular(path: str) -> BinaryIO:
    """The file, opened without following a link or waiting for a pipe. Raises OSError for anything not regular."""
    descriptor = os.open(path, _FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return os.fdopen(descriptor, "rb", buffering=0)


def tail_digest(path: str, size: int) -> str:
    """What the last bytes before `size` hash to; empty when they cannot be read."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, size - TAIL))
            return hashlib.sha256(file.read(min(TAIL, size))).hexdigest()
    except OSError:
        return ""


def lines(path: str) -> Iterator[tuple[int, bytes, bool]]:
    """Each line of a file with its offset and whether it is whole.

    A line is not whole when it is longer than LINE_LIMIT (its beginning is given) or the file ends within it.
    """
    for begin, piece, whole in _pieces(path):
        at = begin
        for line in piece.split(b"\n"):
            yield at, line, whole
            at += len(line) + 1


def marked_lines(path: str, marks: re.Pattern[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Of the same lines those in which a mark stands, and all that are not whole. Looks at no other line by itself."""
    for at, piece, whole in _pieces(path):
        if not whole:
            yield at, piece, False
            continue
        end = 0
        while found := marks.search(piece, end):
            begin = piece.rfind(b"\n", 0, found.start()) + 1
            end = piece.find(b"\n", found.end())
            if end < 0:
                end = len(piece)
            yield at + begin, piece[begin:end], True


def _pieces(path: str) -> Iterator[tuple[int, bytes, bool]]:
    """A file in pieces of lines: their offset, the lines without the last break, whether they are whole.

    A line that goes over a block's end, or is not whole, is a piece of its own.
    """
    with open_regular(path) as file:
        at, parts, held, size = 0, [], 0, FIRST
        while block := file.read(size):
            size = BLOCK
            first, last = block.find(b"\n"), block.rfind(b"\n")
            if held < LINE_LIMIT:
                parts.append(block[:first] if first >= 0 else block)
            held += first if first >= 0 else len(block)
            if first < 0:
                continue
            yield at, b"".join(parts), held <= LINE_LIMIT
            at += held + 1
            if first < last:
                yield at, block[first + 1 : last], True
                at += last - first
            parts, held = [block[last + 1 :]], len(block) - last - 1
        if held:
            yield at, b"".join(parts), False


def records_of_head(path: str) -> Iterator[dict[str, object]]:
    """What tells a file's format: the JSON objects at its beginning, `{"file": "SQLite"}`, or a Markdown heading.

    A broken first line does not hide the next. A single object over many lines is read whole, within a bound; one that
    is longer or broken gives its fields before that place.
    """
    with open_regular(path) as file:
        head = file.read(HEAD)
        if b"\n" not in head or (head[:2].strip() == b"{" and len(head) == HEAD):
            head += file.read(2 * LINE_LIMIT)
    start = head.lstrip()[:16]
    if start.startswith(b"["):
        yield from elements(head.decode("utf-8", "replace"))
    elif head.startswith(b"SQLite format 3\0"):
        yield {"file": "SQLite"}
    elif start.startswith(b"#"):
        yield {"heading": head.lstrip().split(b"\n", 1)[0].decode("utf-8", "replace")}
    else:
        yield from _objects_of_lines(head)


def _objects_of_lines(head: bytes) -> Iterator[dict[str, object]]:
    for number, line in enumerate(_first_lines(head, 40)):
        if number == 0 and line.strip() == b"{":
            yield fields(head)
            return
        try:
            record = decode(line)
        except Refused:
            continue
        if isinstance(record, dict):
            yield record


def _first_lines(content: bytes, limit: int) -> Iterator[bytes]:
    """One at a time: mostly the first is enough."""
    begin = 0
    for _ in range(limit):
        end = content.find(b"\n", begin)
        yield content[begin : end if end >= 0 else len(content)]
        if end < 0:
            return
        begin = end + 1


def fields(content: bytes) -> dict[str, object]:
    """A JSON object, or of one that is cut or broken the fields before that place."""
    try:
        record = decode(content)
        return record if isinstance(record, dict) else {}
    except Refused:
        found = _parts(content.decode("utf-8", "replace"), "{")
        return {key: value for key, value in zip(found, found) if isinstance(key, str)}


def elements(content: str) -> Iterator[dict[str, object]]:
    """The objects of a JSON array, one at a time. Ends early where the array is cut or broken; nothing tells which."""
    return (element for element in _parts(content, "[") if isinstance(element, dict))


def _parts(content: str, opening: str) -> Iterator[object]:
    """The elements of an array, or keys and values of an object in turn, up to where it ends, is cut or broken."""
    at = content.find(opening) + 1
    try:
        while True:
            gap = _GAP.match(content, at)
            element, at = _DECODER.raw_decode(content, gap.end() if gap else at)
            yield element
    except (ValueError, RecursionError):
        return


def decode(line: bytes) -> object:
    """One JSON value. Anything that is not one, or is nested too deep, is refused."""
    try:
        content = line.strip(b" \t\r\n").decode("utf-8", "surrogatepass")
        value, end = _DECODER.raw_decode(content)
    except (ValueError, RecursionError) as problem:
        raise Refused("not JSON") from problem
    if end < len(content):
        raise Refused("more than JSON")
    return value


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= INTEGER_DIGITS else -1


# Absurdly long integers, out of bounds anyway, take quadratic time where Python itself does not refuse them.
_DECODER = json.JSONDecoder() if hasattr(sys, "set_int_max_str_digits") else json.JSONDecoder(parse_int=_integer)

"""What `collect` does, for people: print what would be recorded of a home folder. Sends nothing."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from functools import lru_cache

import record
from collect import collect
from collect.places import Surroundings
from collect.window import Window

_quoted = lru_cache(maxsize=100)(json.dumps)  # the names of fields, which are few


def look(arguments: list[str]) -> int:
    """`collect --home DIR`: print the record of a home folder as JSON."""
    parser = argparse.ArgumentParser(prog="main.py", description="Mergemeter's Action. Only `collect` is for people.")
    parser.add_argument("command", choices=["collect"], help="print what would be recorded, and send nothing")
    parser.add_argument("--home", default=os.path.expanduser("~"), help="the home folder (default: yours)")
    parser.add_argument("--temp", default="", help="the runner's temporary folder, for the file of claude-code-action")
    parser.add_argument(
        "--workspace", default="", help="the folder that the agent worked in, for agents that log there"
    )
    chosen = parser.parse_args(arguments)
    if not os.path.isdir(chosen.home):
        parser.error(f"{chosen.home} is not a folder")
    now_us = time.time_ns() // 1000
    where = Surroundings(
        [os.path.abspath(chosen.home)],
        {},
        chosen.temp,
        chosen.workspace,
        repository=os.environ.get("GITHUB_REPOSITORY", ""),
    )
    runs, notices = collect(where, Window(), None, 600)
    job, given = record.job_of(os.environ, "", now_us, None), {"purpose": "other", "team": "", "tags": {}}
    text = _for_people(record.whole(job, given, runs, notices, [], now_us))
    if len(text) > record.BODY_LIMIT:  # else it fits without the spaces too, and nothing of it is cut
        text = _for_people(json.loads(record.closed(job, given, runs, notices, [], now_us)))
    sys.stdout.write(text.replace("##[", "#\\u0023[") + "\n")
    for notice in notices:
        sys.stderr.write(f"notice: {notice}\n")
    return 0


def _for_people(value: object) -> str:
    """JSON over several lines, where what holds nothing deeper has one."""
    pieces: list[str] = []
    _lay_out(value, "", pieces)
    return "".join(pieces)


def _lay_out(value: object, indent: str, pieces: list[str]) -> None:
    deeper = indent + "  "
    if isinstance(value, dict) and _is_deep(value):
        for number, (name, each) in enumerate(value.items()):
            pieces.append(f"{',' if number else '{'}\n{deeper}{_quoted(name)}: ")
            _lay_out(each, deeper, pieces)
        pieces.append(f"\n{indent}}}")
    elif isinstance(value, list) and value:
        if all(isinstance(each, dict) for each in value) and not any(map(_is_deep, value)):
            pieces += ["[\n", deeper, _one_to_a_line(value, deeper)]
        else:
            for number, each in enumerate(value):
                pieces.append(f"{',' if number else '['}\n{deeper}")
                _lay_out(each, deeper, pieces)
        pieces.append(f"\n{indent}]")
    else:
        pieces.append(json.dumps(value))


def _is_deep(value: dict[str, object]) -> bool:
    types = set(map(type, value.values()))
    return dict in types or list in types


def _one_to_a_line(objects: list[dict[str, object]], indent: str) -> str:
    """Model calls are many: they are encoded at once. JSON has no bare return in texts, so it marks the commas."""
    text = json.dumps(objects, separators=(",\r ", ": "))
    return text[1:-1].replace("},\r {", "},\n" + indent + "{").replace("\r", "")

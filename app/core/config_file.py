"""The YAML of `mergemeter.yml` as plain values with line numbers, held against its JSON Schema.

Values are strings, integers, decimals, booleans, None, lists and dicts, from a plain file without anchors, tags or
a key twice. Every problem has a line, the setting's path and one sentence.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from json import loads
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema_rs
import yaml

from app.core.yaml_nodes import Unreadable, compose, line_of

CONFIG_FILE = "mergemeter.yml"
LONGEST = 64 * 1024
MOST_PROBLEMS = 50
SCHEMA = Path(__file__).with_name("mergemeter.schema.json")
NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?")
WORDS: dict[str, bool | None] = {
    "true": True,
    "True": True,
    "false": False,
    "False": False,
    "": None,
    "~": None,
    "null": None,
}

Value: TypeAlias = "str | int | Decimal | bool | list[Value] | dict[str, Value] | None"
Where: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake: where (a line from 1, the setting's path like "teams.payments") and what to do about it."""

    line: int
    path: str
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path or 'the file'} {self.sentence}"


def parsed(text: str) -> tuple[Value, dict[Where, int], list[Problem]]:
    """The document's values, the line of each by its path, and what keeps the file from being read."""
    lines: dict[Where, int] = {(): 1}
    problems: list[Problem] = []
    try:
        root = compose(text, LONGEST, plain=True)
    except Unreadable as broken:
        return None, lines, [Problem(broken.line, "", broken.sentence)]
    tree = _value(root, (), lines, problems) if root is not None else None
    return tree, lines, problems


def problems_of(tree: Value, lines: dict[Where, int]) -> list[Problem]:
    """What the schema says against the values, in our words."""
    found = {problem: None for error in _validator().iter_errors(tree) for problem in _told(error, tree, lines)}
    return list(found)[:MOST_PROBLEMS]


def named(where: Where) -> str:
    """ "teams.payments.repositories[0]"."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")


def _value(node: yaml.Node, where: Where, lines: dict[Where, int], problems: list[Problem]) -> Value:
    lines.setdefault(where, line_of(node))
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*where, number), lines, problems) for number, item in enumerate(node.value)]
    values: dict[str, Value] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        here = (*where, name)
        if name in values or not isinstance(key, yaml.ScalarNode):
            twice = f"stands here twice, first on line {lines[here]}" if name in values else ""
            problems.append(Problem(line_of(key), named(here), twice or "holds a setting whose name is no word"))
            continue
        lines[here] = line_of(key)
        values[name] = _value(value, here, lines, problems)
    return values


def _scalar(node: yaml.ScalarNode) -> Value:
    """Quoted text is text; a plain scalar may be a number, true, false or nothing, and else is text too."""
    text: str = node.value
    if node.style:
        return text
    if text in WORDS:
        return WORDS[text]
    if not NUMBER.fullmatch(text):
        return text
    return Decimal(text) if "." in text else int(text)


def _told(error: jsonschema_rs.ValidationError, tree: Value, lines: dict[Where, int]) -> Iterator[Problem]:
    where = _where(tree, error.instance_path)
    kind, about = error.kind.name, error.kind.as_dict()
    if kind == "additionalProperties":
        known = list(_schema_at(error.schema_path[:-1]).get("properties", ()))
        for name in about["unexpected"]:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
            yield Problem(lines[(*where, name)], named((*where, name)), f"is not a setting here; {hint}")
    elif kind == "required":
        yield Problem(_line(where, lines), named(where), f"lacks {about['property']}")
    elif kind == "propertyNames":
        name = str(about["error"].instance)
        here = (*where, name)
        yield Problem(_line(here, lines), named(here), _comment([*error.schema_path[:-1]]))
    else:
        sentence = _comment(error.schema_path)
        yield Problem(_line(where, lines), named(where), f"{sentence}{_not(tree, where)}")


def _line(where: Where, lines: dict[Where, int]) -> int:
    return next(lines[where[:size]] for size in range(len(where), -1, -1) if where[:size] in lines)


def _comment(schema_path: list[str | int]) -> str:
    """What the schema says to people at this place, or at the nearest one around it."""
    for size in range(len(schema_path), -1, -1):
        told = _schema_at(schema_path[:size])
        if isinstance(told, dict) and isinstance(told.get("$comment"), str):
            return str(told["$comment"])
    return "is not valid"


def _where(tree: Value, path: Sequence[str | int]) -> Where:
    """The validator's path in the tree's own keys: it takes a group's name that looks like a number for one."""
    where: list[str | int] = []
    value: Any = tree
    for part in path:
        key = part
        if isinstance(value, dict):
            key = next((name for name in value if name == str(part) or (name.isdecimal() and int(name) == part)), "")
            if key == "":
                break
        where.append(key)
        value = value[key]
    return tuple(where)


def _not(tree: Value, where: Where) -> str:
    """ ", not "sometimes"": what stands there instead."""
    value: Any = tree
    for part in where:
        value = value[part]
    if isinstance(value, dict | list):
        return ", not a list" if isinstance(value, list) else ", not a group of settings"
    if value is None:
        return ", but is empty"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f', not "{text[:40]}{"…" if len(text) > 40 else ""}"'


def _schema_at(path: list[str | int]) -> Any:
    found: Any = _schema()
    for part in path:
        found = found[part]
    return found


@cache
def _schema() -> Any:
    return loads(SCHEMA.read_text(encoding="utf-8"))


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_schema())

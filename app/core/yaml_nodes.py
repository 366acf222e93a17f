"""YAML from outside, as nodes with line numbers: bounded in size and depth, and never made into objects.

The parser's events are read first, because they come one by one: composing recurses in C, where a deep document
would end the process.
"""

from typing import Any

import yaml

DEEPEST = 40
MOST_EVENTS = 100_000
OPENING = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
CLOSING = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


class Unreadable(Exception):  # noqa: N818 (what the text is, not what went wrong here)
    """The text is not YAML that we read. `line` counts from 1."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line
        self.sentence = sentence


def compose(text: str, most_characters: int, plain: bool = False) -> yaml.Node | None:
    """The root node of the only document, or None for an empty one. Raises Unreadable.

    `plain` refuses anchors, aliases and tags. Without it aliases are shared nodes, so nothing multiplies; whoever
    walks them must not follow them in circles.
    """
    if len(text) > most_characters:
        raise Unreadable(1, f"is longer than {most_characters:,} characters")
    try:
        _bound(text, plain)
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        raise Unreadable(mark.line + 1 if mark else 1, f"is not YAML: {broken.problem or broken.context}") from broken
    except (yaml.YAMLError, UnicodeError, ValueError) as broken:
        raise Unreadable(1, "is not YAML: it holds a character that YAML does not allow") from broken
    return node


def line_of(node: yaml.Node) -> int:
    """The line on which a node starts, from 1."""
    return line_at(node.start_mark)


def line_at(mark: Any) -> int:
    """The line of a mark, from 1; 1 where there is none."""
    return int(mark.line) + 1 if mark else 1


def value_of(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value node of a mapping's entry; None where there is no such entry or no mapping."""
    found = entry_of(node, key)
    return found[1] if found else None


def entry_of(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The key node and value node of a mapping's entry."""
    if isinstance(node, yaml.MappingNode):
        for each, value in node.value:
            if isinstance(each, yaml.ScalarNode) and each.value == key:
                return each, value
    return None


def _bound(text: str, plain: bool) -> None:
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        depth += isinstance(event, OPENING) - isinstance(event, CLOSING)
        line = line_at(event.start_mark)
        if depth > DEEPEST or number > MOST_EVENTS:
            raise Unreadable(line, "is nested too deep or has too many parts")
        if plain and (getattr(event, "anchor", None) or getattr(event, "tag", None)):
            raise Unreadable(line, "holds an anchor, alias or tag, which are not read here: write the value out")

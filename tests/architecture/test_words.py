"""The project speaks of itself alone: no registry host, no path of one machine, no note left for later."""

import re
from collections.abc import Iterable

from tests.architecture.source import files, text

# Put together here, so that this file does not find itself.
HOSTS = [
    ".".join(parts)
    for parts in (("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs", "org"), ("npmjs", "com"),
                  ("deb", "debian", "org"), ("proxy", "golang", "org"), ("crates", "io"))
]  # fmt: skip
PATHS = [rf"(?<![\w/.~-])/{folder}/" for folder in ("work", "root", "tmp/w")]
PAPERS = [r"\.\./shared\b", r"\bCONTRACT" + r"\.md\b", *(rf"\b{name}" + r"\.md\b" for name in ("design", "anchors"))]
NOTES = [rf"\b{word}\b" for word in ("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")]
SECRETS = [r"-----BEGIN (?:RSA |EC )?PRIVATE " + r"KEY-----", r"\bgh[pousr]_[A-Za-z0-9]{36}\b"]


def found(patterns: Iterable[str], *, outside: tuple[str, ...] = ()) -> list[str]:
    """`path:line: text` of every match in the project's files, the recorded data in `outside` left out."""
    pattern = re.compile("|".join(patterns))
    hits = []
    for path in files():
        if str(path).startswith(outside):
            continue
        content = text(path)
        if content is None or not pattern.search(content):
            continue
        hits += [f"{path}:{n}: {line[:120]}" for n, line in enumerate(content.splitlines(), 1) if pattern.search(line)]
    return hits


def test_no_package_registry_is_named() -> None:
    assert found(map(re.escape, HOSTS)) == []


def test_no_path_of_one_machine_is_named() -> None:
    assert found(PATHS, outside=("tests/data",)) == []


def test_no_working_paper_is_named() -> None:
    assert found(PAPERS) == []


def test_no_note_is_left_for_later() -> None:
    assert found(NOTES, outside=("tests/data", "requirements")) == []


def test_no_private_key_or_token_is_committed() -> None:
    assert found(SECRETS) == []

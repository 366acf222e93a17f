"""Files and functions stay small enough to be read at once. Medians are reported, outliers fail."""

import ast
from pathlib import Path
from statistics import median

from tests.architecture.source import ROOT, functions, length, tree, under

CODE = ("app", "action", "bench", "scripts")
FILE_LINES = 400
FUNCTION_LINES = 70
SAME_BODY_LINES = 8
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
CLASSES_THAT_SAY_NOTHING = ("Manager", "Service", "Handler", "Processor", "Helper")


def lines(path: Path) -> int:
    """Lines that hold anything."""
    return sum(1 for line in (ROOT / path).read_text(encoding="utf-8").splitlines() if line.strip())


def test_no_file_is_longer_than_400_lines() -> None:
    sizes = {path: lines(path) for path in under(*CODE, "tests")}
    print(f"file median: {median(sizes.values()):.0f} lines of {len(sizes)} files")  # noqa: T201 (shown with -s, or when this fails)
    assert {str(path): size for path, size in sizes.items() if size > FILE_LINES} == {}


def test_no_function_is_longer_than_70_lines() -> None:
    sizes = {f"{path}:{node.name}": length(node) for path in under(*CODE, "tests") for node in functions(path)}
    print(f"function median: {median(sizes.values()):.0f} lines of {len(sizes)} functions")  # noqa: T201
    assert {name: size for name, size in sizes.items() if size > FUNCTION_LINES} == {}


def test_no_module_is_a_drawer_for_everything() -> None:
    assert [str(path) for path in under(*CODE, "tests") if NAMES_THAT_SAY_NOTHING & {path.stem, *path.parts}] == []


def test_no_class_is_named_for_nothing() -> None:
    """Names that a base class of Python's own library asks for (a request handler) are not ours to choose."""
    wrong = [
        f"{path}:{node.name}"
        for path in under(*CODE)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
        and node.name.endswith(CLASSES_THAT_SAY_NOTHING)
        and not any("Handler" in ast.unparse(base) for base in node.bases)
    ]
    assert wrong == []


def test_every_module_says_what_it_owns() -> None:
    silent = [str(path) for path in under(*CODE) if tree(path).body and not ast.get_docstring(tree(path))]
    assert [path for path in silent if "migrations" not in path] == []


def test_no_function_exists_twice() -> None:
    seen: dict[str, str] = {}
    twice = []
    for path in under(*CODE, "tests"):
        for node in functions(path):
            if length(node) < SAME_BODY_LINES:
                continue
            body = ast.dump(ast.Module(node.body, []))
            here = f"{path}:{node.name}"
            if body in seen:
                twice.append(f"{seen[body]} = {here}")
            seen[body] = here
    assert twice == []

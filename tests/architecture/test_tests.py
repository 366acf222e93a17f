"""Tests are told to run, and they run: no skip, no expected failure, but the ones of tests/optional.py."""

import ast
import re

import pytest

from tests import optional
from tests.architecture.source import ROOT, functions, tree, under

SKIPPING = re.compile(
    r"\b(pytest\.skip|mark\.skip|mark\.skipif|mark\.xfail|pytest\.xfail|importorskip|unittest\.skip)\b"
)


def test_nothing_skips_but_through_the_one_mechanism() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path in under("tests")
        if path.name != "optional.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and SKIPPING.search(ast.unparse(node))
    ]
    assert wrong == []


def test_every_optional_part_that_a_test_names_is_known() -> None:
    named = {
        str(node.args[0].value)
        for path in under("tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("mark.optional")
        and isinstance(node.args[0], ast.Constant)
    }
    assert named - optional.PARTS.keys() == set()


def test_no_test_of_one_module_has_the_name_of_another() -> None:
    """A second function of the same name in a module silently replaces the first."""
    wrong = []
    for path in under("tests"):
        names = [node.name for node in tree(path).body if isinstance(node, ast.FunctionDef)]
        wrong += [f"{path}:{name}" for name in set(names) if names.count(name) > 1]
    assert wrong == []


CLAIM = re.compile(r"\bassert\b|raises\(|fail\(|check|validate\(|run_state_machine_as_test")


def test_every_test_asserts_something_by_itself() -> None:
    """An assert or an expected raise, in the test or in a function of the tests that it calls."""
    every = [(path, node) for path in under("tests") for node in functions(path)]
    asserting = {node.name for _, node in every if CLAIM.search(ast.unparse(node))}
    while more := {node.name for _, node in every if called(node) & asserting} - asserting:
        asserting |= more
    silent = [
        f"{path}:{node.name}" for path, node in every if node.name.startswith("test_") and node.name not in asserting
    ]
    assert silent == []


def called(node: ast.AST) -> set[str]:
    """The last names of everything that is called below a node."""
    return {ast.unparse(call.func).rpartition(".")[2] for call in ast.walk(node) if isinstance(call, ast.Call)}


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in under("tests") if "data" not in path.parts}
    assert [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()] == []


def test_a_missing_part_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(optional.Skipped, match="optional part missing: teapot: buy one"):
        optional.need("teapot", found=False, how="buy one")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(optional.Failed, match="teapot: buy one"):
        optional.need("teapot", found=False, how="buy one")


def test_a_part_that_is_there_lets_the_test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    optional.need("teapot", found=True, how="buy one")
    assert True

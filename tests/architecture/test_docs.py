"""What the documents say is there: files, sections, commands, targets, settings, decisions."""

import json
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from app.core import config
from app.settings import READERS
from tests.architecture.source import ROOT, files, under

PAGES = [path for path in files() if path.suffix == ".md" and path.parts[:2] != ("tests", "data")]
DECISIONS = [path for path in PAGES if re.fullmatch(r"docs/decisions/\d{4}-.*\.md", path.as_posix())]
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@cache
def page(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def anchors(path: Path) -> set[str]:
    """GitHub's ids of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    wrong = []
    for target in filter(None, (one or other for one, other in LINK.findall(FENCE.sub("", page(path))))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = Path((path.parent / name).as_posix()) if name else path
        there = (ROOT / linked).resolve()
        has_anchors = bool(anchor) and there.suffix == ".md"
        if not there.exists() or (has_anchors and anchor not in anchors(there.relative_to(ROOT))):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_links_inside_the_repository_resolve(path: Path) -> None:
    assert broken_links(path) == []


def console_lines() -> set[str]:
    blocks = (body for path in PAGES for _, kind, body in FENCE.findall(page(path)) if kind == "console")
    return {line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines() if line.strip()}


def commands_of_the_app() -> set[str]:
    """Every subcommand that a document names, in a console block or in running text."""
    return {name for path in PAGES for name in re.findall(r"python -m app ([a-z][\w-]*)", page(path))}


@pytest.mark.parametrize("command", sorted(commands_of_the_app()))
def test_a_command_that_a_document_names_exists(command: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "app", command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_make_targets_that_documents_name_exist() -> None:
    there = set(re.findall(r"^([a-z]+):", page(Path("Makefile")), re.MULTILINE))
    named = {name for path in PAGES for name in re.findall(r"`make ([a-z]+)", page(path))}
    named |= {line.split()[1] for line in console_lines() if line.startswith("make ")}
    assert named - there == set()


def test_the_settings_table_lists_exactly_what_is_read() -> None:
    table = re.findall(r"^\| `MERGEMETER_(\w+)` \|", page(Path("docs/operations.md")), re.MULTILINE)
    assert sorted(table) == sorted(READERS)


def test_no_document_names_a_setting_that_does_not_exist() -> None:
    places = [*PAGES, Path("compose.yaml"), Path("Dockerfile")]
    named = {name for path in places for name in re.findall(r"MERGEMETER_([A-Z_]+[A-Z])", page(path))}
    of_the_action = {name for path in under("action") for name in re.findall(r'"MERGEMETER_([A-Z_]+)"', page(path))}
    assert named - READERS.keys() - of_the_action == set()


MANIFEST = yaml.safe_load(page(Path("manifest.yml")))


def test_the_permissions_that_the_readme_explains_are_the_ones_asked_for() -> None:
    explained = re.findall(r"^\| ([A-Z][\w ]+): (read|write) \|", page(Path("README.md")), re.MULTILINE)
    assert {name.lower().replace(" ", "_"): level for name, level in explained} == MANIFEST["default_permissions"]


def test_the_guide_asks_for_the_permissions_and_events_of_the_manifest() -> None:
    guide = page(Path("docs/install.md"))
    asked = re.findall(r"([A-Z][\w ]+?) \*(read|read and write)\*", re.sub(r"\s+", " ", guide))
    levels = {"read": "read", "read and write": "write"}
    assert {name.lower().replace(" ", "_"): levels[level] for name, level in asked} == MANIFEST["default_permissions"]
    events = re.findall(r"\*([A-Z][\w ]+)\*", guide.partition("**Subscribe to events**")[2].partition("\n")[0])
    assert {name.lower().replace(" ", "_") for name in events} == set(MANIFEST["default_events"])


def test_decisions_are_numbered_without_a_gap_and_indexed() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    index = page(Path("docs/decisions/README.md"))
    assert [path.name for path in DECISIONS if f"({path.name})" not in index] == []


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_five_paragraphs(path: Path) -> None:
    labels = re.findall(r"^\*\*([\w ]+)\.\*\* ", page(path), re.MULTILINE)
    assert labels == ["Context", "Choice", "Why", "What it costs", "Look again"]


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads(page(Path("pyproject.toml")))
    named = {re.split(r"[\[<>=~! ]", one)[0] for one in project["project"]["dependencies"]}
    reasons = "\n".join(map(page, DECISIONS))
    assert {name for name in named if not re.search(rf"`{re.escape(name)}(\[\w+\])?`", reasons)} == set()


def yaml_blocks() -> list[tuple[str, str]]:
    """(where, text) of every YAML example."""
    return [
        (f"{path}:{number}", textwrap.dedent(body))
        for path in PAGES
        for number, (_, kind, body) in enumerate(FENCE.findall(page(path)))
        if kind in {"yaml", "yml"}
    ]


CONFIGURATIONS = [block for block in yaml_blocks() if "# mergemeter.yml" in block[1]]


@pytest.mark.parametrize(("where", "text"), CONFIGURATIONS)
def test_an_example_of_the_configuration_is_valid(where: str, text: str) -> None:
    understood, problems = config.read(text, public=False)
    assert problems == []
    assert understood is not None


def test_the_examples_of_the_configuration_show_every_setting() -> None:
    schema = json.loads(page(Path("app/core/mergemeter.schema.json")))
    shown = {key for _, text in CONFIGURATIONS for key in yaml.safe_load(text)}
    assert shown == schema["properties"].keys()


def steps(node: object) -> Iterator[dict[str, object]]:
    """Every workflow step below a node."""
    if isinstance(node, dict):
        if "uses" in node:
            yield node
        for inner in node.values():
            yield from steps(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from steps(inner)


def test_examples_of_the_action_use_only_inputs_that_it_has() -> None:
    inputs = yaml.safe_load(page(Path("action/action.yml")))["inputs"].keys()
    used = [
        step for _, text in yaml_blocks() for step in steps(yaml.safe_load(text)) if "/action@" in str(step["uses"])
    ]
    assert used
    assert [step for step in used if not dict(step.get("with", {})).keys() <= inputs] == []  # type: ignore[call-overload]

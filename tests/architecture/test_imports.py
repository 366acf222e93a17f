"""Dependencies point one way: __main__ → web, worker → stories → github, vendors, store, oidc, otlp → core."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, module_name, tree, under

OUTSIDE_OF_THE_LAYERS = {"settings", "world"}  # values that are passed down; see ALLOWED for what they may know
ALLOWED = {
    "core": {"core"},
    "store": {"store", "core"},
    "github": {"github", "core"},
    "oidc": {"oidc", "core"},
    "vendors": {"vendors", "core"},
    "otlp": {"otlp", "core"},
    "settings": {"core"},
    "world": {"settings", "store", "github", "oidc", "core"},
    "stories": {"github", "vendors", "store", "oidc", "core", *OUTSIDE_OF_THE_LAYERS},
    "web": {"web", "stories", "store", "oidc", "otlp", "core", *OUTSIDE_OF_THE_LAYERS},
    "worker": {"stories", "store", "core", *OUTSIDE_OF_THE_LAYERS},
    "timetable": {"worker", "stories", "store", "core", *OUTSIDE_OF_THE_LAYERS},
    "doctor": {"github", "store", "core", *OUTSIDE_OF_THE_LAYERS},
    "export": {"export", "core"},
    "commands": {
        "commands",
        "worker",
        "timetable",
        "stories",
        "export",
        "github",
        "store",
        "core",
        *OUTSIDE_OF_THE_LAYERS,
    },
    "sandbox": {"sandbox", "core"},
}
ENTRANCES = {"__main__", "demo"}  # may know everything
CORE_MAY_USE = {"genai_prices", "pydantic", "yaml", "jsonschema_rs", "jinja2", "markupsafe"}


@cache
def app_modules() -> dict[str, Path]:
    return {module_name(path): path for path in under("app") if "migrations" not in path.parts}


def imports(path: Path, *, for_types: bool = True) -> Iterator[str]:
    """Every module that a file imports, lazily too, and unless told otherwise for types alone."""
    skipped = set() if for_types else {id(node) for block in type_blocks(path) for node in ast.walk(block)}
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in ast.walk(tree(path)):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            prefix = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            source = ".".join(filter(None, [prefix, node.module or ""]))
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield inner if inner in app_modules() else source


def type_blocks(path: Path) -> Iterator[ast.If]:
    """The `if TYPE_CHECKING:` blocks: nothing in them is imported when the code runs."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield node


def unit(module: str) -> str:
    """app.core.money → core; app.worker → worker."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def edges(*, for_types: bool = True) -> Iterator[tuple[str, str]]:
    for module, path in app_modules().items():
        for target in imports(path, for_types=for_types):
            if target == "app" or target.startswith("app."):
                yield module, target


def test_no_import_points_against_the_arrows() -> None:
    wrong = [
        f"{module} → {target}"
        for module, target in edges()
        if unit(module) not in ENTRANCES | {""} and unit(target) not in {"", *ALLOWED.get(unit(module), set())}
    ]
    assert wrong == []


def test_every_unit_of_the_app_has_its_arrows_written_down() -> None:
    units = {unit(module) for module in app_modules()} - {"", *ENTRANCES}
    assert units - ALLOWED.keys() == set()


def test_no_story_imports_another_story() -> None:
    wrong = [
        f"{module} → {target}"
        for module, target in edges()
        if unit(module) == unit(target) == "stories" and target not in {module, "app.stories"}
    ]
    assert wrong == []


def test_only_the_entrances_import_the_sandbox() -> None:
    wrong = [
        f"{module} → {target}"
        for module, target in edges()
        if unit(target) == "sandbox" and unit(module) not in {"sandbox", *ENTRANCES}
    ]
    assert wrong == []


def test_imports_have_no_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for module, target in edges(for_types=False):
        if module != target:
            graph.setdefault(module, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        pytest.fail(" → ".join(cycle.args[1]))


def outside(path: Path) -> set[str]:
    """The top-level names of imported modules that are neither ours nor Python's."""
    tops = {target.partition(".")[0] for target in imports(path)}
    return {top for top in tops if top != "app" and top not in sys.stdlib_module_names}


def test_core_uses_only_the_libraries_it_names() -> None:
    wrong = {
        str(path): names
        for module, path in app_modules().items()
        if unit(module) == "core" and (names := outside(path) - CORE_MAY_USE)
    }
    assert wrong == {}


IN_AND_OUT = {
    "socket",
    "ssl",
    "http",
    "urllib.request",
    "sqlite3",
    "subprocess",
    "threading",
    "asyncio",
    "os",
    "random",
}


def test_core_does_no_input_or_output() -> None:
    wrong = {
        str(path): names
        for module, path in app_modules().items()
        if unit(module) == "core" and (names := IN_AND_OUT & set(imports(path)))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("githubkit", {"github"}),
        ("sqlalchemy", {"store", "doctor"}),
        ("starlette", {"web", "sandbox"}),
        ("jwt", {"oidc", "sandbox", "doctor"}),
        ("opentelemetry", {"otlp"}),
        ("google", {"otlp"}),
        ("pyarrow", {"export"}),
        ("fsspec", {"export"}),
    ],
)
def test_a_library_stays_in_its_room(library: str, home: set[str]) -> None:
    wrong = [
        str(path)
        for module, path in app_modules().items()
        if library in outside(path) and unit(module) not in home | ENTRANCES
    ]
    assert wrong == []


DISTRIBUTION = {
    "jwt": "pyjwt",
    "yaml": "pyyaml",
    "markdown_it": "markdown-it-py",
    "sqlalchemy": "sqlmodel",  # SQLModel is SQLAlchemy and Pydantic
    "pydantic": "sqlmodel",
    "markupsafe": "jinja2",
    "anyio": "starlette",  # what its requests run on
    "cryptography": "pyjwt",  # pyjwt[crypto]
    "httpx": "githubkit",  # what githubkit sends with
    "opentelemetry": "opentelemetry-proto",
    "google": "opentelemetry-proto",  # google.protobuf, which its messages are made of
}
# A pin for githubkit; a driver that SQLAlchemy loads; what uvicorn takes when it is there.
WITHOUT_IMPORT = {"hishel", "psycopg", "httptools", "uvloop"}


def test_declared_dependencies_are_exactly_what_the_app_imports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[\[<>=~! ]", one)[0] for one in project["dependencies"]}
    imported = {
        DISTRIBUTION.get(top, top.replace("_", "-")) for path in under("app") for top in outside(path) if top != "app"
    }
    assert imported | WITHOUT_IMPORT == declared


# What runs in the standalone mode's own environment, which start.py makes.
RUN_APART = {Path("action/standalone") / name for name in ("comment.py", "price.py", "program.py")}
STANDALONE_MAY_USE = {"app", "github", "requests", "urllib3"}


def test_the_action_imports_only_python_and_itself() -> None:
    own = {"action", *(path.stem for path in under("action")), *(path.parts[-2] for path in under("action"))}
    wrong = {}
    for path in under("action"):
        allowed = own | {""} | (STANDALONE_MAY_USE if path in RUN_APART else set())
        foreign = {target.partition(".")[0] for target in imports(path)} - allowed - set(sys.stdlib_module_names)
        if foreign:
            wrong[str(path)] = foreign
    assert wrong == {}


def test_the_standalone_mode_uses_a_part_of_the_core_that_needs_the_price_data_alone() -> None:
    waiting, seen, needed = {target for path in RUN_APART for target in imports(path)}, set[str](), set[str]()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        if module.partition(".")[0] == "app":
            assert unit(module) in {"", "core"}
            waiting |= set(imports(app_modules()[module], for_types=False)) - seen
        else:
            needed.add(module.partition(".")[0])
    assert needed - set(sys.stdlib_module_names) - {"standalone"} == {"genai_prices", "github", "requests", "urllib3"}


def test_the_web_application_loads_no_github_client() -> None:
    code = "import sys, app.web.app; print(sorted(m for m in sys.modules if m.partition('.')[0] == 'githubkit'))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"

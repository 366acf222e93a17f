"""The project's own files, and the Python among them as syntax trees."""

import ast
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", ".cache", ".hypothesis", ".pytest_cache", ".mypy_cache", "node_modules", "__pycache__"}


@cache
def files() -> tuple[Path, ...]:
    """Every file that is or would be committed, relative to the root; without git, every file outside caches."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        listed = subprocess.run(
            [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout.split("\0")  # fmt: skip
        found = [Path(name) for name in listed if name]
    else:
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*") if not NOT_OURS & set(path.parts)]
    return tuple(sorted(path for path in found if (ROOT / path).is_file()))


def under(*folders: str, suffix: str = ".py") -> list[Path]:
    """The files in these top folders with this suffix."""
    return [path for path in files() if path.parts[0] in folders and path.suffix == suffix]


def text(path: Path) -> str | None:
    """The file as text, or None when it is binary."""
    raw = (ROOT / path).read_bytes()
    if b"\0" in raw:
        return None
    return raw.decode("utf-8", errors="replace")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_bytes(), filename=str(path))


def module_name(path: Path) -> str:
    """app/core/money.py → app.core.money; a package's __init__ is the package."""
    parts = list(path.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones included."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators."""
    return (node.end_lineno or node.lineno) - node.lineno + 1

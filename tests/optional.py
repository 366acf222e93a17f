"""Parts of a test run that a machine may lack: a database server, a browser, packages of other languages.

Locally a missing part skips its tests and says so at the end, with the way to get it. When `CI=true`
nothing may be missing: the test fails instead, so a green CI never hides a skipped part.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

Skipped, Failed = pytest.skip.Exception, pytest.fail.Exception
PREFIX = "optional part missing: "
ROOT = Path(__file__).resolve().parents[1]
VALIDATOR = ROOT / ".cache" / "focus-validator"
RULES_1_3 = Path(os.environ.get("FOCUS_RULES_1_3") or ROOT.parent / "shared" / "focus" / "model-1.3.json")
NPM = ROOT / ".cache" / "openapi" / "node_modules"


def need(name: str, found: bool, how: str) -> None:
    """Skip the running test when a part was not found, or fail it where `CI=true`. `how` says how to get the part."""
    if found:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{PREFIX}{name}: {how} (required because CI=true)", pytrace=False)
    pytest.skip(f"{PREFIX}{name}: {how}")


@dataclass(frozen=True, slots=True)
class Part:
    """What a marker `optional(name)` stands for."""

    found: Callable[[], bool]
    how: str


def _program(*names: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(name) for name in names)


def chromium() -> str | None:
    """The path of a Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


PARTS: dict[str, Part] = {
    "chromium": Part(lambda: chromium() is not None, "install Chromium (Debian: apt-get install chromium)"),
    "node": Part(_program("node"), "install Node.js 20 or newer"),
    "git": Part(_program("git"), "install git"),
    "act": Part(lambda: (ROOT / ".venv" / "bin" / "act").exists() or _program("act")(), "run `make setup`"),
    "FOCUS validator": Part((VALIDATOR / "bin" / "focus-validator").exists, "run `make validator` (needs Python 3.12)"),
    "webhook examples": Part((NPM / "@octokit/webhooks-examples").is_dir, "run `make slice`"),
    "Mermaid": Part((NPM / "@mermaid-js" / "tiny").is_dir, "run `make slice`"),
    "GitHub's OpenAPI description": Part((NPM / "@octokit/openapi").is_dir, "run `make slice`"),
}


def check_markers(item: pytest.Item) -> None:
    """Apply `@pytest.mark.optional(name)` to a test that is about to run. An unknown name is an error."""
    for marker in item.iter_markers("optional"):
        name = str(marker.args[0])
        part = PARTS[name]
        need(name, part.found(), part.how)


def skipped_parts(reports: Sequence[object]) -> Iterator[str]:
    """The distinct `name: how` of skip reports that `need` made."""
    seen: set[str] = set()
    for report in reports:
        longrepr = getattr(report, "longrepr", None)
        reason = str(longrepr[2]) if isinstance(longrepr, tuple) else ""
        part = reason.partition(PREFIX)[2]
        if part and part not in seen:
            seen.add(part)
            yield part


def summarize(terminal: pytest.TerminalReporter) -> None:
    """List each skipped part and how to get it, after the run."""
    parts = list(skipped_parts(terminal.stats.get("skipped", [])))
    if parts:
        terminal.section("not tested here")
        for part in parts:
            terminal.line(f"  {part}")

"""`python -m app demo --once` as a person runs it."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ESSENTIAL = (
    # the comment
    r"^The comment on acme/widgets#1$",
    r"^\*\*\$1\.23\*\* · 6 agent runs · all by signed evidence$",
    r"^\| `claude-code` \| `claude-sonnet-4-5-20250929` \| author \| 3 \| 1\.2\sM \| 93\s% \| \$0\.89 \|$",
    r"^\| \*\*Total\*\* \|  \|  \| \*\*6\*\* \| \*\*1\.7\sM\*\* \| \*\*84\s%\*\* \| \*\*\$1\.23\*\* \|$",
    r"Estimate, not an invoice",
    # the check and its annotation
    r"^The check on acme/widgets#1: \$1\.23 · 6 agent runs \(success\)$",
    r"^\.github/workflows/author\.yml:17: This step's 3 agent runs cost \$0\.89 on this pull; 93\s% of input came from",
    # the month
    r"^The issue in acme/finance: AI agent costs: \w+ \d{4}$",
    r"^\*\*\$2\.51\*\* in \w+ \d{4} · \*\*\$1\.15\*\* per merged PR · 3 agent pulls of 4 merged$",
    r"^```mermaid$",
    r"^- Tied to no pull \(unattributed\): 1 of 11 agent runs, \$0\.05\.$",
    r"^- 1 agent pull merged but was reverted",
    r"^\[ *\d+\.\d s\] Done$",
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], float]:
    """The demo's end and how long it took, in a folder for temporary files that can be looked at."""
    began = time.monotonic()
    environ = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("demo"))}
    done = subprocess.run(
        [sys.executable, "-m", "app", "demo", "--once"], cwd=ROOT, env=environ, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert list(Path(environ["TMPDIR"]).iterdir()) == [], "the demo left files"
    return done, time.monotonic() - began


def test_the_demo_ends_well_within_two_minutes(demo: tuple[subprocess.CompletedProcess[str], float]) -> None:
    done, took_s = demo
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert took_s < 100


@pytest.mark.parametrize("line", ESSENTIAL)
def test_the_demo_prints(demo: tuple[subprocess.CompletedProcess[str], float], line: str) -> None:
    assert re.search(line, demo[0].stdout, re.MULTILINE), demo[0].stdout

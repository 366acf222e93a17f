"""`python -m app demo --once` as a person runs it, and what stands behind what it shows."""

import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from sqlalchemy import text

from app.core.month import Month
from app.core.report.words import month_text
from app.demo.play import play
from app.demo.stage import FINANCE, WIDGETS, Play
from app.demo.tell import where_to_look
from app.store.database import Database
from app.store.keys import us

ROOT = Path(__file__).parents[2]
CENTERS = ("Apps", "Platform", "Unassigned")
ESSENTIAL = (
    # the comment
    r"^The comment on acme/widgets#2$",
    r"^\*\*\$1\.23\*\* · 6 agent runs · all by signed evidence$",
    r"^\| `claude-code` \| `claude-sonnet-4-5-20250929` \| author \| 3 \| 1\.2\sM \| 93\s% \| \$0\.89 \|$",
    r"^\| \*\*Total\*\* \|  \|  \| \*\*6\*\* \| \*\*1\.7\sM\*\* \| \*\*84\s%\*\* \| \*\*\$1\.23\*\* \|$",
    r"Estimate, not an invoice",
    # the check and its annotation
    r"^The check on acme/widgets#2: \$1\.23 · 6 agent runs \(success\)$",
    r"^\.github/workflows/author\.yml:17: This step's 3 agent runs cost \$0\.89 on this pull; 93\s% of input came from",
    # the month
    r"^The issue in acme/finance: AI agent costs: \w+ \d{4}$",
    r"^\*\*\$2\.51\*\* in \w+ \d{4} · \*\*\$1\.15\*\* per merged PR · 3 agent pulls of 4 merged$",
    r"^```mermaid$",
    r"^- Tied to no pull \(unattributed\): 1 of 11 agent runs, \$0\.05\.$",
    r"^- 1 agent pull merged but was reverted",
    # the statement of the month before, what was found, and the journal
    r"^no-owner: acme/website belongs to no cost center: what it cost is unassigned. \(\$0\.13\)$",
    r"^unattributed-spend: 1 agent run without a known pull: unattributed or abandoned. \(\$0\.08\)$",
    r"^The issue in acme/finance: Statement \d{4}-\d\d-002: Platform, \w+ \d{4}$",
    r"^\*\*\$2\.18\*\* chargeback for \w+ \d{4} · \*\*\$2\.08\*\* per merged PR · token yield ",
    r"^\*\*Booked by `joan \(command line\)` on [^*]+\*\*: journal `J-\d{4}-\d\d-1`. Accepted by `grace` on ",
    r"^\| Abandoned: no pull after 14 days \| 1 line \| \$0\.08 \|$",
    r"`python -m app statement why \d{4}-\d\d-002 <line>` shows what a line is made of",
    r"^J-\d{4}-\d\d-1,1,[-\d]{10},\d{4}-\d\d,6400-10,platform,,2\.08,,USD,\d{4}-\d\d-002 v1,AI agents",
    r"^J-\d{4}-\d\d-1,3,[-\d]{10},\d{4}-\d\d,1590,,,,2\.18,USD,\d{4}-\d\d-002 v1,AI agents",
    r"Verify: account \d+: 3 statements of 1 month, their ledger entries and model calls are as they were",
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


@dataclass(frozen=True)
class Seen:
    """What there was to see when the play was over."""

    month: Month
    cost: dict[str, int]  # nano-USD of the month before by repository: that of its model calls
    statements: dict[str, tuple[int, int, str]]  # by cost center: total in nano-USD and cents, state
    issues: dict[str, dict[str, Any]]  # by title
    comments: list[tuple[str, str, list[str]]]  # on Platform's statement: who, what, reactions
    pull: dict[str, Any]
    links: str
    pages: dict[str, int]  # the status of each page to look at
    why: str
    refused: str
    log: str


@pytest.fixture(scope="module")
def seen() -> Seen:
    """The same play in this process, and a look at its database and its GitHub before it ends."""
    found: list[Seen] = []
    play(lambda _: None, lambda stage: found.append(look(stage)))
    return found[0]


def look(stage: Play) -> Seen:
    before = stage.month.previous
    database = Database(stage.server.environ["MERGEMETER_DATABASE_URL"])
    with database.reading() as session:
        span = {"start": us(before.start), "end": us(before.end)}
        cost = {name: int(cost) for name, cost in session.connection().execute(text(COST), span)}
        rows = session.connection().execute(
            text("SELECT cost_center, total_nano_usd, total_cents, state FROM statement")
        )
        statements = {center: (int(total), int(cents), state) for center, total, cents, state in rows}
    database.close()
    issues = {each["title"]: each for each in stage.gh.issues(FINANCE)}
    number = issues[f"Statement {before}-002: Platform, {month_text(before)}"]["number"]
    comments = [
        (each["user"]["login"], each["body"], stage.gh.reactions(FINANCE, each["id"]))
        for each in stage.gh.comments(FINANCE, number)
    ]
    links = where_to_look(stage)
    pages = {
        address: urlopen(address).status for address in re.findall(rf"^  ({stage.gh.url}/\S*)", links, re.MULTILINE)
    }
    command = next(line for line in links.splitlines() if "statement why" in line)
    why = subprocess.run(["env", *shlex.split(command)], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    with pytest.raises(RuntimeError) as stopped:
        stage.server.command("period", "close", "1999-12")
    refused, _, log = str(stopped.value).partition(":\n")
    return Seen(
        stage.month, cost, statements, issues, comments, stage.gh.pull(WIDGETS, 1), links, pages, why, refused, log
    )


COST = """
SELECT repository.name, SUM(model_call.cost_nano_usd) FROM model_call
JOIN agent_run ON agent_run.id = model_call.agent_run_id
JOIN repository ON repository.repository_id = agent_run.repository_id
WHERE model_call.at_us >= :start AND model_call.at_us < :end GROUP BY 1
"""


def test_the_month_before_is_played_in_the_month_before(seen: Seen) -> None:
    assert datetime.fromisoformat(seen.pull["created_at"]) in seen.month.previous
    assert datetime.fromisoformat(seen.pull["merged_at"]) in seen.month.previous


def test_its_statements_state_what_its_model_calls_cost(seen: Seen) -> None:
    cost, statements = seen.cost, seen.statements
    assert set(cost) == {"widgets", "gateway", "gadgets", "website"}
    assert all(cost.values())
    assert sum(total for total, _, _ in statements.values()) == sum(cost.values())
    platform, apps = cost["widgets"] + cost["gateway"], cost["gadgets"]
    share = Fraction(cost["website"] * platform, platform + apps)
    assert abs(statements["platform"][0] - platform - share) < 1
    assert statements["unassigned"][:2] == (0, 0)


def test_each_statement_has_an_issue_and_one_is_accepted_and_booked(seen: Seen) -> None:
    before = seen.month.previous
    named = [f"Statement {before}-00{number}: {name}, {month_text(before)}" for number, name in enumerate(CENTERS, 1)]
    assert sorted(seen.issues) == [f"AI agent costs: {month_text(seen.month)}", *named]
    apps, platform, unassigned = (seen.issues[title] for title in named)
    assert [each["state"] for each in (apps, platform, unassigned)] == ["open", "closed", "open"]
    assert [seen.statements[name][2] for name in ("apps", "platform", "unassigned")] == ["issued", "posted", "issued"]
    assert f"**${seen.statements['platform'][1] / 100:.2f}** chargeback" in platform["body"]
    assert "$0.13 is shared out: it stands on the statements of those who pay it" in unassigned["body"]
    assert "**Awaiting an answer.**" in apps["body"]
    assert seen.comments == [("grace", "/mergemeter accept", ["+1"])]


def test_where_to_look_leads_to_pages_and_to_a_command_that_adds_up(seen: Seen) -> None:
    assert len(seen.pages) == 9
    assert set(seen.pages.values()) == {200}, seen.pages
    assert f"Statement {seen.month.previous}-002 version 1, line 1: acme/widgets#1" in seen.why
    assert "adds up" in seen.why
    assert "DOES NOT ADD UP" not in seen.why


def test_a_command_that_fails_stops_the_play_with_the_servers_log(seen: Seen) -> None:
    assert seen.refused == "python -m app period close 1999-12 failed"
    assert "Months close in order" in seen.log

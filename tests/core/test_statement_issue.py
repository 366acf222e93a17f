"""What a statement's issue says, and that all of it adds up and nothing in it does any harm."""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.chargeback.periods import StatementState
from app.core.chargeback.statement import Statement, canonical, parsed
from app.core.money import NanoUsd
from app.core.report import mermaid
from app.core.report.escape import mention
from app.core.report.statement.markdown import LONGEST, issue, title
from app.core.report.statement.paper import Paper, Standing
from app.core.report.statement.parts import composition, paper_cents
from app.core.report.statement.said import change_text
from tests.core import paper_samples as samples
from tests.core.rendered import Page, harms
from tests.core.test_escape import hostile
from tests.core.test_report import golden
from tests.core.written import cents_in, markdown_tables, off_by

# A database keeps no half of a surrogate pair.
kept = hostile.map(lambda text: text.encode(errors="replace").decode())
MARK = "<!-- mergemeter:statement:4711:1 -->"
PULLS = "https://redirect.github.com/"
PAPERS = {
    "statement": samples.paper(),
    "statement-tiny": samples.paper(samples.tiny()),
    "statement-negative": samples.paper(samples.negative(), samples.DISPUTED),
    "statement-accepted": samples.paper(samples.statement(chargeback=False, shared=()), samples.ACCEPTED),
    "statement-posted": samples.paper(samples.statement(lines=(), figures=()), samples.POSTED),
    "statement-replaced": samples.paper(samples.statement(version=2, answers=("Line 2 was moved.",)), samples.REPLACED),
    "statement-covered": samples.paper(samples.covered()),
}
PLAIN = re.compile(r"[A-Za-z0-9 ._:÷,%-]*")
MERMAID = (
    r"%%\{init: \{[^}]*\{[^}]*\}(, [^}]*\{[^}]*\{[^}]*\}\})?\}\}?%%",
    r"xychart-beta( horizontal)?",
    r'    title "[A-Za-z0-9 ,:÷]+"',
    r'    x-axis \["[A-Za-z0-9 ._-]+"(, "[A-Za-z0-9 ._-]+")*\]',
    r'    y-axis "[A-Za-z ]+" 0 --> \d+\.\d\d',
    r"    (bar|line) \[\d+\.\d\d(, \d+\.\d\d)*\]",
)


def charts(text: str) -> list[str]:
    """The Mermaid sources of a text."""
    return re.findall(r"^```mermaid\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)


def without_charts(text: str) -> str:
    return re.sub(r"^```mermaid\n.*?\n```$", "", text, flags=re.MULTILINE | re.DOTALL)


def harms_of(text: str, owners: tuple[str, ...] = ("alice", "bob")) -> list[str]:
    """What the text does that it must not; the owners are mentioned on purpose, headings and codes are ours."""
    told = re.sub(rf"(?<!`)@({'|'.join(owners)})\b", "owner", without_charts(text))
    return [each for each in harms(Page(told), PULLS) if each != "tag h3"]


@pytest.mark.parametrize("name", PAPERS)
def test_the_issue_reads_as_agreed(name: str) -> None:
    text = f"{title(PAPERS[name])}\n\n{issue(PAPERS[name], MARK)}"
    assert text == golden(name, text)


@pytest.mark.parametrize("name", PAPERS)
def test_nothing_but_an_owner_is_mentioned_and_only_pulls_are_linked(name: str) -> None:
    assert harms_of(issue(PAPERS[name], MARK)) == []


def test_the_first_line_is_the_one_thing() -> None:
    first = issue(samples.paper(), MARK).splitlines()[0]
    assert first.startswith("**$844.80** chargeback for October 2026 · **$22.50** per merged PR · token yield 70 %")


def test_the_owner_is_asked_with_both_commands() -> None:
    text = issue(samples.paper(), MARK)
    assert "The budget owner comments `/mergemeter accept` or `/mergemeter dispute <reason>`." in text
    assert "budget owner @alice, @bob" in text


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (samples.ACCEPTED, "**Accepted by `alice` on 10 November 2026.**"),
        (samples.POSTED, "**Booked by `command line` on 10 November 2026**: journal `J-2026-10-1`"),
        (samples.POSTED_AFTER, "`J-2026-10-1`. Accepted by `grace` on 10 November 2026."),
        (samples.POSTED_BY_SILENCE, "`J-2026-10-1`. It counted as accepted from 10 November 2026."),
        (samples.REPLACED, "**Replaced by version 3.** Do not book this version."),
        (Standing(StatementState.REPLACED), "**Replaced.** Do not book this version."),
        (Standing(StatementState.ACCEPTED, later=(2,)), "**Replaced by version 2.**"),
    ],
)
def test_how_it_stands_is_said(standing: Standing, said: str) -> None:
    text = issue(samples.paper(standing=standing), MARK)
    assert said in text
    assert "mergemeter accept" not in text


def test_a_dispute_is_told_without_mentioning_whom_it_names() -> None:
    text = issue(samples.paper(standing=samples.DISPUTED), MARK)
    assert "**Disputed by `bob` on 10 November 2026**: line 2 is not ours, see `@acme/platform #12`" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cost_center": "unassigned"}, "**Nobody owns this.**"),
        ({"cost_center": "shared:bots"}, "**Nobody owns this.**"),
        ({"owners": ()}, "**Awaiting an answer, and nobody is named who may give it.**"),
    ],
)
def test_without_an_owner_nobody_is_asked(changes: dict[str, object], said: str) -> None:
    text = issue(samples.paper(samples.statement(**changes)), MARK)
    assert said in text
    assert "comments `/mergemeter accept`" not in text


def test_days_are_those_of_the_peoples_zone() -> None:
    late = samples.paper(samples.statement(issued_at=samples.at(23)))
    assert "issued 10 November 2026" in issue(late, MARK)
    assert "issued 11 November 2026" in issue(replace(late, zone="Europe/Berlin"), MARK)


def test_which_number_it_is_stands_on_every_page() -> None:
    for paper in PAPERS.values():
        text = issue(paper, MARK)
        assert "Every amount is contracted cost" in text
        assert "It is an estimate until the vendor's invoice is reconciled" in text


def test_pulls_are_linked_without_a_cross_reference_on_github_alone() -> None:
    assert "](https://redirect.github.com/acme/widgets/pull/17)" in issue(samples.paper(), MARK)
    own = Paper.of(samples.statement(), web_url="https://git.acme.example")
    assert "](https://git.acme.example/acme/widgets/pull/17)" in issue(own, MARK)


def test_a_long_statement_fits_and_says_where_the_rest_is() -> None:
    text = issue(samples.paper(samples.long(2_000)), MARK)
    assert len(text) <= LONGEST
    assert "cut here" not in text
    where = "`python -m app statement show 2026-10-003 --form csv`"
    assert re.search(rf"\| … \| \d[\d,]* more lines: all of them by {where} \|", text)
    assert text.endswith(f"{MARK}\n")
    assert off_by(markdown_tables(text)) == [0, 0, 0, 0, 0, 0]


def test_everything_long_at_once_still_fits() -> None:
    text = issue(samples.paper(samples.crowded()), MARK)
    assert len(text) <= LONGEST
    assert "cut here" not in text
    assert set(off_by(markdown_tables(text))) == {0}


def test_all_that_is_covered_is_shown_and_not_booked() -> None:
    text = issue(PAPERS["statement-covered"], MARK)
    assert "| Line | Pull | Agent runs | Agents | Models | Covered | Amount |" in text
    assert "Shown, never booked." in text


@given(samples.any_statement())
def test_every_table_adds_up_to_its_total_and_they_to_the_statements(of: Statement) -> None:
    tables = markdown_tables(issue(samples.paper(of), MARK))
    assert set(off_by(tables)) <= {0}
    assert paper_cents(of) == of.total_cents
    total = [cents_in(rows[-1][-1]) for rows in tables if rows and rows[-1][0] == "**Total**" and len(rows[-1]) == 3]
    assert total == ([of.total_cents] if composition(of) else [])


@given(kept)
@example("</details><img src=x onerror=alert(1)>")
@example('"]\n    bar [1]\n```\n# big')
@example("@everyone #12 https://evil.example | `x` -->")
def test_nothing_hostile_gets_through(text: str) -> None:
    paper = samples.paper(samples.hostile_statement(text), Standing(StatementState.DISPUTED, text, samples.at(1), text))
    written = issue(paper, MARK)
    page = Page(without_charts(written))
    assert harms_of(written, ("alice", re.escape(text) if mention(text).startswith("@") else "alice")) == []
    assert page.comments == [MARK.removeprefix("<!--").removesuffix("-->")]
    assert "\n" not in title(paper)


@given(st.lists(kept, min_size=2, max_size=12))
@example(["a", "a", "a"])
def test_a_chart_holds_only_what_we_write(names: list[str]) -> None:
    lines = tuple(
        samples.line(n, "1", repository=f"acme/{name}", repository_id=n) for n, name in enumerate(names, start=1)
    )
    for source in charts(issue(samples.paper(samples.statement(lines=lines)), MARK)):
        told = source.splitlines()
        assert all(any(re.fullmatch(each, line) for each in MERMAID) for line in told), source
        categories = re.findall(r'"([^"]*)"', told[3])
        assert len(categories) == len(set(categories)) == told[5].count(",") + 1


@pytest.mark.parametrize(
    ("cents", "heights", "unit"),
    [
        ([11, 0], [11, 0], "USD"),
        ([999_999, 5], [999_999, 5], "USD"),
        ([1_000_000, 499_499], [1_000, 499], "thousand USD"),
        ([], [], "USD"),
    ],
)
def test_an_axis_of_large_amounts_counts_thousands(cents: list[int], heights: list[int], unit: str) -> None:
    assert mermaid.money(cents) == (heights, mermaid.Axis(unit, 1))


@given(kept)
def test_a_document_read_back_gives_the_same_issue(text: str) -> None:
    of = samples.hostile_statement(text)
    assert issue(Paper.of(parsed(canonical(of))), MARK) == issue(Paper.of(of), MARK)


@pytest.mark.parametrize(
    ("login", "said"),
    [("alice", "@alice"), ("a-b-c", "@a-b-c"), ("bob_acme", "@bob_acme"), ("a--b", "`a--b`"), ("acme/x", "`acme/x`"),
     ("-a", "`-a`"), ("", "–"), ("a" * 40, f"`{'a' * 40}`"), ("alice\n", "`alice`")],
)  # fmt: skip
def test_only_a_login_is_mentioned(login: str, said: str) -> None:
    assert mention(login) == said


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (110, 100, "+10 %"),
        (90, 100, "−10 %"),
        (100, 100, "±0 %"),
        (5, 0, ""),
        (None, 5, ""),
        (5, None, ""),
        (5, -1, ""),
    ],
)
def test_a_change_is_told_where_there_is_one(now: int | None, before: int | None, said: str) -> None:
    assert change_text(*(None if each is None else NanoUsd(each) for each in (now, before))) == said

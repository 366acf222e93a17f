"""The statement to print: it adds up, it is one file without a request or a script, and it can be read by everyone."""

import hashlib
import re
from itertools import pairwise

import pytest
from hypothesis import example, given

from app.core.chargeback.statement import Statement, canonical
from app.core.ledger import Book
from app.core.money import NanoUsd
from app.core.report.statement import pictures, svg
from app.core.report.statement.markdown import issue
from app.core.report.statement.page import page, running
from app.core.report.statement.paper import Paper, Standing
from app.core.report.statement.said import cents_text
from tests.core import paper_samples as samples
from tests.core.test_report import golden
from tests.core.test_statement_issue import PAPERS, kept
from tests.core.written import Written, off_by

OURS = {
    "a", "b", "body", "br", "code", "dd", "desc", "defs", "div", "dl", "dt", "figcaption", "figure", "footer", "h1",
    "h2", "head", "header", "html", "li", "meta", "p", "path", "pattern", "rect", "section", "span", "strong", "style",
    "svg", "table", "tbody", "td", "text", "th", "thead", "title", "tr", "ul",
}  # fmt: skip


@pytest.mark.parametrize("name", ["statement", "statement-tiny", "statement-negative"])
def test_the_page_reads_as_agreed(name: str) -> None:
    text = page(PAPERS[name])
    assert text == golden(name, text, "html")


@pytest.mark.parametrize("name", PAPERS)
def test_every_table_of_the_page_adds_up(name: str) -> None:
    written = Written(page(PAPERS[name]))
    assert set(off_by(written.tables)) <= {0}
    assert cents_text(PAPERS[name].statement.total_cents) in written.text


@given(samples.any_statement())
def test_any_page_adds_up(of: Statement) -> None:
    written = Written(page(samples.paper(of)))
    assert set(off_by(written.tables)) <= {0}
    assert written.tables[0][-1][-1] == cents_text(of.total_cents).replace("$", "")


def test_what_is_shared_out_is_said_without_a_sign() -> None:
    of = samples.paper(samples.settled(samples.statement(distributed=NanoUsd(-130_000_000))))
    sentence = "Of what was spent here, $0.13 is shared out: it stands on the statements of those who pay it."
    assert sentence in issue(of, "")
    assert sentence in Written(page(of)).text


def test_every_line_of_a_long_statement_is_there() -> None:
    of = samples.long(2_000)
    written = Written(page(samples.paper(of)))
    (lines,) = [rows for rows in written.tables if rows[0][0] == "Line" and len(rows) > 1_000]
    assert sorted(int(row[0]) for row in lines[1:-1]) == list(range(1, 2_001))
    assert lines[-1][0] == "Total of 2,000 lines"
    assert set(off_by(written.tables)) == {0}


@given(kept)
@example("</style><script>alert(1)</script>")
@example('" onload="alert(1)')
@example("<img src=https://evil.example/x.png>")
@example("{{ 7 * 7 }}{% include 'paper.css' %}")
@example("} body { background: url(https://evil.example) ")
@example("javascript:alert(1)")
def test_a_hostile_text_is_text(text: str) -> None:
    written = Written(
        page(
            samples.paper(samples.hostile_statement(text), Standing(samples.ACCEPTED.state, text, samples.at(1), text))
        )
    )
    assert set(written.tags) <= OURS
    assert not [name for name, _ in written.attributes if name.startswith("on") or name in {"src", "style", "srcset"}]
    links = [value for name, value in written.attributes if name == "href"]
    assert all(re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/pull/\d+", link) for link in links)
    assert re.findall(r"url\(([^)]*)\)", written.style) == ["#hatched"]
    assert written.style.count("{") == written.style.count("}")


def test_a_template_in_a_name_is_not_rendered() -> None:
    assert "{{ 7 * 7 }}" in Written(page(samples.paper(samples.hostile_statement("{{ 7 * 7 }}")))).text


@pytest.mark.parametrize("name", PAPERS)
def test_the_page_needs_nothing_from_elsewhere(name: str) -> None:
    written = Written(page(PAPERS[name]))
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(written.tags)
    assert "@import" not in written.style
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in written.attributes


def test_number_and_hash_stand_at_the_foot_of_every_page() -> None:
    paper = samples.paper()
    foot = running(paper)
    assert foot.startswith(f"Statement 2026-10-003 version 1 - SHA-256 {paper.sha256[:12]}")
    assert f'@bottom-left {{ content: "{foot}"; }}' in page(paper)
    assert "counter(page)" in page(paper)
    assert "thead { display: table-header-group; }" in page(paper)


def test_the_hash_is_that_of_the_document() -> None:
    paper = Paper.of(samples.statement())
    assert paper.sha256 == hashlib.sha256(canonical(samples.statement())).hexdigest()
    assert paper.sha256 in page(paper)


def test_a_foot_cannot_leave_its_string() -> None:
    of = samples.statement(number='2026"; } body { display: none } "\\')
    assert '"' not in running(samples.paper(of))
    assert "\\" not in running(samples.paper(of))


def test_links_of_the_page_go_to_the_pulls() -> None:
    own = Paper.of(samples.statement(), web_url="https://git.acme.example")
    links = [value for name, value in Written(page(own)).attributes if name == "href"]
    assert "https://git.acme.example/acme/widgets/pull/17" in links
    assert "https://git.acme.example/acme/widgets/pull/12" in links


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (samples.ACCEPTED, "Accepted by alice on 10 November 2026."),
        (samples.DISPUTED, "Disputed by bob on 10 November 2026. line 2 is not ours"),
        (samples.POSTED, "Booked by command line on 10 November 2026. journal J-2026-10-1"),
        (samples.POSTED_AFTER, "journal J-2026-10-1. Accepted by grace on 10 November 2026."),
        (samples.REPLACED, "Replaced by version 3. Do not book this version."),
    ],
)
def test_the_page_says_how_it_stands(standing: Standing, said: str) -> None:
    text = Written(page(samples.paper(standing=standing))).text
    assert said in text
    assert "/mergemeter accept" not in text


def test_the_page_says_which_number_it_is() -> None:
    for paper in PAPERS.values():
        assert "Every amount is contracted cost" in Written(page(paper)).text


# ---- to be read by everyone ------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(each * 2 for each in digits)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def colours() -> dict[str, str]:
    return dict(re.findall(r"--(\w+): (#\w+);", page(samples.paper())))


@pytest.mark.parametrize("back", ["#fff", "soft"])
@pytest.mark.parametrize("name", ["ink", "dim", "link"])
def test_text_has_contrast_enough(name: str, back: str) -> None:
    known = colours()
    assert contrast(known[name], known.get(back, back)) >= 4.5


def test_bars_have_contrast_enough() -> None:
    assert contrast(colours()["bar"], "#fff") >= 3
    assert contrast("#8a3b00", "#fff") >= 3


def test_pictures_are_told_apart_without_colours() -> None:
    text = page(samples.paper())
    assert text.count('<rect class="solid"') > 1
    assert text.count('<rect class="hatched"') > 1
    assert '<pattern id="hatched"' in text


def test_pictures_have_a_text_and_every_bar_its_number() -> None:
    trend = pictures.trend(samples.statement())
    assert trend is not None
    drawn = str(svg.upright(trend, "trend"))
    assert '<title id="trend-t">Cost per merged PR</title>' in drawn
    assert "Jul 2026: $30.10; Sep 2026: $25.00; Oct 2026: $22.50. Not drawn: Aug 2026 (no merged PR)." in drawn
    assert all(f">{amount}</text>" in drawn for amount in ("$30.10", "$25.00", "$22.50"))


def test_ids_of_a_page_are_unique_and_those_it_names_are_there() -> None:
    attributes = Written(page(samples.paper())).attributes
    ids = sorted(value for name, value in attributes if name == "id")
    assert all(one != other for one, other in pairwise(ids))
    named = {part for name, value in attributes if name == "aria-labelledby" for part in value.split()}
    assert named <= set(ids)


def test_bars_are_as_high_as_what_they_stand_for() -> None:
    trend = pictures.trend(samples.statement())
    assert trend is not None
    heights = [float(each) for each in re.findall(r'height="([\d.]+)"/>', str(svg.upright(trend, "t")))]
    assert heights == pytest.approx([150, 150 * 25 / 30.1, 150 * 22.5 / 30.1], abs=0.1)


def test_what_is_below_zero_is_said_and_not_drawn() -> None:
    months = (
        samples.figures(samples.SEPTEMBER, "3"), samples.figures(samples.OCTOBER, "4"),
        samples.figures(samples.OCTOBER.next, "-1"),
    )  # fmt: skip
    trend = pictures.trend(samples.statement(figures=months))
    assert trend is not None
    assert trend.heights == (300, 400)
    assert trend.beside == "Not drawn: Nov 2026 (below zero, as corrections outweigh the spend)."
    rows = (samples.line(1, "1"), *(samples.line(n, f"-{n}", repository=f"acme/r{n}", repository_id=n) for n in (2, 3)))
    assert pictures.spend(samples.statement(lines=rows)) is None
    more = samples.line(4, "2", repository="acme/r4", repository_id=4)
    spend = pictures.spend(samples.statement(lines=(*rows, more)))
    assert spend is not None
    assert (spend.names, spend.heights) == (("acme/r4", "acme/widgets"), (200, 100))
    assert spend.beside == "2 repositories at or below zero not drawn."


def test_many_repositories_are_summed_in_the_last_bar() -> None:
    rows = tuple(samples.line(n, f"{n}", repository=f"acme/r{n}", repository_id=n) for n in range(1, 21))
    spend = pictures.spend(samples.statement(lines=rows))
    assert spend is not None
    assert len(spend.names) == 8
    assert spend.labels[-1] == "12 more"
    assert sum(spend.heights) == sum(range(1, 21)) * 100


@pytest.mark.parametrize("make", [pictures.trend, pictures.yields, pictures.spend])
def test_there_is_no_picture_of_nothing(make: object) -> None:
    nothing = samples.statement(lines=(), figures=())
    assert make(nothing) is None  # type: ignore[operator]


def test_loose_work_is_shown_by_book_and_repository() -> None:
    written = Written(page(samples.paper()))
    (rows,) = [rows for rows in written.tables if rows[0][0] == "Repository"]
    assert rows[0][4:7] == ["Unattributed", "Abandoned", "Overhead"]
    assert rows[1] == ["acme/widgets", "2", "8", "432.84", "7.00", "8.01", "–", "447.85"]
    assert [line.book for line in samples.statement().lines].count(Book.OVERHEAD) == 1

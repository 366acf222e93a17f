"""The page of a month's statements: it lists those in force, adds them up, and says whether nothing was lost."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.chargeback.periods import StatementState
from app.core.chargeback.shared_costs import paper as in_cents_of_the_month
from app.core.chargeback.statement import Kind, Statement
from app.core.money import NanoUsd, cents
from app.core.report.statement.markdown import LONGEST
from app.core.report.statement.month_page import Books, Listed, MonthPage, conservation, html, issue, spend, title
from app.core.report.statement.paper import Paper, Standing
from tests.core import paper_samples as samples
from tests.core.rendered import Page
from tests.core.report_samples import dollars
from tests.core.test_report import golden
from tests.core.test_statement_issue import MARK, harms_of, kept, without_charts
from tests.core.test_statement_page import OURS
from tests.core.written import Written, cents_in, markdown_tables, off_by

ENTERED = (Kind.DISPUTE, Kind.INVOICE, Kind.MANUAL)


def three() -> tuple[Statement, ...]:
    return (
        samples.statement(),
        samples.statement(
            number="2026-10-002", cost_center="platform", label="Platform", chargeback=False, owners=(),
            lines=(samples.line(5, "30.305"),), fees=(), shared=(), adjustments=(),
        ),
        samples.tiny(),
    )  # fmt: skip


def books_of(statements: tuple[Statement, ...] | list[Statement]) -> Books:
    """As somebody reads them who knows nothing of statements."""
    ledger = sum(
        of.direct + sum(each.amount for each in of.adjustments if each.kind not in ENTERED) for of in statements
    )
    entered = sum(each.amount for of in statements for each in of.adjustments if each.kind in ENTERED)
    rest = sum(of.total for of in statements) - ledger - entered
    return Books(NanoUsd(ledger), NanoUsd(rest), NanoUsd(entered))


def month(**changes: object) -> MonthPage:
    first, second, third = three()
    url = "https://github.com/acme/finance/issues/7"
    listed = (
        Listed(samples.paper(replace(first, version=1), samples.REPLACED), url),
        Listed(samples.paper(replace(first, version=2), samples.ACCEPTED), url),
        Listed(samples.paper(second, samples.DISPUTED)),
        Listed(samples.paper(third)),
    )
    page = MonthPage("acme", samples.OCTOBER, listed, books_of(three()))
    return replace(page, **changes)  # type: ignore[arg-type]


def test_the_months_issue_reads_as_agreed() -> None:
    text = f"{title(month())}\n\n{issue(month(), MARK)}"
    assert text == golden("statements", text)


def test_the_months_page_reads_as_agreed() -> None:
    assert html(month()) == golden("statements", html(month()), "html")


def test_only_versions_in_force_are_listed_and_summed() -> None:
    assert [each.paper.statement.version for each in month().shown] == [2, 1, 1]
    assert month().total == sum(each.total for each in three())
    assert "`2026-10-003 v2`" in issue(month(), MARK)


def test_the_conservation_line_says_that_it_adds_up() -> None:
    assert conservation(month()).endswith(": the statements add up to it.")
    assert conservation(month()) in issue(month(), MARK)
    assert conservation(month()) in Written(html(month())).text


def test_a_nano_dollar_that_is_lost_is_told() -> None:
    books = books_of(three())
    off = month(books=replace(books, ledger=NanoUsd(books.ledger + 1)))
    assert conservation(off).endswith("THE STATEMENTS ARE OFF BY −$0.000000001.")
    assert off.off == -1


def test_without_books_nothing_is_claimed() -> None:
    page = month(books=None)
    assert conservation(page) == ""
    assert page.off is None
    assert "add up" not in issue(page, MARK)


@given(st.lists(samples.any_statement(), max_size=5))
def test_any_month_adds_up_in_both_forms(statements: list[Statement]) -> None:
    named = [
        replace(of, number=f"2026-10-{n:03}", cost_center=f"c{n}", label=f"C{n}") for n, of in enumerate(statements)
    ]
    on_paper = in_cents_of_the_month(named)
    page = MonthPage("acme", samples.OCTOBER, tuple(Listed(Paper.of(of)) for of in on_paper), books_of(on_paper))
    tables = markdown_tables(issue(page, MARK))
    assert off_by(tables) == [0]
    assert cents_in(tables[0][-1][-1]) == page.cents == sum(cents([page.total]))
    assert off_by(Written(html(page)).tables) == [0]
    assert page.off == 0


@given(kept)
@example("</td><script>alert(1)</script>")
@example("https://evil.example/x")
def test_hostile_names_are_text_in_both_forms(text: str) -> None:
    listed = tuple(
        Listed(Paper.of(samples.hostile_statement(text), Standing(StatementState.ACCEPTED, text)), text)
        for _ in range(2)
    )
    page = MonthPage(text, samples.OCTOBER, listed, Books(dollars("1"), dollars("2"), dollars("3")))
    own = [f"link to {text}"] * len(listed)  # an address of an issue, where the text is one, and nowhere else
    assert harms_of(issue(page, MARK)) in ([], own)
    assert Page(without_charts(issue(page, MARK))).comments == [MARK.removeprefix("<!--").removesuffix("-->")]
    written = Written(html(page))
    assert set(written.tags) <= OURS
    assert not [name for name, _ in written.attributes if name.startswith("on") or name == "style"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", "data:text/html,x"])
def test_only_a_web_address_is_linked(url: str) -> None:
    page = month(listed=(Listed(samples.paper(), url),))
    assert "<a " not in html(page)
    assert "](" not in issue(page, MARK)


def test_a_month_of_many_cost_centers_fits() -> None:
    papers = [
        Paper.of(replace(samples.statement(), number=f"2026-10-{n:03}", cost_center=f"c{n}", label="x" * 80))
        for n in range(600)
    ]
    page = MonthPage("acme", samples.OCTOBER, tuple(Listed(each) for each in papers))
    text = issue(page, MARK)
    assert len(text) <= LONGEST
    assert "cut here" not in text
    assert "more statements, all in the page to print" in text
    assert off_by(markdown_tables(text)) == [0]


def test_spend_by_cost_center_is_drawn_and_what_is_not_is_said() -> None:
    picture = spend(month())
    assert picture is not None
    assert picture.names == ("Payments & Billing", "Platform")
    assert picture.beside == "1 statement at or below zero not drawn."
    assert spend(month(listed=month().listed[:2])) is None

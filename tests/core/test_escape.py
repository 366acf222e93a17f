"""Whatever comes from outside stays text: laws over hostile strings, through a real renderer."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.report.escape import NOTHING, code, codes, label, link, plain, prose
from tests.core.rendered import Page, harms

FRAGMENTS = [
    "@everyone", "@acme/finance", "#12", "GH-12", "acme/widgets#1", "a@b.example", "https://evil.example/x",
    "www.evil.example", "deadbeef12", "0123456789012345678901234567890123456789",
    "![x](https://evil.example/x.png)", "[x](javascript:alert(1))", "<img src=x onerror=alert(1)>", "</details>",
    "<script>", "<!-- mergemeter:comment:1:2 -->", "-->", "--!>", "<!", "```", "``", "`", "~~~", "|", "\\|", "\\",
    "\n", "\n\n", "\r\n", "\t", "\n# big", "\n---", "\n> quote", "\n- item", "&lt;img&gt;", "&#64;all", "*", "_",
    "~~", "**", "$x$", "$`x`$", ":tada:", "\u202e", "\u200b", "\ufeff", "\u2066", "\x00", "\x1b[31m", "\u115f",
    "\u3164", "a\u0301\u0301\u0301\u0301", "\u2028", "\x85", " ", "word", "it's", "(see 12)", "1. one", "1) one",
    "[^1]", "[x]: https://evil.example", "%%", '"', ";", "end", "\ud800",
]  # fmt: skip
hostile = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=8)), max_size=12).map("".join)


@given(hostile)
@example("</details><img src=x onerror=alert(1)>")
@example("``` | `` -->")
@example(r"\[x]: https://evil.example")
def test_code_is_one_code_span_wherever_it_stands(text: str) -> None:
    for markdown in (
        code(text),
        f"- so: {code(text)}",
        f"**so** {code(text)} and {code(text)}",
        f"[{code(text)}](https://github.com/acme/widgets/actions/runs/1)",
    ):
        page = Page(markdown)
        assert harms(page) == []
        assert len(page.inside) == (markdown.count(code(text)) if code(text) != NOTHING else 0)
        assert page.comments == []


@given(hostile, hostile)
def test_a_table_keeps_its_cells(left: str, right: str) -> None:
    page = Page(f"| a | b |\n| --- | --- |\n| {code(left)} | {prose(right)} |\n| x | y |")
    assert harms(page) == []
    assert (page.tags.count("tr"), page.tags.count("td")) == (3, 4)


@given(hostile)
def test_prose_links_nothing_and_stays_one_paragraph(text: str) -> None:
    page = Page(f"Because {prose(text)}.")
    assert harms(page) == []
    assert set(page.tags) <= {"p", "code"}
    assert page.tags.count("p") == 1


@given(hostile)
def test_prose_after_a_bullet_opens_no_block(text: str) -> None:
    assert set(Page(f"- {prose(text)}").tags) <= {"ul", "li", "code"}


@given(hostile, st.integers(1, 100))
def test_plain_is_visible_on_one_line_and_within_its_limit(text: str, limit: int) -> None:
    shown = plain(text, limit)
    assert len(shown) <= limit
    assert all(unicodedata.category(each) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for each in shown)
    assert shown == shown.strip()


@given(hostile)
def test_code_holds_no_comment_of_ours(text: str) -> None:
    assert "<!--" not in code(text)
    assert "-->" not in code(text)
    assert "<!--" not in prose(text)


@given(hostile)
def test_a_label_holds_only_harmless_letters(text: str) -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert set(label(text)) <= allowed
    assert 0 < len(label(text)) <= 25


def test_long_text_is_cut_and_says_so() -> None:
    assert plain("x" * 500, 10) == "xxxxxxxxx…"


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u202e", "\x00", "\u3164"])
def test_text_that_shows_nothing_is_a_dash(text: str) -> None:
    assert code(text) == NOTHING


def test_ordinary_names_stay_as_they_are() -> None:
    assert code("claude-sonnet-4-5") == "`claude-sonnet-4-5`"
    assert code("Zahlungen für Köln") == "`Zahlungen für Köln`"
    assert prose("killed before its last call") == "killed before its last call"


def test_prose_wraps_only_the_odd_words() -> None:
    assert prose("must be on-merge, or off") == "must be `on-merge`, or off"
    assert prose("the branch agent/fix-1 of @acme was used") == "the branch `agent/fix-1` of `@acme` was used"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://x.example/a b",
        "https://x.example/)](y",
        "",
        "//x.example",
        "https://x.example/\n",
    ],
)
def test_only_plain_web_addresses_become_links(url: str) -> None:
    assert link("`run`", url) == "`run`"


def test_names_in_a_row_are_counted_when_cut() -> None:
    assert codes(("a", "b", "c", "")) == "`a`, `b` and 1 more"
    assert codes(()) == NOTHING


@pytest.mark.parametrize("text", [r"\[x]: https://evil.example", "x]: y", "a]:b"])
def test_a_link_that_begins_a_paragraph_defines_nothing(text: str) -> None:
    page = Page(link(code(text), "https://github.com/acme"))
    assert page.tags.count("a") == 1
    assert len(page.inside) == 1

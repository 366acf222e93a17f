"""The pages show what the App wrote, as GitHub would, and let nothing harmful through."""

import html.parser

import pytest

from app.core.report import mermaid
from app.core.report.statement.markdown import issue
from app.sandbox import Sandbox
from app.sandbox.markdown import rendered
from tests.core import paper_samples as samples
from tests.sandbox.caller import Answered, Caller, request
from tests.sandbox.test_operations import SHOP, make_check


def page(gh: Sandbox, path: str) -> Answered:
    return request(gh.url + path)


def shown(text: str) -> str:
    return rendered(text, "http://gh", "acme/shop")


def test_a_pull_page_shows_title_check_annotation_and_comment(gh: Sandbox, app: Caller) -> None:
    make_check(app, gh.pull("acme/shop", 1)["head"]["sha"])
    app("POST", f"{SHOP}/issues/1/comments", {"body": "| a | b |\n|--|--|\n| 1 | 2 |\n<!-- marker -->"})
    text = page(gh, "/acme/shop/pull/1").raw.decode()
    for part in ("Add b", "<strong>$1</strong>", "<th>a</th>", "neutral", "b.py"):
        assert part in text
    assert "marker" not in text


def test_an_annotation_is_shown_at_its_line(gh: Sandbox, app: Caller) -> None:
    make_check(app, gh.pull("acme/shop", 1)["head"]["sha"])
    text = page(gh, "/acme/shop/pull/1").raw.decode()
    assert '<span class="at"><span class="number">1</span>1</span>' in text


def test_a_title_is_escaped(gh: Sandbox, app: Caller) -> None:
    gh.edit_pull("acme/shop", 1, title="<script>x</script>")
    text = page(gh, "/acme/shop/pull/1").raw.decode()
    assert "<script" not in text


def test_pages_ask_for_nothing_from_elsewhere(gh: Sandbox, app: Caller) -> None:
    answer = page(gh, "/acme/shop/pull/1")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path", ["/", "/acme/shop", "/acme/shop/pull/1", "/acme/shop/issues/1", "/acme/shop/blob/main/a.py"]
)
def test_every_page_is_there(gh: Sandbox, app: Caller, path: str) -> None:
    assert page(gh, path).status == 200


def test_an_issue_and_a_run_have_pages(gh: Sandbox, app: Caller) -> None:
    number = gh.create_issue("acme/shop", "Month", "```mermaid\npie\n```")
    text = page(gh, f"/acme/shop/issues/{number}").raw.decode()
    assert '<code class="language-mermaid">' in text
    run = gh.start_workflow_run("acme/shop", pull=1)
    assert page(gh, f"/acme/shop/actions/runs/{run['run_id']}").status == 200


def test_an_issue_page_shows_who_is_assigned_and_reactions_to_comments(gh: Sandbox, app: Caller) -> None:
    number = gh.create_issue("acme/shop", "Month")
    gh.permit("acme/shop", "bob", "read")
    app("PATCH", f"{SHOP}/issues/{number}", {"assignees": ["bob"]})
    comment = gh.comment("acme/shop", number, "bob", "Done?")
    app("POST", f"{SHOP}/issues/comments/{comment}/reactions", {"content": "+1"})
    text = page(gh, f"/acme/shop/issues/{number}").raw.decode()
    assert "assigned to <b>bob</b>" in text
    assert "👍 mergemeter[bot]" in text


def test_what_is_not_there_is_404(gh: Sandbox, app: Caller) -> None:
    assert page(gh, "/acme/shop/pull/99").status == 404


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="javascript:alert(1)">x</a>',
        "[x](javascript:alert(1))",
        '<details ontoggle="alert(1)" open>x</details>',
        "<style>*{display:none}</style>",
        '<iframe src="http://evil"></iframe>',
        '<svg onload="alert(1)">',
        '<form action="http://evil"><input></form>',
        '<a href=" java\tscript:alert(1)">x</a>',
    ],
)
def test_harmful_markup_is_taken_out(text: str) -> None:
    seen: list[str] = []

    class Look(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append(tag)
            seen.extend(name for name, _ in attrs)
            seen.extend(value for name, value in attrs if name == "href" and value and "script" in value)

    Look().feed(shown(text))
    assert not [
        one for one in seen if one.startswith("on") or one in {"script", "style", "iframe", "svg", "form", "img"}
    ]
    assert not [one for one in seen if "script" in one]


def test_a_stray_end_tag_does_not_leave_the_comment() -> None:
    assert "</div>" not in shown("</div></article></main>text")


def test_open_tags_are_closed() -> None:
    assert shown("<details><summary>x</summary>\n\ny").rstrip().endswith("</details>")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("hello @everyone", '<a class="mention" href="http://gh/everyone">@everyone</a>'),
        ("&#64;everyone", '<a class="mention" href="http://gh/everyone">@everyone</a>'),
        ("see #12", '<a href="http://gh/acme/shop/issues/12">#12</a>'),
        ("go http://evil.example/x", '<a href="http://evil.example/x" rel="nofollow">'),
        ("![alt](http://evil/x.png)", '<span class="image">image: alt</span>'),
        ("<details><summary>S</summary>\n\n**b**\n\n</details>", "<strong>b</strong>"),
        ("| a |\n|--:|\n| 1 |", '<td align="right">1</td>'),
        ("~~old~~", "<s>old</s>"),
    ],
)
def test_what_github_would_show_is_shown(text: str, part: str) -> None:
    assert part in shown(text)


@pytest.mark.parametrize("text", ["`@everyone`", "a@b.example", "<!-- @x -->"])
def test_no_mention_is_made_where_github_makes_none(text: str) -> None:
    assert "mention" not in shown(text)


def test_every_chart_of_a_statement_is_drawn() -> None:
    text = shown(issue(samples.paper(), "<!-- m -->"))
    assert text.count('<svg class="chart"') == 3
    assert text.count("<polyline") == 1
    assert text.count("<rect") == 3 + 4 + 2
    assert "mermaid" not in text


@pytest.mark.parametrize(
    ("was", "now"),
    [("bar [30.10, ", "bar ["), ('["Jul 2026", ', "["), ("bar [", "bar [a"), ("y-axis", "z-axis"), ("[", "{")],
)
def test_a_chart_that_says_other_things_stays_text(was: str, now: str) -> None:
    source = mermaid.columns("Cost", ["Jul 2026", "Aug 2026"], [3010, 2500], mermaid.Axis("USD"))
    assert "<svg" in shown(source)
    assert "<svg" not in shown(source.replace(was, now))

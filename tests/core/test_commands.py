"""Commands in comments: what is one, what only looks like one, and what a reader of the page does not see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.commands import (
    Attribute,
    Detach,
    Explain,
    UnreadableCommandError,
    WorkflowRunNamed,
    command_in,
    may_hold_command,
)
from app.core.facts import PullNumber

RUN = "0198f0c2a1b27000800000000000abcd"
URL = "https://github.com/acme/widgets/actions/runs/19000000001"


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/mergemeter explain", Explain()),
        ("Hello,\n/mergemeter explain\nthanks", Explain()),
        ("Hello,\r\n/mergemeter   explain  \r\n", Explain()),
        (f"/mergemeter attribute {RUN}", Attribute(RUN)),
        (f"/mergemeter attribute `{RUN}`", Attribute(RUN)),
        (f"/mergemeter attribute {RUN} to #7", Attribute(RUN, PullNumber(7))),
        (f"/mergemeter attribute {RUN} because it did", Attribute(RUN, None, "it did")),
        (
            f"/mergemeter attribute {RUN} to #7 because of #8 and because",
            Attribute(RUN, PullNumber(7), "of #8 and because"),
        ),
        (f"/mergemeter detach {RUN} because it wrote docs", Detach(RUN, "it wrote docs")),
        (f"/mergemeter detach {URL}", Detach(WorkflowRunNamed("https://github.com", "acme", "widgets", 19000000001))),
        (
            f"/mergemeter detach <{URL}/attempts/2>",
            Detach(WorkflowRunNamed("https://github.com", "acme", "widgets", 19000000001, 2)),
        ),
        (
            f"/mergemeter detach {URL}/job/53000000001?pr=3#step:1:2",
            Detach(WorkflowRunNamed("https://github.com", "acme", "widgets", 19000000001, None, 53000000001)),
        ),
        ("> quoted\n\n/mergemeter explain", Explain()),
        ("```\ncode\n```\n/mergemeter explain", Explain()),
        ("<!-- hidden -->\n/mergemeter explain", Explain()),
        ("It is `code`.\n/mergemeter explain", Explain()),
    ],
)
def test_a_line_that_is_a_command_is_read(body: str, command: object) -> None:
    assert command_in(body) == command


@pytest.mark.parametrize(
    "body",
    [
        "",
        "please /mergemeter explain",
        " /mergemeter explain",
        "    /mergemeter explain",
        "\t/mergemeter explain",
        "- /mergemeter explain",
        "> /mergemeter explain",
        "> he said\n/mergemeter explain",  # Markdown takes it into the quote
        "```\n/mergemeter explain\n```",
        "~~~~\n~~~\n/mergemeter explain\n~~~~",
        "````\n```\n/mergemeter explain\n````",
        "```\n/mergemeter explain",
        "<!--\n/mergemeter explain\n-->",
        "<!-- a --> <!--\n\n/mergemeter explain\n-->",
        "<pre>\n\n/mergemeter explain\n</pre>",
        "`code\n/mergemeter explain\n`",
        '<a title="\n/mergemeter explain\n">',
        '[text](url "\n/mergemeter explain\n")',
        '[name]: url "\n/mergemeter explain\n"',
        "/mergemeters explain",
        "/mergemeter-x explain",
        "/mergemeter/x",
        "/Mergemeter explain",
    ],
)
def test_what_a_reader_does_not_see_as_a_line_of_its_own_is_no_command(body: str) -> None:
    assert command_in(body) is None


@pytest.mark.parametrize(
    "body",
    [
        "/mergemeter",
        "/mergemeter help",
        "/mergemeter explain this",
        "/mergemeter attribute",
        "/mergemeter attribute 12",
        f"/mergemeter attribute {RUN} to 7",
        f"/mergemeter attribute {RUN} to #0",
        f"/mergemeter attribute {RUN} to #7 #8",
        f"/mergemeter attribute {RUN} because",
        f"/mergemeter attribute {RUN.upper()}",
        f"/mergemeter detach {RUN} to #7",
        f"/mergemeter detach {URL}x",
        "/mergemeter detach https://github.com/acme/widgets/pull/7",
        f"/mergemeter detach javascript:{URL}",
        f"/mergemeter attribute {RUN} because {'x' * 2000}",
        f"/mergemeter explain\n/mergemeter detach {RUN}",
    ],
)
def test_a_line_that_is_meant_and_is_no_command_is_told_so_in_a_sentence(body: str) -> None:
    with pytest.raises(UnreadableCommandError, match=r"^[A-Z].*\.$"):
        command_in(body)


def test_a_reason_is_cut_to_its_longest() -> None:
    said = command_in(f"/mergemeter detach {RUN} because {'x' * 500}")
    assert isinstance(said, Detach)
    assert len(said.reason) == 300


@given(st.text(alphabet=st.sampled_from(list("/mergemeter explain>`~<!-#\r\n\t\u2028\x85\x0c"))) | st.text())
def test_a_comment_that_is_not_kept_holds_no_command(body: str) -> None:
    if not may_hold_command(body):
        assert command_in(body) is None


@given(
    st.lists(
        st.sampled_from(["/mergemeter explain", "```", "> q", "", "`", "<!--", "-->", "text", "<pre>"]), max_size=8
    )
)
def test_any_body_is_read_or_refused_in_a_sentence(lines: list[str]) -> None:
    found: object
    try:
        found = command_in("\n".join(lines))
    except UnreadableCommandError as no:
        found = str(no)
    assert found in (None, Explain()) or str(found).endswith(".")

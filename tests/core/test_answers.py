"""What is answered to commands: nothing from outside is more than text in it."""

from hypothesis import given
from hypothesis import strategies as st

from app.core.report.answers import ExplainedRun, explanation, refusal
from tests.core.rendered import Page, harms

HOSTILE = st.sampled_from(
    [
        "@acme/admins",
        "`",
        "</details><img src=x>",
        "<!-- mergemeter:comment:1:1 -->",
        "#1",
        "![x](https://example.com)",
        "|",
    ]
)
TEXT = st.lists(HOSTILE | st.text(max_size=5), max_size=4).map(" ".join)
RUN = st.builds(ExplainedRun, TEXT, TEXT, st.sampled_from(["", "E1", "E2", "E9"]), TEXT, TEXT)


@given(TEXT, st.lists(RUN, max_size=3).map(tuple), st.lists(RUN, max_size=3).map(tuple))
def test_an_explanation_of_hostile_agent_runs_harms_nobody(
    login: str, tied: tuple[ExplainedRun, ...], loose: tuple[ExplainedRun, ...]
) -> None:
    assert harms(Page(explanation(login, tied, loose))) == []


@given(TEXT)
def test_a_refusal_to_a_hostile_login_harms_nobody(login: str) -> None:
    assert harms(Page(refusal(login, "No."))) == []


def test_a_pull_with_a_hundred_agent_runs_is_explained_in_short() -> None:
    run = ExplainedRun("0" * 32, "claude-code", "E1", "x" * 1000, "https://github.com/acme/widgets/actions/runs/1")
    told = explanation("ada", (run,) * 100, (run,) * 5)
    assert "… and 80 more" in told
    assert len(told) < 20_000

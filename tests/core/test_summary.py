"""What the monthly issue says."""

import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import NanoUsd
from app.core.report.marker import Kind, marker
from app.core.report.summary import LONGEST, summary, title
from app.core.report.values import MonthReport, RepositoryMonth, SilentWorkflow
from app.core.scope_metrics import measure
from app.core.usage import Completeness, Tokens
from tests.core.rendered import Page, harms
from tests.core.report_samples import HOSTILE, dollars, figures, in_month, month, no_merge
from tests.core.share_samples import IN_OCTOBER, PERIOD, october, share
from tests.core.test_escape import hostile
from tests.core.test_report import golden

MARK = marker(Kind.SUMMARY, 4711, 202610)
LINE_17 = 'line 17: comment must be on-merge, live or off, not "@all"'

MONTHS = {
    "month": month(),
    "month-final": month(provisional_until=None),
    "month-gaps": month(
        total=figures(
            incomplete_agent_runs=2, unpriced_calls=5, unpriced_models=("house-model-1", "b|c"), untagged_agent_runs=4
        ),
        config_problems=(LINE_17, "line 18: annotations must be 0, 1, 2 or 3"),
        recorded_workflows=3,
        silent_workflows=(
            SilentWorkflow("widgets", False, ".github/workflows/triage.yml", ("claude-code", "codex"), False, 41),
            SilentWorkflow("gadgets", True, f".github/workflows/{HOSTILE}.yml", ("gh-aw",), True, 1),
        ),
        unknown_workflows=1,
        repositories=(
            RepositoryMonth(
                "widgets", False, figures(incomplete_agent_runs=2, unpriced_calls=5, untagged_agent_runs=4)
            ),
        ),
        dearest=(in_month(1, "3", title=HOSTILE + " @everyone #12"),),
    ),
    "month-outcomes": month(metrics=october(), provisional_until=None),
    "month-outcomes-early": month(metrics=october(IN_OCTOBER)),
    "month-outcomes-public": month(metrics=october(), money=False, public_issue=True),
    "month-public": month(money=False, public_issue=True, config_problems=(LINE_17,)),
    "month-public-money": month(public_issue=True),
    "month-no-merge": month(
        repositories=(RepositoryMonth("gadgets", False, no_merge()),), total=no_merge(), dearest=()
    ),
    "month-empty": month(
        repositories=(),
        total=no_merge(
            spend=NanoUsd(0), released=NanoUsd(0), unattributed=NanoUsd(0), agent_runs=0, unattributed_agent_runs=0
        ),
        dearest=(),
    ),
}


def many(number: int) -> MonthReport:
    names = [f"{'repository-with-a-long-name' * 3}-{n}" for n in range(number)]
    return month(
        repositories=tuple(RepositoryMonth(name, False, figures(spend=dollars("1.005"))) for name in names),
        total=figures(spend=dollars(str(1.005 * number))),
    )


@pytest.mark.parametrize("name", MONTHS)
def test_the_summary_reads_as_agreed(name: str) -> None:
    text = f"{title(MONTHS[name])}\n\n{summary(MONTHS[name], MARK)}"
    assert text == golden(f"{name}.summary", text)


@pytest.mark.parametrize("name", MONTHS)
def test_nothing_in_a_summary_links_or_mentions(name: str) -> None:
    page = Page(summary(MONTHS[name], MARK))
    assert harms(page) == []
    assert "a" not in page.tags


def test_example_a_shows_its_three_figures_and_never_the_naive_one() -> None:
    report = month(repositories=(RepositoryMonth("widgets", False, figures()),), total=figures())
    text = summary(report, MARK)
    row = "| `widgets` | $50.00 | 3 of 9 | $22.50 | $15.00 | $12.00 | 1.88× | $7.00 | $8.00 |"
    assert row in text
    assert text.startswith("**$50.00** in October 2026 · **$22.50** per merged PR · 3 agent pulls of 9 merged\n")
    assert "16.67" not in text


def test_spend_without_a_merge_is_no_merged_pr() -> None:
    text = summary(MONTHS["month-no-merge"], MARK)
    assert "| `gadgets` | $3.10 | 0 of 4 | no merged PR | – | – | – | $3.10 | $0.00 |" in text
    assert "· no merged PR ·" in text.splitlines()[0]


def test_a_month_is_provisional_until_its_day() -> None:
    assert "Provisional until 15 November 2026" in summary(month(), MARK)
    assert "Provisional" not in summary(month(provisional_until=None), MARK)
    assert "1 January 2027" in summary(month(provisional_until=date(2027, 1, 1)), MARK)


@pytest.mark.parametrize("name", ["month-public"])
def test_no_amount_and_no_private_name_appears_in_a_public_issue(name: str) -> None:
    text = summary(MONTHS[name], MARK) + title(MONTHS[name])
    assert not re.search(r"\$|USD|€", text)
    for secret in ("widgets", "Retry payments", "github-private", "line 17"):
        assert secret not in text
    assert "`gadgets`" in text


def test_a_public_issue_with_money_still_names_no_private_repository() -> None:
    text = summary(MONTHS["month-public-money"], MARK)
    assert "widgets" not in text
    assert "| a private repository | $50.00 |" in text


def test_mistakes_of_the_configuration_are_told_with_their_lines() -> None:
    text = summary(MONTHS["month-gaps"], MARK)
    assert (
        "**The configuration has 2 mistakes** (`acme/.github-private`). Its last good version stays in force." in text
    )
    assert "- line 18: annotations must be 0, 1, 2 or 3" in text


def test_what_is_missing_is_told() -> None:
    text = summary(MONTHS["month-gaps"], MARK)
    assert text.startswith("**at least $50.00** in October 2026")
    assert "2 agent runs have no whole record" in text
    assert "5 model calls (`house-model-1`, `b¦c`) have no price and are in no figure here." in text
    assert "Tied to no pull (unattributed): 2 of 14 agent runs, $7.00." in text
    assert "1 agent pull merged but was reverted (or is a revert): it does not count as merged PR" in text


def test_only_repositories_with_agents_are_listed() -> None:
    text = summary(month(), MARK)
    assert "`quiet`" not in text
    assert "1 repository without agent runs is not listed." in text


@pytest.mark.parametrize("number", [2, 300, 5000])
def test_any_number_of_repositories_fits_and_is_counted(number: int) -> None:
    text = summary(many(number), MARK)
    assert len(text) <= LONGEST
    assert "cut here" not in text
    rows = re.findall(r"^\| `repository", text, re.MULTILINE)
    rest = re.search(r"^\| … and ([\d,]+) more \|", text, re.MULTILINE)
    assert len(rows) + (int(rest[1].replace(",", "")) if rest else 0) == number


@given(st.lists(st.integers(1, 10**12), min_size=2, max_size=30))
def test_the_spend_column_adds_up(spends: list[int]) -> None:
    parts = tuple(RepositoryMonth(f"r{n}", False, figures(spend=NanoUsd(spend))) for n, spend in enumerate(spends))
    report = month(repositories=parts, total=figures(spend=NanoUsd(sum(spends))))
    if sum(spends) < 10**7:
        return
    column = re.findall(
        r"^\| \*{0,2}`?\w+`?\*{0,2} \| \*{0,2}(under )?\$([\d,.]+)", summary(report, MARK), re.MULTILINE
    )
    cents = [0 if under else int(re.sub(r"[,.]", "", amount)) for under, amount in column]
    assert sum(cents[:-1]) == cents[-1]
    assert len(cents) == len(spends) + 1


@given(hostile, hostile)
def test_hostile_names_harm_no_summary(one: str, two: str) -> None:
    report = month(
        repositories=(RepositoryMonth(one, False, figures()), RepositoryMonth(two, True, no_merge())),
        total=figures(unpriced_calls=1, unpriced_models=(one, two)),
        dearest=(in_month(1, "1", repository=one, title=two),),
        config_problems=(one, two),
        config_source=one,
        price_lists=(two,),
    )
    text = summary(report, MARK)
    page = Page(text)
    assert harms(page) == []
    assert page.tags.count("table") == 2
    assert page.comments == [MARK[4:-3]]
    diagram = re.search(r"```mermaid\n%%{init[^\n]*}%%\n(.*?)\n```", text, re.DOTALL)
    assert diagram
    assert len(diagram[1].splitlines()) == 5
    assert diagram[1].count('"') == 2 * 4
    assert not re.search(r"%%|;|<|\\", diagram[1])


def test_the_chart_starts_at_zero() -> None:
    assert 'y-axis "USD" 0 --> 50.00' in summary(month(), MARK)


def test_the_order_of_repositories_does_not_matter() -> None:
    report = month()
    assert summary(replace(report, repositories=report.repositories[::-1]), MARK) == summary(report, MARK)


def test_the_chart_sums_up_what_has_no_bar_of_its_own() -> None:
    text = summary(many(12), MARK)
    assert text.count("1.00, ") == 10
    assert '"2 more"]' in text
    assert ", 2.01]" in text or ", 2.00]" in text


def test_where_the_month_went_adds_up_to_its_spend() -> None:
    text = summary(month(metrics=october()), MARK)
    assert "**Token yield 43 %** (coverage 100 %) · 71 % of input from cache" in text
    assert "Dead spend 49 % · retry tax 4 % · support 5 % of what counts" in text
    rows = re.findall(
        r"^\| (?:Merged|Support|Rev|Rej|Aban|Unattr|Super|Failed|Not)[^|]+ \| \$([\d.]+) \|", text, re.MULTILINE
    )
    assert sum(int(row.replace(".", "")) for row in rows) == 5310
    assert "| **Total** | **$53.10** |  |" in text


def test_too_little_known_usage_is_insufficient_and_no_number() -> None:
    lost = [share(f"lost-{n}", None, 1, completeness=Completeness.MISSING) for n in range(3)]
    found = measure(PERIOD, [share("run", None, 1, Tokens(output=5)), *lost], [], PERIOD.end)
    text = summary(month(metrics=found), MARK)
    assert "**Token yield**: insufficient, usage is known of 25 % only" in text

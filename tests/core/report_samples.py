"""Pulls and months to report on, small enough to check by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.core.facts import PullState
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.report.values import AgentRunLine, MonthFigures, MonthReport, PullCost, PullInMonth, RepositoryMonth
from app.core.usage import Completeness, Purpose, Tokens

START = datetime(2026, 10, 6, 9, 12, tzinfo=UTC)
WORKFLOW = ".github/workflows/agent.yml"
HOSTILE = "</details><img src=x onerror=alert(1)>"


def dollars(text: str) -> NanoUsd:
    return NanoUsd(int(Decimal(text) * 10**9))


def run(number: int, cost: str, **changes: Any) -> AgentRunLine:
    """The number-th agent run: Claude Code, authoring, whole, tied by its signed token."""
    line = AgentRunLine(
        agent="claude-code",
        agent_version="2.1.330",
        models=("claude-sonnet-4-5",),
        purpose=Purpose.AUTHOR,
        team="payments",
        workflow="Agent",
        job_name="author",
        workflow_path=WORKFLOW,
        run_id=7_000_000_000 + number,
        run_attempt=1,
        run_url=f"https://github.com/acme/widgets/actions/runs/{7_000_000_000 + number}",
        started_at=START + timedelta(hours=5 * number),
        model_calls=20 + number,
        tokens=Tokens(input=9_000, cache_read=71_000, cache_write_5m=20_000, output=8_000, reasoning=2_000),
        cost=dollars(cost),
        evidence="E1",
        completeness=Completeness.COMPLETE,
    )
    return replace(line, **changes)


def review(number: int, cost: str, **changes: Any) -> AgentRunLine:
    told: dict[str, Any] = {
        "agent": "codex",
        "agent_version": "0.169.0",
        "models": ("gpt-5.2-codex",),
        "purpose": Purpose.REVIEW,
        "workflow": "Review",
        "job_name": "review",
        "team": "",
    }
    return run(number, cost, **{**told, **changes})


def pull(*lines: AgentRunLine, **changes: Any) -> PullCost:
    cost = PullCost(
        repository="acme/widgets",
        number=17,
        title="Retry payments",
        state=PullState.MERGED,
        head_sha="5f3c" * 10,
        lines=lines,
        price_lists=("genai-prices 0.2.3",),
        money=True,
        merged_at=START + timedelta(days=2),
        unattributed_month=Month(2026, 10),
        unattributed_agent_runs=3,
        unattributed_in_repository=dollars("0.42"),
    )
    return replace(cost, **changes)


def six_runs(**changes: Any) -> PullCost:
    """$4.31: four authoring agent runs for $3.20, two reviewing ones for $1.11, one of them by a comment."""
    return pull(
        run(1, "1.204333333"),
        run(2, "1.000666"),
        run(3, "0.600333"),
        run(4, "0.394667667", run_attempt=2),
        review(5, "1.10"),
        review(6, "0.01", evidence="E5", evidence_note="The comment that started it stands on this pull."),
        **changes,
    )


def with_gaps(**changes: Any) -> PullCost:
    """Everything that can be missing at once."""
    return pull(
        run(1, "1.20", unpriced_calls=2, unpriced_models=("house-model-1",), calls_counted_elsewhere=4),
        run(
            2,
            "0.80",
            completeness=Completeness.LOWER_BOUND,
            completeness_reason="killed before its last call",
            revisions=1,
        ),
        run(3, "0.50", pulls_served=2),
        run(
            4,
            "0",
            agent="",
            models=(),
            model_calls=0,
            tokens=Tokens(),
            completeness=Completeness.MISSING,
        ),
        review(5, "0.25", completeness=Completeness.ESTIMATED, evidence="E4"),
        tied_candidates=1,
        open_jobs=1,
        **changes,
    )


def nothing_known(**changes: Any) -> PullCost:
    """Two agent runs that left nothing."""
    lost: dict[str, Any] = {
        "model_calls": 0,
        "tokens": Tokens(),
        "models": (),
        "completeness": Completeness.MISSING,
        "completeness_reason": "the runner was lost",
    }
    return pull(run(1, "0", **lost), run(2, "0", **lost), **changes)


def figures(**changes: Any) -> MonthFigures:
    """Example A of the definitions: six agent runs, $50 spent, two merged PRs."""
    example = MonthFigures(
        spend=dollars("50"),
        released=dollars("45"),
        period=dollars("22.50"),
        cohort=dollars("15"),
        direct=dollars("12"),
        load_factor=Decimal("1.875"),
        merged_pulls=9,
        agent_pulls_merged=3,
        survived=2,
        unattributed=dollars("7"),
        abandoned=dollars("8"),
        agent_runs=14,
        incomplete_agent_runs=0,
        model_calls=612,
        unpriced_calls=0,
        tokens=Tokens(input=900_000, cache_read=7_100_000, cache_write_5m=2_000_000, output=800_000),
        unattributed_agent_runs=2,
    )
    return replace(example, **changes)


def no_merge(**changes: Any) -> MonthFigures:
    """Spend without a merge."""
    told: dict[str, Any] = {
        "spend": dollars("3.10"),
        "released": dollars("3.10"),
        "period": None,
        "cohort": None,
        "direct": None,
        "load_factor": None,
        "merged_pulls": 4,
        "agent_pulls_merged": 0,
        "survived": 0,
        "unattributed": dollars("3.10"),
        "abandoned": dollars("0"),
        "agent_runs": 1,
        "unattributed_agent_runs": 1,
    }
    return figures(**{**told, **changes})


def in_month(number: int, cost: str, **changes: Any) -> PullInMonth:
    example = PullInMonth(
        repository="widgets",
        public=False,
        number=number,
        title=f"Retry payments, part {number}",
        state=PullState.MERGED,
        agent_runs=number,
        cost=dollars(cost),
        cost_known=True,
        cost_complete=True,
        tokens=Tokens(input=10_000, output=number * 100_000),
    )
    return replace(example, **changes)


def month(**changes: Any) -> MonthReport:
    report = MonthReport(
        account="acme",
        month=Month(2026, 10),
        repositories=(
            RepositoryMonth("gadgets", True, no_merge()),
            RepositoryMonth("widgets", False, figures()),
            RepositoryMonth("quiet", False, no_merge(spend=NanoUsd(0), released=NanoUsd(0), agent_runs=0)),
        ),
        total=figures(
            spend=dollars("53.10"),
            released=dollars("48.10"),
            period=dollars("24.05"),
            load_factor=Decimal("2.004166"),
            merged_pulls=13,
            unattributed=dollars("10.10"),
            agent_runs=15,
            unattributed_agent_runs=3,
        ),
        dearest=(
            in_month(2, "14"),
            in_month(1, "10"),
            in_month(4, "8", state=PullState.CLOSED, cost_complete=False),
            in_month(5, "0", state=PullState.OPEN, cost_known=False, cost_complete=False),
        ),
        price_lists=("genai-prices 0.2.3",),
        provisional_until=date(2026, 11, 15),
        config_source="acme/.github-private",
    )
    return replace(report, **changes)

"""Statements to print, small enough to check by hand, and strategies for any other."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from app.core.chargeback.periods import StatementState
from app.core.chargeback.shared_costs import in_cents
from app.core.chargeback.statement import (
    Adjustment,
    Fee,
    Figures,
    Kind,
    Line,
    Part,
    Proof,
    SharedCost,
    Statement,
)
from app.core.chargeback.terms import Method
from app.core.ledger import Book
from app.core.money import ZERO, NanoUsd, cents
from app.core.month import Month
from app.core.report.statement.paper import Paper, Standing
from tests.core.report_samples import dollars

SEPTEMBER, OCTOBER = Month(2026, 9), Month(2026, 10)
ISSUED_AT = datetime(2026, 11, 9, 6, 0, tzinfo=UTC)
PROOF = Proof(12, "ab" * 32)


def line(number: int, cost: str, **changes: Any) -> Line:
    """A pull's line: Claude Code and Codex, of whole dollars and odd nano-dollars alike."""
    amount = dollars(cost)
    codex = NanoUsd(amount // 4)
    example = Line(
        repository_id=1296269,
        repository="acme/widgets",
        book=Book.PULL,
        number=number,
        amount=amount,
        covered=ZERO,
        agent_runs=3,
        parts=(
            Part("claude-code", "claude-sonnet-4-5", 2, NanoUsd(amount - codex)),
            Part("codex", "gpt-5.2-codex", 1, codex),
        ),
        proof=PROOF,
    )
    return replace(example, **changes)


def loose(book: Book, cost: str, **changes: Any) -> Line:
    parts = (Part("claude-code", "claude-sonnet-4-5", 1, dollars(cost)),)
    return line(0, cost, **{"book": book, "agent_runs": 1, "parts": parts, **changes})


def figures(month: Month, per: str | None, **changes: Any) -> Figures:
    example = Figures(
        month=month,
        cost=dollars("50"),
        released=dollars("45"),
        agent_runs=14,
        merged=9,
        agent_merged=3,
        survived=2,
        per_merged_pr=None if per is None else dollars(per),
        per_merged_pr_cohort=dollars("15"),
        direct_per_merged_pr=dollars("12"),
        dead=dollars("21"),
        yield_generated="0.7000",
        coverage="0.9600",
        provisional=False,
    )
    if per is None:
        example = replace(example, survived=0, agent_merged=0, per_merged_pr_cohort=None, direct_per_merged_pr=None)
    return replace(example, **changes)


def settled(of: Statement) -> Statement:
    """With its cents, as the close gives them."""
    return in_cents(of, cents([of.total])[0])


def statement(**changes: Any) -> Statement:
    """October of payments: pulls, loose work, a fee, two shared costs, two adjustments."""
    example = Statement(
        account_id=4711,
        account="acme",
        number="2026-10-003",
        version=1,
        month=OCTOBER,
        cost_center="payments",
        label="Payments & Billing",
        owners=("alice", "bob"),
        chargeback=True,
        issued_at=ISSUED_AT,
        previous_sha256="cd" * 32,
        lines=(
            line(17, "412.173333333"),
            line(18, "20.666666666"),
            line(4, "9.10", repository="acme/gadgets", repository_id=99),
            loose(Book.UNATTRIBUTED, "7"),
            loose(Book.ABANDONED, "8.005"),
            loose(Book.OVERHEAD, "1.111111111", repository="acme/gadgets", repository_id=99),
        ),
        fees=(Fee("Claude Team", "anthropic", "seats", 12, dollars("360")),),
        shared=(
            SharedCost(
                "unassigned", "Unassigned", Method.PROPORTIONAL, False, dollars("100"),
                dollars("458.056111110"), dollars("1374.16833333"), dollars("33.333333333"),
            ),
            SharedCost("shared:bots", "bots", Method.EVEN, False, dollars("9"), 1, 4, dollars("2.25")),
        ),
        adjustments=(
            Adjustment(
                SEPTEMBER, Kind.LATE, 1296269, "acme/widgets", Book.PULL, 12, 1, dollars("3.5"), ZERO,
                "recorded on 4 October, after September had closed", "agent run 0192f0c1", PROOF,
            ),
            Adjustment(
                Month(2026, 8), Kind.DISPUTE, 0, "", "", 0, 0, dollars("-12.34"), ZERO,
                "the nightly run was the platform's", "statement 2026-08-003 version 2",
            ),
        ),
        figures=(
            figures(Month(2026, 7), "30.10"),
            figures(Month(2026, 8), None),
            figures(SEPTEMBER, "25", dead=dollars("10"), yield_generated="0.8100"),
            figures(OCTOBER, "22.50", provisional=True),
        ),
        findings=("2 model calls of `house-model-1` have no price and are in no amount.", "closed on day 5"),
    )  # fmt: skip
    return settled(replace(example, **changes))


def at(hour: int) -> datetime:
    return datetime(2026, 11, 10, hour, tzinfo=UTC)


def paper(of: Statement | None = None, standing: Standing | None = None) -> Paper:
    """With a hash that stays whatever else is kept of a statement one day."""
    return replace(Paper.of(of or statement(), standing or Standing()), sha256="5f3c" * 16)


ACCEPTED = Standing(StatementState.ACCEPTED, "alice", at(9))
DISPUTED = Standing(StatementState.DISPUTED, "bob", at(10), "line 2 is not ours, see @acme/platform #12")
REPLACED = Standing(StatementState.REPLACED, later=(2, 3))
POSTED = Standing(StatementState.POSTED, "command line", at(11), "journal J-2026-10-1")
POSTED_AFTER = Standing(StatementState.POSTED, "joan", at(11), "journal J-2026-10-1", accepted=("grace", at(9)))
POSTED_BY_SILENCE = replace(POSTED_AFTER, accepted=("schedule", at(9)))


def tiny(**changes: Any) -> Statement:
    """One agent run without a pull, for a third of a cent; nothing merged, no yield, nobody owns it."""
    told: dict[str, Any] = {
        "number": "2026-10-001", "cost_center": "unassigned", "label": "Unassigned", "owners": (), "chargeback": False,
        "previous_sha256": "", "lines": (loose(Book.UNATTRIBUTED, "0.003"),), "fees": (), "shared": (),
        "adjustments": (), "findings": (),
        "figures": (figures(OCTOBER, None, yield_generated="", coverage="", dead=ZERO, cost=dollars("0.003")),),
    }  # fmt: skip
    return statement(**{**told, **changes})


def negative() -> Statement:
    """A month in which corrections outweigh the spend."""
    back = Adjustment(
        SEPTEMBER, Kind.REPRICED, 1296269, "acme/widgets", Book.PULL, 12, 4, dollars("-50.005"), ZERO,
        "the agreement of 1 September came late", "correction 0192f0c2", PROOF,
    )  # fmt: skip
    return statement(lines=(line(17, "1.5"),), fees=(), shared=(), adjustments=(back,), figures=())


def long(lines: int) -> Statement:
    """Thousands of lines in many repositories with long names."""
    rows = tuple(
        line(n, f"{(n * 7919) % 900}.{n % 1000:03}333", repository=f"acme/{'repository-with-a-long-name'}-{n % 300}",
             repository_id=n % 300, covered=dollars("1") if n % 5 == 0 else ZERO)
        for n in range(1, lines + 1)
    )  # fmt: skip
    return statement(lines=rows)


def hostile_statement(text: str) -> Statement:
    """Every text from outside is this one."""
    return statement(
        account=text, cost_center=text, label=text, owners=(text, "alice"),
        lines=(
            line(17, "1", repository=text, parts=(Part(text, text, 1, dollars("1")),)),
            loose(Book.UNATTRIBUTED, "2", repository=f"acme/{text}"),
            line(18, "3", repository="acme/widgets"),
        ),
        fees=(Fee(text, text, text, 1, dollars("1")),),
        shared=(SharedCost(text, text, text, False, dollars("1"), 1, 1, dollars("1")),),
        adjustments=(
            Adjustment(SEPTEMBER, Kind.MANUAL, 1, text, Book.PULL, 3, 0, dollars("1"), ZERO, text, text),
            Adjustment(SEPTEMBER, Kind.MANUAL, 0, "", "", 0, 0, dollars("1"), ZERO, "", ""),
        ),
        findings=(text,), answers=(text,),
    )  # fmt: skip


amounts = st.integers(-(10**13), 10**13).map(NanoUsd)


@st.composite
def any_statement(draw: st.DrawFn) -> Statement:
    """Any amounts, negative ones too, settled as the close does it."""
    lines = draw(
        st.lists(st.tuples(amounts, st.sampled_from([each for each in Book if each != Book.USAGE])), max_size=9)
    )
    fees, shared, adjusted = (draw(st.lists(amounts, max_size=4)) for _ in range(3))
    return statement(
        lines=tuple(
            line(n, "0", amount=amount, book=book, repository=f"acme/r{n % 3}", repository_id=n % 3,
                 parts=(Part("a", "m", 1, NanoUsd(amount // 3)), Part("b", "m", 1, NanoUsd(amount - amount // 3))))
            for n, (amount, book) in enumerate(lines, 1)
        ),
        fees=tuple(Fee("s", "v", "seats", 1, amount) for amount in fees),
        shared=tuple(SharedCost("p", "p", "even", False, amount, 1, 2, amount) for amount in shared),
        adjustments=tuple(
            Adjustment(SEPTEMBER, Kind.LATE, 1, "acme/r1", Book.PULL, 2, 1, amount, ZERO, "r", "e", PROOF)
            for amount in adjusted
        ),
        distributed=draw(st.integers(-(10**13), 0).map(NanoUsd)),
    )  # fmt: skip


def covered() -> Statement:
    """Some of the agent runs are a subscription's."""
    rows = (
        line(17, "10", covered=dollars("3.21")),
        line(18, "0", covered=dollars("7"), parts=(Part("claude-code", "claude-sonnet-4-5", 1, ZERO, dollars("7")),)),
    )
    return statement(lines=rows)


def crowded() -> Statement:
    """Hundreds of everything, and long texts."""
    word = "a reason that goes on and on with `ticks` and #17 in it, " * 6
    return statement(
        lines=long(500).lines,
        fees=tuple(Fee(f"Subscription {n} {'x' * 70}", "vendor", "seats", n, dollars("1.111")) for n in range(200)),
        shared=tuple(
            SharedCost(f"p{n}", f"{'pool' * 15}{n}", Method.EVEN, False, dollars("10"), 1, 3, dollars("3.333333333"))
            for n in range(200)
        ),
        adjustments=tuple(
            Adjustment(SEPTEMBER, Kind.LATE, 1, "acme/r", Book.PULL, n, 1, dollars("0.015"), ZERO, word, word, PROOF)
            for n in range(1, 400)
        ),
        findings=(word,) * 60,
        answers=(word,) * 60,
        figures=tuple(figures(Month(2025, n), "3") for n in range(1, 13)),
    )

"""A statement as an organisation might get one, for the picture in the documents. The names and amounts are made up."""

from datetime import UTC, datetime

from app.core.chargeback.shared_costs import in_cents
from app.core.chargeback.statement import Adjustment, Fee, Figures, Kind, Line, Part, Proof, SharedCost, Statement
from app.core.chargeback.terms import Method
from app.core.ledger import Book
from app.core.money import ZERO, NanoUsd, cents
from app.core.month import Month
from app.core.report.statement.page import page
from app.core.report.statement.paper import Paper

OCTOBER = Month(2026, 10)
MICRO = 1_000
PROOF = Proof(14, "7d" * 32)

# Month, charges, released, merged PRs, dead spend (in micro-USD where money), yield.
MONTHS = (
    (5, 611_200_000, 590_400_000, 21, 232_100_000, "0.5800"),
    (6, 702_950_000, 688_000_000, 27, 231_970_000, "0.6300"),
    (7, 655_410_000, 661_300_000, 28, 190_060_000, "0.6700"),
    (8, 701_080_000, 690_150_000, 32, 168_250_000, "0.7300"),
    (9, 742_630_000, 735_900_000, 36, 170_800_000, "0.7200"),
    (10, 786_415_873, 760_240_000, 41, 149_410_000, "0.7800"),
)
LINES = (
    ("acme/payments-api", Book.PULL, 412, 11, 212_173_333),
    ("acme/payments-api", Book.PULL, 407, 6, 148_902_114),
    ("acme/checkout-web", Book.PULL, 981, 9, 131_440_218),
    ("acme/payments-api", Book.PULL, 398, 4, 96_018_750),
    ("acme/ledger-sync", Book.PULL, 77, 5, 88_400_960),
    ("acme/payments-api", Book.UNATTRIBUTED, 0, 7, 51_077_431),
    ("acme/checkout-web", Book.ABANDONED, 0, 3, 38_903_067),
    ("acme/ledger-sync", Book.OVERHEAD, 0, 2, 19_500_000),
)


def sample() -> Statement:
    """October of a team that pays for its agents."""
    lines = tuple(_line(*each) for each in LINES)
    adjustments = (
        Adjustment(
            OCTOBER.previous, Kind.LATE, 1, "acme/payments-api", Book.PULL, 377, 1, _usd(6_120_500), ZERO,
            "recorded after the month had closed", "9 ledger entries", PROOF,
        ),
        Adjustment(
            OCTOBER.previous, Kind.DISPUTE, 0, "", "", 0, 0, _usd(-24_000_000), ZERO,
            "the nightly security run is the platform's", "statement 2026-09-003",
        ),
    )  # fmt: skip
    direct = NanoUsd(sum(line.amount for line in lines))
    share = SharedCost(
        "shared:review-bot", "Shared: review-bot", Method.PROPORTIONAL, False, _usd(310_000_000), direct,
        NanoUsd(3 * direct), NanoUsd(_usd(310_000_000) // 3),
    )  # fmt: skip
    made = Statement(
        account_id=1, account="acme", number="2026-10-003", version=1, month=OCTOBER, cost_center="payments",
        label="Payments", owners=("alice",), chargeback=True, issued_at=datetime(2026, 11, 9, 6, tzinfo=UTC),
        previous_sha256="4c" * 32, lines=lines, fees=(Fee("Claude Team", "anthropic", "seats", 12, _usd(360_000_000)),),
        shared=(share,), adjustments=adjustments, figures=tuple(_figures(*each) for each in MONTHS),
        findings=("3 model calls have no price (house-model-1): their cost is unknown and in no statement.",),
    )  # fmt: skip
    return in_cents(made, cents([made.total])[0])


def html() -> str:
    """Its page to print."""
    return page(Paper.of(sample()))


def _usd(micro: int) -> NanoUsd:
    return NanoUsd(micro * MICRO)


def _line(repository: str, book: Book, number: int, runs: int, micro: int) -> Line:
    codex = _usd(micro // 5)
    parts = (
        Part("claude-code", "claude-sonnet-4-5", runs - 1, NanoUsd(_usd(micro) - codex)),
        Part("codex", "gpt-5.2-codex", 1, codex),
    )
    return Line(len(repository), repository, book, number, _usd(micro), ZERO, runs, parts, PROOF)


def _figures(month: int, cost: int, released: int, merged: int, dead: int, share: str) -> Figures:
    per = NanoUsd(_usd(released) // merged)
    return Figures(
        month=Month(2026, month), cost=_usd(cost), released=_usd(released), agent_runs=6 * merged, merged=2 * merged,
        agent_merged=merged + 1, survived=merged, per_merged_pr=per, per_merged_pr_cohort=NanoUsd(per * 9 // 10),
        direct_per_merged_pr=NanoUsd(per * 7 // 10), dead=_usd(dead), yield_generated=share, coverage="0.9700",
        provisional=month == OCTOBER.number,
    )  # fmt: skip

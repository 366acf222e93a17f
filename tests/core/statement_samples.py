"""Statements for tests of what is made of them: by hand, and any that Hypothesis draws."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from app.core.chargeback.statement import Adjustment, Fee, Kind, Line, Part, Proof, SharedCost, Statement
from app.core.money import NANO_PER_CENT, ZERO, NanoUsd
from app.core.month import Month

OCTOBER = Month(2026, 10)
SEPTEMBER = Month(2026, 9)
NO_PROOF = Proof(0, "")
AMOUNTS = st.integers(-(10**15), 10**15).map(NanoUsd)


def usd(text: str) -> NanoUsd:
    """ "12.34" as nano-USD."""
    whole, _, cents = text.partition(".")
    return NanoUsd((int(whole) * 100 + int(cents.ljust(2, "0"))) * NANO_PER_CENT)


def line(amount: NanoUsd, number: int = 1, book: str = "pull", covered: NanoUsd = ZERO) -> Line:
    parts = (Part("claude", "claude-sonnet-4-5", 1, amount, covered),)
    return Line(1, "acme/widgets", book, number, amount, covered, 1, parts, NO_PROOF)


def fee(amount: NanoUsd) -> Fee:
    return Fee("Claude Team", "Anthropic", "seats", 5, amount)


def shared(amount: NanoUsd) -> SharedCost:
    return SharedCost("shared:bots", "bots", "even", False, NanoUsd(2 * amount), 1, 2, amount)


def adjustment(amount: NanoUsd, original: Month = SEPTEMBER, kind: Kind = Kind.MANUAL) -> Adjustment:
    return Adjustment(original, kind, 0, "", "", 0, 0, amount, ZERO, "agreed", "ticket 7")


def statement(
    cost_center: str = "web",
    lines: Sequence[Line] = (),
    fees: Sequence[Fee] = (),
    shares: Sequence[SharedCost] = (),
    adjustments: Sequence[Adjustment] = (),
    number: str = "2026-10-001",
    chargeback: bool = True,
    distributed: NanoUsd = ZERO,
) -> Statement:
    return Statement(
        account_id=1,
        account="acme",
        number=number,
        version=1,
        month=OCTOBER,
        cost_center=cost_center,
        label=cost_center.title(),
        owners=("ada",),
        chargeback=chargeback,
        issued_at=datetime(2026, 11, 8, 6, tzinfo=UTC),
        previous_sha256="",
        lines=tuple(lines),
        fees=tuple(fees),
        shared=tuple(shares),
        adjustments=tuple(adjustments),
        distributed=distributed,
    )


MONTHS = st.builds(Month, st.integers(2024, 2025), st.integers(1, 12))
ANY = st.builds(
    statement,
    lines=st.lists(AMOUNTS.map(line), max_size=5),
    fees=st.lists(AMOUNTS.map(fee), max_size=2),
    shares=st.lists(AMOUNTS.map(shared), max_size=3),
    adjustments=st.lists(st.builds(adjustment, AMOUNTS, MONTHS, st.sampled_from(Kind)), max_size=4),
    chargeback=st.booleans(),
    distributed=st.one_of(st.just(ZERO), AMOUNTS),
)


def numbered(found: Sequence[Statement]) -> list[Statement]:
    """The same as one month's: each of a cost center of its own, with a number of its own."""
    return [
        replace(each, cost_center=f"team-{place:03}", number=f"2026-10-{place:03}")
        for place, each in enumerate(found, start=1)
    ]


MONTHS_STATEMENTS = st.lists(ANY, max_size=8).map(numbered)

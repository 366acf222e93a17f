"""The sentences and small texts of a statement's pages. Ours alone: nothing from outside is in them."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

from app.core.chargeback.periods import StatementState
from app.core.chargeback.statement import Figures, Kind, SharedCost, Statement
from app.core.chargeback.terms import Method
from app.core.ledger import Book
from app.core.money import NANO_PER_CENT, NanoUsd, dollars_text
from app.core.month import Month
from app.core.report.numbers import percent
from app.core.report.statement.paper import SCHEDULE, Paper
from app.core.report.words import MONTHS, month_text
from app.core.yields import LEAST_COVERAGE

NO_MERGE = "no merged PR"
NONE = "–"
ACCEPT, DISPUTE = "/mergemeter accept", "/mergemeter dispute <reason>"
SHOW = "python -m app statement show"
WHY = "python -m app statement why"
VERIFY = "python -m app verify"

BOOK_TEXT = {
    Book.UNATTRIBUTED: "unattributed",
    Book.ABANDONED: "abandoned",
    Book.OVERHEAD: "overhead",
    Book.USAGE: "other",
}
KIND_TEXT = {
    Kind.LATE: "late record",
    Kind.REPRICED: "priced anew",
    Kind.REATTRIBUTED: "attributed anew",
    Kind.DISPUTE: "dispute",
    Kind.INVOICE: "invoice",
    Kind.MANUAL: "by hand",
}
STATE_TEXT = {
    StatementState.ISSUED: "awaiting an answer",
    StatementState.ACCEPTED: "accepted",
    StatementState.DISPUTED: "disputed",
    StatementState.REPLACED: "replaced",
    StatementState.POSTED: "booked",
}
WHICH_NUMBER = (
    "Every amount is contracted cost: the tokens that agents' logs tell, at your own prices or list prices less your "
    "discounts. It is an estimate until the vendor's invoice is reconciled; a difference then comes as an adjustment."
)
PROVISIONAL = "This month's figures are provisional: reverts within 14 days still change them."
WHICH_FEES = "Fees of subscriptions are what the configuration says they cost."
WHICH_COVERED = (
    "Covered: what agent runs that a subscription pays would have cost at contracted prices. Shown, never booked."
)
MEANING = (
    "Cost per merged PR, token yield and dead spend are estimates: they stand on logs, and on evidence for each pull.",
    "Charges: what the cost center's own agent runs of the month cost, without fees, shares and adjustments.",
    "Cost per merged PR: (charges of the month + pulls open at its start − pulls open at its end) ÷ merged PRs.",
    "Merged PRs: pulls with an agent run that merged in the month and were not reverted within 14 days.",
    "Token yield: of the output tokens whose work is decided, those for pulls that merged and stayed.",
    "Dead spend: reverted, rejected, abandoned, replaced and failed work, and what is tied to no pull.",
    "Comparison: months as they stood when this statement was issued. Reverts restate these figures, never an amount.",
    "Unattributed: no evidence ties it to a pull. Abandoned: still so after 14 days. Both stay where the agent ran.",
    "Amounts are rounded to cents by the largest remainder, so that every column adds up. Months are UTC.",
)


def cents_text(cents: int) -> str:
    """ "$1,234.56", "−$0.05"."""
    return f"{'−' if cents < 0 else ''}${abs(cents) // 100:,}.{abs(cents) % 100:02}"


def nano_text(amount: NanoUsd | None, none: str = NONE) -> str:
    """What is not part of a sum of cents; `none` where there is no such figure."""
    return none if amount is None else dollars_text(amount)


def mode(statement: Statement) -> str:
    return "chargeback" if statement.chargeback else "showback"


def what_it_does(statement: Statement) -> str:
    if statement.chargeback:
        return "Chargeback: once accepted, this amount is booked to the cost center."
    return "Showback: this amount is shown and never booked."


def short_month(month: Month) -> str:
    """ "Oct 2026"."""
    return f"{MONTHS[month.number - 1][:3]} {month.year}"


def yield_text(figures: Figures | None) -> str:
    """ "70 %"; why there is none, in a word or two."""
    if figures is None or not figures.coverage:
        return NONE
    if Fraction(figures.coverage) < LEAST_COVERAGE:
        return "insufficient"
    return ratio_text(figures.yield_generated)


def ratio_text(decimal: str) -> str:
    """A decimal from 0 to 1 as a percentage."""
    if not decimal:
        return NONE
    part = Fraction(decimal)
    return percent(part.numerator, part.denominator)


def dead_text(figures: Figures) -> str:
    """ "$21.00 (42 %)"."""
    share = f" ({percent(figures.dead, figures.cost)})" if figures.cost > 0 and figures.dead >= 0 else ""
    return f"{dollars_text(figures.dead)}{share}"


def change_text(now: NanoUsd | None, before: NanoUsd | None) -> str:
    """How a figure changed: "+12 %"; nothing where either is missing or it was not above zero."""
    if now is None or before is None or before <= 0:
        return ""
    by = round(Fraction(100 * (now - before), before))
    return f"{'+' if by > 0 else '−' if by < 0 else '±'}{abs(by):,} %"


def compared_title(statement: Statement) -> str:
    """Above a statement's figures."""
    return "Compared with the months before" if len(statement.figures) > 1 else "The month in figures"


def accepted_text(paper: Paper, name: Callable[[str], str]) -> str:
    """Behind the journal: who had accepted what is booked; "" where that is not known. `name` writes a login."""
    if paper.standing.accepted is None:
        return ""
    who, at = paper.standing.accepted
    if who == SCHEDULE:
        return f". It counted as accepted from {paper.day(at)}."
    return f". Accepted by {name(who)} on {paper.day(at)}."


def compared(of: Figures, before: Figures | None) -> list[str]:
    """A month's cells: charges, the three per merged PR, merged PRs, token yield, dead spend."""
    change = change_text(of.per_merged_pr, before.per_merged_pr if before else None)
    return [
        nano_text(of.cost),
        nano_text(of.per_merged_pr, NO_MERGE) + (f" ({change})" if change else ""),
        nano_text(of.per_merged_pr_cohort),
        nano_text(of.direct_per_merged_pr),
        f"{of.survived:,}",
        yield_text(of),
        dead_text(of),
    ]


def method_text(shared: SharedCost) -> str:
    """By what rule a shared cost was divided, and what this cost center's weight is."""
    part = _part(shared.weight, shared.weights)
    if shared.fell_back:
        why = "it covered no agent run" if shared.method == Method.USE else "there is no direct cost to go by"
        return f"evenly, as {why}: {shared.weight:,} of {shared.weights:,}{part}"
    if shared.method in BY_AMOUNT:
        weights = (dollars_text(NanoUsd(each)) for each in (shared.weight, shared.weights))
        return f"{BY_AMOUNT[shared.method]}: {' of '.join(weights)}{part}"
    if shared.method == Method.FIXED:
        return f"by a fixed percentage{part}"
    if shared.method == Method.EVEN:
        return f"evenly: {shared.weight:,} of {shared.weights:,}{part}"
    return "not shared"


BY_AMOUNT: Mapping[str, str] = {
    Method.PROPORTIONAL: "in proportion to direct cost",
    Method.USE: "in proportion to what it covered",
}


def _part(weight: int, weights: int) -> str:
    return f" ({Decimal(100 * weight) / weights:.2f} %)" if weights else ""


def title(statement: Statement, label: str) -> str:
    """The issue's title, with the cost center's label as plain text: "Statement 2026-10-003: Payments, …"."""
    version = f" (version {statement.version})" if statement.version > 1 else ""
    return f"Statement {statement.number}{version}: {label}, {month_text(statement.month)}"


def usd_decimal(amount: NanoUsd) -> str:
    """Nine places, exactly: "-0.050000000"."""
    sign, size = ("-", -amount) if amount < 0 else ("", amount)
    whole, rest = divmod(size, 100 * NANO_PER_CENT)
    return f"{sign}{whole}.{rest:09}"

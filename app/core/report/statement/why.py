"""Why a line of a statement comes to its amount: agent runs, their evidence, their model calls, and each charge.

Plain text for a terminal, the biggest first, in pages. Values in; the store reads them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core import ai_credits
from app.core.arithmetic import Arithmetic
from app.core.chargeback.statement import Adjustment, Line, Statement
from app.core.ledger import Book
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.report.charges import charge_text
from app.core.report.escape import plain
from app.core.report.numbers import count
from app.core.report.statement.said import BOOK_TEXT, cents_text
from app.core.report.sums import Part, Sum, exact_text, sum_lines
from app.core.report.words import evidence_text, month_text
from app.core.repricing import KeptCall

RUNS, CALLS = 5, 10  # of a page; of an agent run
CHARGED = 3  # of these calls, those with their charges


@dataclass(frozen=True, slots=True)
class WalkedCall:
    """A model call, and how it came to its cost where prices in force still tell."""

    kept: KeptCall
    arithmetic: Arithmetic | None


@dataclass(frozen=True, slots=True)
class Posting:
    """A ledger entry of the line."""

    entry_id: int
    posted_at: datetime
    amount: NanoUsd
    reason: str


@dataclass(frozen=True, slots=True)
class WalkedRun:
    """An agent run of a line. `amount`: what of it the line has; `calls`: of the charge month; `url`: its workflow run.

    `covered_by`: the subscription that pays it, so that its amount is shown and not booked.
    """

    agent_run_id: str
    agent: str
    agent_version: str
    workflow: str
    job: str
    started_at: datetime
    url: str
    evidence: str
    evidence_note: str
    basis: str  # what told whose it is
    covered_by: str
    amount: NanoUsd
    postings: tuple[Posting, ...]
    calls: tuple[WalkedCall, ...]


@dataclass(frozen=True, slots=True)
class Total:
    """An agent run's part in the line, for the sum over all of them."""

    agent_run_id: str
    agent: str
    amount: NanoUsd
    covered: bool


def found(statement: Statement, name: str) -> Line | Adjustment | None:
    """The line of a number ("12"), or the adjustment of one ("A3"); None where there is none."""
    digits = name.removeprefix("A").removeprefix("a")
    rows: Sequence[Line | Adjustment] = statement.lines if digits == name else statement.adjustments
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0
    return rows[number - 1] if 1 <= number <= len(rows) else None


def charge_month(statement: Statement, row: Line | Adjustment) -> Month:
    """The month whose charges a row is made of."""
    return row.original if isinstance(row, Adjustment) else statement.month


def why_lines(
    statement: Statement, name: str, totals: Sequence[Total], shown: Sequence[WalkedRun], page: int = 1
) -> Iterator[str]:
    """The walk: the line, the sum of its agent runs (`totals`: all of them), and a page of them down to the charges."""
    row = found(statement, name)
    if row is None:
        yield f"Statement {statement.number} version {statement.version} has no line {plain(name, 20)}."
        return
    month = charge_month(statement, row)
    yield f"Statement {statement.number} version {statement.version}, line {plain(name, 20)}: {_place(row)}"
    covered = f", and {exact_text(row.covered)} covered by a subscription" if row.covered else ""
    yield f"{exact_text(row.amount)} for {month_text(month)}, {cents_text(row.cents)} on paper{covered}"
    if isinstance(row, Adjustment):
        yield f"Adjustment ({row.kind}): {plain(row.reason, 300) or 'no reason told'}"
        yield f"Evidence: {plain(row.evidence, 300) or 'none told'}"
        if row.proof is None:
            yield "It was entered by hand or by an invoice, and no agent run stands behind it."
            return
    yield ""
    yield from _sum(row, totals)
    for at, run in enumerate(shown, 1 + (page - 1) * RUNS):
        yield ""
        yield from _run(run, at, len(totals), month)
    if (pages := -(-len(totals) // RUNS)) > 1:
        yield ""
        yield f"Page {page:,} of {pages:,}."


def _place(row: Line | Adjustment) -> str:
    where = plain(row.repository, 120) or "no repository"
    if row.book == Book.PULL:
        return f"{where}#{row.number}"
    return f"{where}, {BOOK_TEXT[Book(row.book)]}" if row.book else where


def _sum(row: Line | Adjustment, totals: Sequence[Total]) -> Iterator[str]:
    """The agent runs' amounts under each other; those that a subscription pays are in a sum of their own."""
    for covered, amount in ((False, row.amount), (True, row.covered)):
        own = [each for each in totals if each.covered is covered]
        if not own and (covered or not amount):
            continue
        title = "Agent runs that a subscription covers" if covered else "Agent runs"
        parts = tuple(Part(f"agent run {each.agent_run_id} {plain(each.agent, 40)}", each.amount) for each in own)
        yield from sum_lines(Sum(title, amount, parts, "agent run"), 2 * RUNS)
    if (silent := row.agent_runs - len(totals)) > 0:
        yield f"{count(silent, 'more agent run')} of the line {'has' if silent == 1 else 'have'} no amount in it."


def _run(run: WalkedRun, at: int, of: int, month: Month) -> Iterator[str]:
    version = f" {plain(run.agent_version, 20)}" if run.agent_version else ""
    yield f"{at:,} of {of:,} · agent run {run.agent_run_id} {plain(run.agent, 40)}{version}: {exact_text(run.amount)}"
    job = f"{plain(run.workflow, 60) or 'no workflow'}, job {plain(run.job, 60) or '(not told)'}"
    yield f"  Workflow run: {plain(run.url, 300) or 'none'} ({job}), {run.started_at:%Y-%m-%d %H:%M} UTC"
    yield f"  Evidence: {_evidence(run)}"
    paid = f"; paid by the subscription {plain(run.covered_by)}" if run.covered_by else ""
    yield f"  Cost center by: {run.basis}{paid}"
    for each in run.postings[:CALLS]:
        because = f" ({reason})" if (reason := plain(each.reason, 80)) else ""
        yield f"  Ledger entry {each.entry_id} of {each.posted_at:%Y-%m-%d %H:%M}: {exact_text(each.amount)}{because}"
    if rest := run.postings[CALLS:]:
        yield f"  … and {count(len(rest), 'more ledger entry', 'more ledger entries')}"
    yield from (f"  {line}" for line in _calls(run, month))


def _evidence(run: WalkedRun) -> str:
    note = f" ({plain(run.evidence_note, 300)})" if run.evidence_note else ""
    if not run.evidence:
        return f"none that holds now{note}"
    label, meaning = evidence_text(run.evidence)
    return f"{plain(run.evidence, 4)} {label}: {meaning}{note}"


def _calls(run: WalkedRun, month: Month) -> Iterator[str]:
    known = NanoUsd(sum(each.kept.price.cost or 0 for each in run.calls))
    parts = tuple(Part(_call_text(each), each.kept.price.cost) for each in run.calls)
    yield from sum_lines(Sum(f"Model calls of {month_text(month)}", known, parts, "model call"), CALLS)
    if known != run.amount:
        rest = "the rest is on other lines, or an adjustment"
        yield f"Of {exact_text(known)} this line has {exact_text(run.amount)}: {rest}."
    dearest = sorted(run.calls, key=lambda each: -(each.kept.price.cost or 0))
    for each in dearest[:CHARGED]:
        yield from _call(each)


def _call(each: WalkedCall) -> Iterator[str]:
    price, how = each.kept.price, each.arithmetic
    title = f"{_call_text(each)} by {plain(price.price_list)}"
    if price.price_list == ai_credits.PRICE_LIST and price.cost is not None:
        yield f"{title}: {exact_text(price.cost)}"
        yield f"  {ai_credits.arithmetic_text(price.cost)}, as GitHub tells them; it tells no tokens."
    elif how is None:
        why = "no price is known" if price.cost is None else "the prices in force now come to another amount"
        yield f"{title}: {exact_text(price.cost)}"
        yield f"  No arithmetic is shown: {why}."
    else:
        own = ("at your own price",) if how.own else ()
        less = (f"less your discount of {how.discount * 100:f} %",) if how.discount and not how.own else ()
        charges = tuple(Part(charge_text(line), line.amount) for line in how.lines)
        yield from sum_lines(Sum(title, price.cost, charges, "charge", notes=(*own, *less)))


def _call_text(each: WalkedCall) -> str:
    call = each.kept.call
    return f"call {each.kept.position} {plain(call.model)} {call.at:%Y-%m-%d %H:%M:%S}"

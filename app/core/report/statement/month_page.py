"""All statements of a month on one page, as Markdown for its issue and as HTML to print, and whether nothing is lost.

The statements together are what the ledger has for the month, the fees and the adjustments that were entered. The page
says so, to the nano-dollar, or by how much it is not so.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from app.core.chargeback.periods import StatementState
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.report.comment import within
from app.core.report.escape import code, label, link
from app.core.report.numbers import count
from app.core.report.statement import said, svg
from app.core.report.statement.markdown import LONGEST, spend_chart
from app.core.report.statement.page import environment
from app.core.report.statement.paper import FIRST_DIGITS, Paper
from app.core.report.statement.pictures import BARS, Picture
from app.core.report.sums import exact_text
from app.core.report.tables import table
from app.core.report.words import month_text

HEAD = ["Statement", "Cost center", "Kind", "State", "Per merged PR", "Token yield", "Total"]
ROOM = 2_500  # characters for what stands around the table


@dataclass(frozen=True, slots=True)
class Books:
    """What the books have for a month, read apart from the statements: its ledger entries, fees, entered adjustments.

    `ledger` is without what subscriptions cover.
    """

    ledger: NanoUsd
    fees: NanoUsd
    adjustments: NanoUsd

    @property
    def total(self) -> NanoUsd:
        return NanoUsd(self.ledger + self.fees + self.adjustments)


@dataclass(frozen=True, slots=True)
class Listed:
    """A statement in the list; `url`: its issue, "" where there is none."""

    paper: Paper
    url: str = ""

    @property
    def in_force(self) -> bool:
        """Whether no later version replaced it."""
        return self.paper.standing.state is not StatementState.REPLACED and not self.paper.standing.later


@dataclass(frozen=True, slots=True)
class MonthPage:
    """A month of an account. `books` None: nobody read them, and nothing is said of what they come to."""

    account: str
    month: Month
    listed: tuple[Listed, ...]
    books: Books | None = None

    @property
    def shown(self) -> list[Listed]:
        """The versions in force, the dearest first."""
        own = [each for each in self.listed if each.in_force]
        return sorted(own, key=lambda each: (-each.paper.statement.total, each.paper.statement.number))

    @property
    def total(self) -> NanoUsd:
        return NanoUsd(sum(each.paper.statement.total for each in self.shown))

    @property
    def cents(self) -> int:
        return sum(each.paper.statement.total_cents for each in self.shown)

    @property
    def off(self) -> NanoUsd | None:
        """What the statements have more than the books; None where nobody read these."""
        return None if self.books is None else NanoUsd(self.total - self.books.total)


def title(page: MonthPage) -> str:
    """The issue's title."""
    return f"Statements: {month_text(page.month)}"


def issue(page: MonthPage, marker: str) -> str:
    """The month's issue with the hidden `marker` at its end."""
    parts = [_glance(page), _table(page), *_chart(page), conservation(page), said.WHICH_NUMBER]
    return within("\n\n".join(part for part in parts if part), marker, LONGEST)


def _glance(page: MonthPage) -> str:
    total = f"**{said.cents_text(page.cents)}** for {month_text(page.month)}"
    return " · ".join([total, count(len(page.shown), "statement"), _states(page)])


def _table(page: MonthPage) -> str:
    rows, size = [], 0
    for each in page.shown:
        row = _row(each)
        size += sum(map(len, row)) + 3 * len(row) + 2
        if size > LONGEST - ROOM:
            break
        rows.append(row)
    if rest := page.shown[len(rows) :]:
        cents = said.cents_text(sum(each.paper.statement.total_cents for each in rest))
        rows.append(["…", f"{count(len(rest), 'more statement')}, all in the page to print", *[""] * 4, cents])
    rows.append(["**Total**", *[""] * 5, f"**{said.cents_text(page.cents)}**"])
    return table(HEAD, "llllrrr", rows)


def _row(each: Listed) -> list[str]:
    statement = each.paper.statement
    figures, version = each.paper.figures, f" v{statement.version}" if statement.version > 1 else ""
    return [
        link(code(statement.number + version), each.url),
        code(statement.label),
        said.mode(statement),
        _state(each),
        said.nano_text(figures.per_merged_pr, said.NO_MERGE) if figures is not None else said.NONE,
        said.yield_text(figures),
        said.cents_text(statement.total_cents),
    ]


def spend(page: MonthPage) -> Picture | None:
    """Totals by cost center; None for fewer than two above zero."""
    drawn = [each.paper.statement for each in page.shown if each.paper.statement.total_cents > 0]
    if len(drawn) < 2:
        return None
    most = BARS if len(drawn) > BARS + 1 else len(drawn)
    heights = [each.total_cents for each in drawn[:most]]
    if rest := drawn[most:]:
        heights.append(sum(each.total_cents for each in rest))
    hidden = len(page.shown) - len(drawn)
    beside = f"{count(hidden, 'statement')} at or below zero not drawn." if hidden else ""
    names = tuple(each.label for each in drawn[:most])
    return Picture("Spend by cost center", "USD", names, tuple(heights), beside=beside, more=len(drawn) - most)


def _chart(page: MonthPage) -> list[str]:
    picture = spend(page)
    if picture is None:
        return []
    return [spend_chart(picture, [*map(label, picture.names)]), picture.beside]


def conservation(page: MonthPage) -> str:
    """ "Ledger $90.00 + fees $8.00 + entered adjustments $2.00 = $100.00: the statements add up to it."."""
    if page.books is None:
        return ""
    parts = (
        ("Ledger", page.books.ledger),
        ("subscription fees", page.books.fees),
        ("entered adjustments", page.books.adjustments),
    )
    told = " + ".join(f"{name} {exact_text(amount)}" for name, amount in parts)
    verdict = "the statements add up to it" if not page.off else f"THE STATEMENTS ARE OFF BY {exact_text(page.off)}"
    return f"{told} = {exact_text(page.books.total)}: {verdict}."


def html(page: MonthPage) -> str:
    """The month as one HTML file, without a request or a script."""
    picture = spend(page)
    return environment().get_template("month.html").render(
        p=page,
        title=title(page),
        running=f"Statements of {page.month} - contracted cost, an estimate until invoices are reconciled",
        month=month_text(page.month),
        rows=[_cells(each) for each in page.shown],
        spend=svg.lying(picture, "spend") if picture is not None else "",
        conservation=conservation(page),
        glance=_states(page),
    )  # fmt: skip


def _state(each: Listed) -> str:
    """How it stands, in a word or two; of what nobody owns nobody answers."""
    state = each.paper.standing.state
    return "nobody's" if state is StatementState.ISSUED and not each.paper.owned else said.STATE_TEXT[state]


def _states(page: MonthPage) -> str:
    states = Counter(_state(each) for each in page.shown)
    told = [f"{number} {state}" for state, number in sorted(states.items())]
    return ", ".join(told) or "none"


def _cells(each: Listed) -> dict[str, Any]:
    statement, figures = each.paper.statement, each.paper.figures
    url = each.url if each.url.startswith(("https://", "http://")) else ""
    shown = f"{statement.number}{f' v{statement.version}' if statement.version > 1 else ''}"
    return {
        "number": Markup('<a href="{}">{}</a>').format(url, shown) if url else shown,
        "label": statement.label,
        "owners": ", ".join(statement.owners) or "nobody",
        "mode": said.mode(statement),
        "state": _state(each),
        "per": said.nano_text(figures.per_merged_pr, said.NO_MERGE) if figures is not None else said.NONE,
        "yield": said.yield_text(figures),
        "sha256": each.paper.sha256[:FIRST_DIGITS],
        "cents": statement.total_cents,
    }

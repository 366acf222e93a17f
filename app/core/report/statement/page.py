"""The statement as one HTML file to print and file: no request, no script, every text escaped by the template.

Two files beside this one are its form: statement.html, and paper.css, which the month's page shares.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.core.chargeback.periods import StatementState
from app.core.ledger import Book
from app.core.report.escape import plain
from app.core.report.numbers import count
from app.core.report.statement import pictures, said, svg
from app.core.report.statement.paper import FIRST_DIGITS, Paper
from app.core.report.statement.parts import Item, adjustments, by_repository, composition, numbered
from app.core.report.words import month_text

LONGEST_TEXT = 2_000
BOOKS = (Book.PULL, Book.UNATTRIBUTED, Book.ABANDONED, Book.OVERHEAD)
SHORT = "contracted cost, an estimate until invoices are reconciled"


@cache
def environment() -> Environment:
    """The templates, which escape every value; texts are shown on one line, without characters that nobody sees."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    made.globals |= {
        "money": said.cents_text,
        "plain_money": plain_money,
        "nano": said.nano_text,
        "count": count,
        "counted": counted,
        "month_text": month_text,
        "kinds": said.KIND_TEXT,
        "method": said.method_text,
        "books": BOOKS,
        "accept": said.ACCEPT,
        "dispute": said.DISPUTE,
        "verify": said.VERIFY,
        "which_number": said.WHICH_NUMBER,
        "which_covered": said.WHICH_COVERED,
        "which_short": SHORT,
        "patterns": svg.PATTERNS,
    }
    return made


def _visible(value: Any) -> Any:
    """Texts from outside without control, bidi and invisible characters; Markup is ours."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return plain(value, LONGEST_TEXT)
    return value


def page(paper: Paper) -> str:
    """The HTML file; the same document and standing give the same text."""
    statement = paper.statement
    sums = by_repository(statement)
    return environment().get_template("statement.html").render(
        s=statement,
        title=said.title(statement, statement.label),
        running=running(paper),
        mode=said.mode(statement),
        month=month_text(statement.month),
        issued=paper.day(statement.issued_at),
        what_it_does=said.what_it_does(statement),
        standing=standing(paper),
        compared_title=said.compared_title(paper.statement),
        sha256=paper.sha256,
        why=f"{said.WHY} {statement.number} LINE",
        composition=composition(statement),
        comparison=_comparison(paper),
        **_pictures(paper),
        asked=asked(paper),
        repositories=sums,
        of_book={book: sum(each.cents.get(book, 0) for each in sums) for book in BOOKS},
        lines=numbered(statement),
        lines_cents=sum(line.cents for line in statement.lines),
        agent_runs=sum(line.agent_runs for line in statement.lines),
        adjustments=adjustments(statement),
        meaning=_meaning(paper),
        place=lambda repository, book, number: _place(paper, repository, book, number),
        **_glance(paper),
    )  # fmt: skip


def _glance(paper: Paper) -> dict[str, Any]:
    of = paper.figures
    if of is None:
        return {"figures": None}
    amount, _, share = said.dead_text(of).partition(" (")
    return {
        "figures": of,
        "per_merged_pr": said.nano_text(of.per_merged_pr, said.NO_MERGE),
        "token_yield": said.yield_text(of),
        "coverage": said.ratio_text(of.coverage),
        "dead": (amount, f"{share.removesuffix(')')} of charges" if share else ""),
    }


def _comparison(paper: Paper) -> list[dict[str, Any]]:
    figures = paper.statement.figures
    return [
        {"month": month_text(of.month), "now": of.month == paper.statement.month, "cells": said.compared(of, before)}
        for of, before in zip(figures, [None, *figures], strict=False)
    ]


def _pictures(paper: Paper) -> dict[str, Any]:
    statement = paper.statement
    trend, yields, spend = pictures.trend(statement), pictures.yields(statement), pictures.spend(statement)
    drawn = [svg.upright(each, name) for name, each in (("trend", trend), ("yield", yields)) if each is not None]
    return {"pictures": drawn, "spend": svg.lying(spend, "spend") if spend is not None else ""}


def asked(paper: Paper) -> bool:
    """Whether somebody is asked for an answer."""
    return paper.standing.state is StatementState.ISSUED and not paper.standing.later and paper.owned


def standing(paper: Paper) -> tuple[str, str]:
    """How the statement stands, in bold, and what follows from it."""
    now = paper.standing
    when = f" on {paper.day(now.at)}" if now.at is not None else ""
    by = f" by {now.by}" if now.by else ""
    if now.state is StatementState.REPLACED or now.later:
        newest = f" by version {max(now.later)}" if now.later else ""
        return f"Replaced{newest}.", "Do not book this version."
    if now.state is StatementState.ISSUED:
        if not paper.owned:
            return "Nobody owns this.", "The configuration says who does; until then it stays on this statement."
        return (
            "Awaiting an answer",
            "of the budget owner" if paper.statement.owners else "of an owner, who is not named,",
        )
    if now.by_silence:
        return f"Counts as accepted since{when.removeprefix(' on')}.", now.reason
    word = {StatementState.DISPUTED: "Disputed", StatementState.POSTED: "Booked"}.get(now.state, "Accepted")
    return f"{word}{by}{when}.", now.reason + said.accepted_text(paper, str)


def running(paper: Paper) -> str:
    """What stands at the foot of every page, inside a string of CSS: letters, digits and a few marks alone."""
    statement = paper.statement
    text = f"Statement {statement.number} version {statement.version} - SHA-256 {paper.sha256[:FIRST_DIGITS]} - {SHORT}"
    return re.sub(r"[^A-Za-z0-9 .,-]", "", text)


def _place(paper: Paper, repository: str, book: str, number: int) -> Markup:
    """The pull with its link, or the repository and why there is no pull."""
    if not repository:
        return Markup("–")
    name = plain(repository, 120)
    if book == Book.PULL:
        url = paper.pull_url(repository, number)
        shown = f"{name}#{number}"
        return Markup('<a href="{}">{}</a>').format(url, shown) if url else Markup("{}").format(shown)
    return Markup("{}{}").format(name, f", {said.BOOK_TEXT.get(Book(book), 'other')}" if book else "")


def _meaning(paper: Paper) -> list[str]:
    provisional = paper.figures is not None and paper.figures.provisional
    return [*said.MEANING, said.WHICH_FEES, *([said.PROVISIONAL] if provisional else [])]


def counted(item: Item) -> str:
    return count(item.count, item.noun) if item.count else ""


def plain_money(cents: int) -> str:
    """As in a column whose head says the currency: "1,234.56", "−0.05"."""
    return said.cents_text(cents).replace("$", "")

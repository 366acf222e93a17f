"""`python -m app statement list|show|why|month`: what was issued, on standard output or into a file."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from app.commands.asked import for_accounts, for_one_account, month_of
from app.commands.lines import one_line
from app.core.chargeback.statement import canonical
from app.core.money import NanoUsd, dollars_text
from app.core.report.statement import markdown, month_page, page, spreadsheet
from app.core.report.statement.paper import Paper
from app.core.report.statement.why import found as line_of
from app.settings import Settings
from app.store.statements import statements_of
from app.stories import show_statements
from app.stories.explain_line import why as explain
from app.world import World

FORMS: Mapping[str, Callable[[Paper], str]] = {
    "markdown": lambda paper: f"# {markdown.title(paper)}\n\n{markdown.issue(paper, '')}",
    "html": page.page,
    "csv": spreadsheet.table,
    "json": lambda paper: canonical(paper.statement).decode(),
}


def list_statements(settings: Settings, options: argparse.Namespace) -> int:
    """Every statement of a month, or of all."""
    month = month_of(options.month) if options.month else None
    if month is None and options.month:
        return 2

    def each(world: World, accounts: list[int]) -> int:
        for account_id in accounts:
            with world.db.reading() as session:
                rows = statements_of(session, account_id, month)
            for row in rows:
                kind = "chargeback" if row.chargeback else "showback"
                booked = f"  {row.journal}" if row.journal else ""
                print(
                    f"{row.number} v{row.version}  {dollars_text(NanoUsd(row.total_nano_usd)):>14}  {kind:<10}"
                    f"  {row.state:<9}  {one_line(row.cost_center)}{booked}"
                )
            if not rows:
                print(f"account {account_id}: no statement yet")
        return 0

    return for_accounts(settings, options, each)


def show_statement(settings: Settings, options: argparse.Namespace) -> int:
    """Write one statement in a form; the exit code is 1 where there is none of that number."""

    def show(world: World, account_id: int) -> int:
        found = show_statements.paper_of(world, account_id, options.number, options.version)
        if found is None:
            return _none(f"There is no statement {options.number}. `statement list` shows all of them.")
        return _write(FORMS[options.form](found[1]), options.out)

    return for_one_account(settings, options, show)


def explain_line(settings: Settings, options: argparse.Namespace) -> int:
    """Write what a line is made of; the exit code is 1 where there is no such statement or line."""

    def tell(world: World, account_id: int) -> int:
        found = show_statements.paper_of(world, account_id, options.number, options.version)
        if found is None:
            return _none(f"There is no statement {options.number}. `statement list` shows all of them.")
        statement = found[1].statement
        if line_of(statement, options.line) is None:
            return _none(f"Statement {options.number} has no line {options.line}. `statement show` numbers them.")
        for line in explain(world, statement, options.line, max(1, options.page)):
            print(line)
        return 0

    return for_one_account(settings, options, tell)


def show_month(settings: Settings, options: argparse.Namespace) -> int:
    """Write all statements of a month on one page; the exit code is 1 where there are none."""
    month = month_of(options.month)
    if month is None:
        return 2

    def show(world: World, account_id: int) -> int:
        found = show_statements.month_page(world, account_id, month)
        if found is None:
            return _none(f"{month} has no statements. `period close {month}` issues them when the month is over.")
        text = month_page.html(found) if options.form == "html" else _month_text(found)
        return _write(text, options.out)

    return for_one_account(settings, options, show)


def _month_text(found: month_page.MonthPage) -> str:
    return f"# {month_page.title(found)}\n\n{month_page.issue(found, '')}"


def _none(sentence: str) -> int:
    print(one_line(sentence), file=sys.stderr)
    return 1


def _write(text: str, out: str | None) -> int:
    """As it is, with the ends of lines that it has."""
    raw = text.encode()
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(raw if raw.endswith(b"\n") else raw + b"\n")
        return 0
    try:
        Path(out).write_bytes(raw)
    except OSError as error:
        return _none(f"Cannot write {out}: {error.strerror}.")
    return 0

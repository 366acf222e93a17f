"""Files that people bring: CSV as rows with their line numbers, and the columns of our own form.

Our form has a line for each cost of an invoice, or of a report where no invoice is named:

    vendor, account, day, amount, currency                         must be there
    model, kind, list_amount, quantity, unit, description          may be
    invoice_id, line_id                                            of an invoice

`day` is a day or a month. Refuses the whole file with all its mistakes.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.month import Month
from app.core.vendors.accounts import GITHUB, AgentSpend
from app.core.vendors.values import (
    WHOLE_MONTH,
    Bucket,
    InvoiceLine,
    Mistake,
    Reader,
    Told,
    VendorCost,
    number_of,
)

LONGEST = 64 * 1024 * 1024
MOST_ROWS = 1_000_000
NEEDED = ("vendor", "account", "day", "amount", "currency")
OPTIONAL = ("model", "kind", "list_amount", "quantity", "unit", "description", "invoice_id", "line_id")
INVOICE_KINDS = ("usage", "credit", "fee", "tax")
Spend = Callable[[str], AgentSpend | None]


@dataclass(frozen=True, slots=True)
class Row:
    """A line by its column names."""

    place: str
    cells: dict[str, str]

    def get(self, name: str) -> str | None:
        return self.cells.get(name)


@dataclass(slots=True)
class Sheet:
    """A file's columns and rows, or what is wrong with them."""

    columns: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)


def read_sheet(text: str) -> Sheet:
    """The rows of a CSV file with a head. Column names in any case; a line number is that of the row's end."""
    if len(text) > LONGEST:
        return Sheet(mistakes=[Mistake("the file", f"is longer than {LONGEST // 1024 // 1024} MB")])
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    sheet = Sheet()
    try:
        sheet.columns = tuple(name.strip().lower() for name in next(lines, []))
        _fill(sheet, lines)
    except csv.Error as broken:
        sheet.mistakes.append(Mistake(f"line {lines.line_num}", f"is not CSV: {broken}"))
    twice = {name for name in sheet.columns if sheet.columns.count(name) > 1}
    sheet.mistakes += [Mistake("line 1", f"has the column {name} twice") for name in sorted(twice)]
    return sheet


def _fill(sheet: Sheet, lines: Any) -> None:
    for cells in lines:
        place = f"line {lines.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(sheet.columns):
            sheet.mistakes.append(Mistake(place, f"has {len(cells)} cells, and the head has {len(sheet.columns)}"))
            continue
        if len(sheet.rows) == MOST_ROWS:
            sheet.mistakes.append(Mistake(place, f"is behind the first {MOST_ROWS:,} rows: cut the file in parts"))
            return
        sheet.rows.append(Row(place, dict(zip(sheet.columns, (cell.strip() for cell in cells), strict=False))))


def is_own_form(columns: Iterable[str]) -> bool:
    return set(NEEDED) <= set(columns)


def head_mistakes(columns: Sequence[str]) -> list[Mistake]:
    """Columns that our form does not know: one with a typing error must not be without effect."""
    unknown = [name for name in columns if name not in (*NEEDED, *OPTIONAL)]
    return [Mistake("line 1", f"has the column {name[:40]!r}, which is not known") for name in unknown]


def own_rows_told(sheet: Sheet, spend_of: Spend) -> Told:
    """What of a file in our form is agent spend; an invoice's lines as they are, the rest by bucket."""
    reader = Reader(mistakes=[*sheet.mistakes, *head_mistakes(sheet.columns)])
    found: list[VendorCost] = []
    left_out = 0
    seen: dict[tuple[str, str, str], str] = {}
    for row in sheet.rows:
        reader.place = row.place
        cost = _cost(row, reader)
        line = cost.line
        if line is not None:
            key = cost.bucket.vendor, line.invoice_id, line.line_id
            if key in seen:
                reader.wrong(f"is line {line.line_id} of invoice {line.invoice_id}, as {seen[key]} is")
            seen.setdefault(key, row.place)
        spend = spend_of(cost.bucket.vendor)
        if spend is None or not (spend.takes(cost.bucket.account) or cost.bucket.account in spend.api_keys):
            left_out += 1
        else:
            found.append(cost)
    return Told(tuple(found), left_out, tuple(reader.mistakes))


def _cost(row: Row, reader: Reader) -> VendorCost:
    vendor = reader.text(row.get("vendor"), "vendor").lower()
    account = reader.text(row.get("account"), "account")
    account = account.lower() if vendor == GITHUB else account
    month, day = _when(row.get("day"), reader)
    bucket = Bucket(vendor, account, reader.text(row.get("model"), "model", missing=""), month, day)
    reader.currency(row.get("currency"))
    billed = reader.usd(row.get("amount"), "amount")
    listed = reader.usd(row.get("list_amount"), "list_amount") if row.get("list_amount") else None
    return VendorCost(bucket, billed, listed, line=_line(row, reader))


def _line(row: Row, reader: Reader) -> InvoiceLine | None:
    invoice_id = reader.text(row.get("invoice_id"), "invoice_id", missing="")
    kind = reader.text(row.get("kind"), "kind", missing="usage").lower()
    if kind not in INVOICE_KINDS:
        reader.wrong(f"kind is none of {', '.join(INVOICE_KINDS)}")
    quantity = number_of(row.get("quantity") or "0")
    if quantity is None:
        reader.wrong("quantity is not a number")
    if not invoice_id:
        if row.get("line_id") or kind != "usage":
            reader.wrong("has a line_id or a kind without the invoice_id that it is of")
        return None
    return InvoiceLine(
        invoice_id,
        reader.text(row.get("line_id"), "line_id", missing=row.place.removeprefix("line ")),
        kind,
        reader.text(row.get("description"), "description", missing=""),
        quantity if row.get("quantity") else None,
        reader.text(row.get("unit"), "unit", missing=""),
    )


def _when(text: str | None, reader: Reader) -> tuple[Month, int]:
    """A day, or a month as a whole."""
    try:
        return Month.parse(text or ""), WHOLE_MONTH
    except ValueError:
        day = reader.day(text, "day")
        return Month(day.year, day.month), day.day

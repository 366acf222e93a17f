"""The statement as CSV: rows that add up, and no text that a spreadsheet would compute."""

import csv
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given

from app.core.chargeback.statement import Part, Statement, canonical
from app.core.money import ZERO, usd
from app.core.report.statement.spreadsheet import COLUMNS, table
from tests.core import paper_samples as samples
from tests.core.report_samples import dollars
from tests.core.test_report import golden
from tests.core.test_statement_issue import kept


def rows_of(of: Statement) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table(samples.paper(of)), newline="")))


def test_the_csv_reads_as_agreed() -> None:
    text = table(samples.paper())
    assert text.replace("\r\n", "\n") == golden("statement", text.replace("\r\n", "\n"), "csv")


@given(samples.any_statement())
def test_both_columns_add_up_to_the_total(of: Statement) -> None:
    rows = rows_of(of)
    assert sum(int(row["amount_nano_usd"]) for row in rows) == of.total
    assert sum(Decimal(row["amount_usd"]) for row in rows) == usd(of.total)
    assert sum(int(row["cents"] or 0) for row in rows) == of.total_cents
    assert sum(int(row["covered_nano_usd"] or 0) for row in rows if row["row"] == "line") == of.covered


@given(samples.any_statement())
def test_each_line_has_its_cents_once(of: Statement) -> None:
    rows = [row for row in rows_of(of) if row["row"] == "line"]
    assert [int(row["cents"]) for row in rows if row["cents"]] == [line.cents for line in of.lines]
    for number, line in enumerate(of.lines, 1):
        own = [row for row in rows if row["line"] == str(number)]
        assert sum(int(row["amount_nano_usd"]) for row in own) == line.amount
        assert [row["part"] for row in own] == [str(part) for part in range(1, len(own) + 1)]


def test_a_row_says_all_that_identifies_it() -> None:
    first, *_, late, dispute = rows_of(samples.statement())
    wanted = {
        "statement": "2026-10-003", "version": "1", "account_id": "4711", "month": "2026-10", "row": "line",
        "cost_center": "payments", "mode": "chargeback", "line": "1", "part": "1", "repository_id": "1296269",
        "repository": "acme/widgets", "pull": "17", "agent": "claude-code", "model": "claude-sonnet-4-5",
        "currency": "USD", "ledger_entries": "12",
    }  # fmt: skip
    assert wanted.items() <= first.items()
    assert (late["month"], late["original_month"], late["line"], late["kind"]) == ("2026-10", "2026-09", "A1", "late")
    assert (dispute["original_month"], dispute["amount_usd"]) == ("2026-08", "-12.340000000")


@pytest.mark.parametrize("parts", [(), (Part("a", "m", 1, dollars("3")),)])
def test_what_no_part_has_still_counts(parts: tuple[Part, ...]) -> None:
    of = samples.settled(samples.statement(lines=(replace(samples.line(1, "10"), parts=parts),), fees=(), shared=()))
    rows = [row for row in rows_of(of) if row["row"] == "line"]
    assert sum(int(row["amount_nano_usd"]) for row in rows) == dollars("10")
    assert len(rows) == len(parts) + 1


def test_a_statement_of_nothing_is_a_head() -> None:
    nothing = samples.statement(lines=(), fees=(), shared=(), adjustments=(), distributed=ZERO)
    assert rows_of(nothing) == []
    assert table(samples.paper(nothing)).strip().split(",") == list(COLUMNS)


@given(kept)
@example('=HYPERLINK("https://evil.example";"x")')
@example("  +1+cmd|' /C calc'!A0")
@example("@SUM(1)")
@example("-2+3")
@example("\t=1")
@example('a","b\r\n=1,2')
@example("＝1+1")
def test_no_text_is_a_formula(text: str) -> None:
    of = samples.hostile_statement(text)
    rows = rows_of(of)
    assert len(rows) == 8
    for row in rows:
        assert row.keys() == set(COLUMNS)
        for name, value in row.items():
            if name not in {"amount_nano_usd", "amount_usd", "cents", "covered_nano_usd", "covered_usd"}:
                assert value.lstrip()[:1] not in {"=", "+", "@", "＝", "＋", "－", "＠", "|", "%"}, (name, value)
                assert not value.lstrip().startswith("-") or value.lstrip("-").replace(".", "").isdigit()
    assert sum(int(row["cents"] or 0) for row in rows) == of.total_cents


def test_the_document_tells_every_column() -> None:
    text = (Path(__file__).parents[2] / "docs" / "chargeback.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text.partition("### The CSV")[2].partition("\n#")[0], re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(COLUMNS)


def test_the_document_tells_every_field_of_the_json() -> None:
    text = (Path(__file__).parents[2] / "docs" / "chargeback.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(\w+)`", text.partition("### The JSON")[2].partition("\n#")[0]))
    assert named(json.loads(canonical(samples.statement()))) == told


def named(tree: object) -> set[str]:
    """Every key below, those of a month alone left out."""
    if isinstance(tree, dict):
        own = set() if tree.keys() == {"number", "year"} else set(tree)
        return own.union(*map(named, tree.values()))
    return set().union(*map(named, tree)) if isinstance(tree, list) else set()

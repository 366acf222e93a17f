"""A journal balances whatever it books, says where each line is from, and can be read by what imports it."""

import csv
import os
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chargeback.journal import Journal, JournalKind, accrual, csv_of, read, reversal, written
from app.core.chargeback.shared_costs import paper
from app.core.chargeback.statement import Kind, Statement
from app.core.chargeback.terms import Chargeback, CostCenter, JournalTerms
from app.core.money import NanoUsd
from app.core.month import Month
from tests.core.statement_samples import (
    MONTHS_STATEMENTS,
    OCTOBER,
    SEPTEMBER,
    adjustment,
    fee,
    line,
    shared,
    statement,
    usd,
)

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
AUGUST = Month(2026, 8)
TERMS = Chargeback(
    centers={
        "api": CostCenter("api", "API", account="6400-10", project="P-17"),
        "team-001": CostCenter("team-001", "One", account="6400-01"),
        "web": CostCenter("web", "Web"),
    }
)
API = statement(
    "api",
    lines=[line(usd("412.17")), line(NanoUsd(3_333_333_333), 2), line(usd("9.99"), 0, "unattributed")],
    fees=[fee(usd("125.00"))],
    shares=[shared(usd("33.33"))],
    adjustments=[
        adjustment(usd("12.34"), SEPTEMBER, Kind.LATE),
        adjustment(NanoUsd(-usd("2.34")), SEPTEMBER, Kind.DISPUTE),
        adjustment(NanoUsd(-usd("50.00")), AUGUST, Kind.INVOICE),
    ],
    number="2026-10-001",
)
WEB = statement("web", lines=[line(NanoUsd(-usd("7.00")))], number="2026-10-002")
IDLE = statement("idle", number="2026-10-003")


def journal_of(*statements: Statement, terms: Chargeback = TERMS, number: str = "J-2026-10-1") -> Journal:
    return accrual(number, [(each, f"sha of {each.number}") for each in paper(statements)], terms)


JOURNAL = journal_of(API, WEB, IDLE)


def told(journal: Journal) -> list[tuple[str, str, str, int, int]]:
    return [(str(each.period), each.account, each.cost_center, each.debit, each.credit) for each in journal.lines]


def test_a_statement_is_booked_by_kind_and_by_month() -> None:
    assert told(JOURNAL) == [
        ("2026-10", "6400-10", "api", 42549, 0),
        ("2026-10", "6400-10", "api", 12500, 0),
        ("2026-10", "6400-10", "api", 3333, 0),
        ("2026-08", "6400-10", "api", 0, 5000),
        ("2026-09", "6400-10", "api", 1000, 0),
        ("2026-10", "AI-CLEARING", "", 0, 58382),
        ("2026-08", "AI-CLEARING", "", 5000, 0),
        ("2026-09", "AI-CLEARING", "", 0, 1000),
        ("2026-10", "AI-EXPENSE", "web", 0, 700),
        ("2026-10", "AI-CLEARING", "", 700, 0),
    ]
    assert {each.project for each in JOURNAL.lines if each.cost_center == "api"} == {"P-17"}
    assert [each.reference for each in JOURNAL.lines] == ["2026-10-001 v1"] * 8 + ["2026-10-002 v1"] * 2


def test_a_statement_of_nothing_is_booked_without_a_line() -> None:
    assert [each.cost_center for each in JOURNAL.statements] == ["api", "web", "idle"]


def test_what_a_subscription_covers_is_never_booked() -> None:
    covered = statement(lines=[line(usd("1.00"), covered=usd("400.00"))])
    assert journal_of(covered).total_cents == 100


def test_a_reversal_swaps_the_sides_and_names_what_it_undoes() -> None:
    undone = reversal("J-2026-10-2", JOURNAL, "the wrong account")
    assert (undone.kind, undone.reverses, undone.reason) == (JournalKind.REVERSAL, "J-2026-10-1", "the wrong account")
    assert [(each.credit, each.debit) for each in undone.lines] == [(each.debit, each.credit) for each in JOURNAL.lines]
    assert all(each.text.startswith("Reversal of J-2026-10-1: AI agents") for each in undone.lines)
    assert (undone.statements, undone.month, undone.currency) == (JOURNAL.statements, JOURNAL.month, JOURNAL.currency)


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        ([replace(API, chargeback=False)], "is showback"),
        ([replace(API, total_cents=1)], "is 1 cents, its parts 0"),
        ([API, replace(WEB, month=SEPTEMBER)], "one account, month and currency, not 2"),
        ([API, replace(WEB, currency="EUR")], "one account, month and currency, not 2"),
        ([API, replace(WEB, account_id=2)], "one account, month and currency, not 2"),
        ([], "not 0"),
    ],
)
def test_what_is_no_batch_is_refused(statements: list[Statement], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        accrual("J-1", [(each, "") for each in statements], TERMS)


def test_a_reversal_is_not_reversed() -> None:
    with pytest.raises(ValueError, match="posted again"):
        reversal("J-3", reversal("J-2", JOURNAL, ""), "")


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="this version reads 1"):
        read(written(JOURNAL).replace(b'"format":1', b'"format":2'))


# ---- laws ------------------------------------------------------------------------------------------------------------


def batch(statements: list[Statement]) -> Journal:
    return journal_of(
        replace(statement("always"), number="2026-10-999"), *(replace(e, chargeback=True) for e in statements)
    )


@given(MONTHS_STATEMENTS, st.booleans())
def test_any_mix_of_statements_balances(statements: list[Statement], reversed_too: bool) -> None:
    journal = batch(statements)
    for each in (journal, reversal("J-2", journal, "")) if reversed_too else (journal,):
        by_statement, by_period = Counter[str](), Counter[Month]()
        for entry in each.lines:
            assert (entry.debit > 0) != (entry.credit > 0)
            assert min(entry.debit, entry.credit) == 0
            by_statement[entry.reference] += entry.debit - entry.credit
            by_period[entry.period] += entry.debit - entry.credit
        assert sum(entry.credit for entry in each.lines) == each.total_cents
        assert not any(by_statement.values())
        assert not any(by_period.values())


@given(MONTHS_STATEMENTS)
def test_each_cost_center_is_debited_what_its_statement_totals(statements: list[Statement]) -> None:
    journal, booked = batch(statements), Counter[str]()
    for entry in journal.lines:
        booked[entry.cost_center] += entry.debit - entry.credit
    for each in paper([*statements, statement("always", number="2026-10-999")]):
        assert booked[each.cost_center] == each.total_cents


@given(MONTHS_STATEMENTS)
def test_a_journal_is_read_as_it_was_written(statements: list[Statement]) -> None:
    journal = batch(statements)
    assert read(written(journal)) == journal
    assert written(read(written(journal))) == written(journal)
    assert csv_of(read(written(journal))) == csv_of(journal)


@given(MONTHS_STATEMENTS, st.randoms(use_true_random=False))
def test_the_order_of_statements_changes_no_byte(statements: list[Statement], chance: object) -> None:
    mixed = list(statements)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert csv_of(batch(mixed)) == csv_of(batch(statements))


# ---- CSV -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("journal", JournalTerms()),
        (
            "journal-de",
            JournalTerms(
                columns=(
                    ("Konto", "account"), ("Kostenstelle", "cost_center_label"), ("Soll", "debit"), ("Haben", "credit"),
                    ("Betrag", "amount"), ("", "empty"), ("Beleg", "reference"), ("=Text", "text"),
                ),
                delimiter=";",
                decimal=",",
            ),
        ),
    ],
)  # fmt: skip
def test_the_csv_is_what_people_agreed_to(name: str, terms: JournalTerms) -> None:
    """Written anew with GOLDEN=write."""
    shown = csv_of(journal_of(API, WEB, IDLE, terms=replace(TERMS, journal=terms)))
    file = GOLDEN / f"{name}.csv"
    if os.environ.get("GOLDEN") == "write":
        file.write_bytes(shown)
    assert shown == file.read_bytes()


def amounts(rows: list[dict[str, str]], column: str, decimal: str) -> Decimal:
    return sum((Decimal(row[column].replace(decimal, ".")) for row in rows if row[column]), Decimal(0))


@given(MONTHS_STATEMENTS, st.sampled_from([",", ";", "\t"]), st.sampled_from([".", ","]))
def test_the_csv_reads_back_and_balances_in_decimals(statements: list[Statement], delimiter: str, decimal: str) -> None:
    terms = JournalTerms(delimiter=delimiter, decimal=decimal)
    journal = batch(statements)
    text = csv_of(replace(journal, terms=terms)).decode()
    rows = list(csv.DictReader(StringIO(text, newline=""), delimiter=delimiter))
    assert len(rows) == len(journal.lines)
    assert amounts(rows, "Debit", decimal) == amounts(rows, "Credit", decimal) == Decimal(journal.total_cents) / 100
    assert text.count("\r\n") == text.count("\n") == len(rows) + 1


HOSTILE = [
    '=HYPERLINK("http://x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r\n=1",
    "\u200b=1",
    ' =1;"x",y',
    'Te"am, one; two',
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_name_becomes_a_formula_another_cell_or_another_line(name: str, delimiter: str) -> None:
    terms = replace(
        TERMS, journal=JournalTerms(columns=(("A", "cost_center"), ("B", "text"), ("C", "line")), delimiter=delimiter)
    )
    shown = csv_of(journal_of(replace(statement(name, [line(usd("1.00"))]), label=name), terms=terms)).decode()
    rows = list(csv.reader(StringIO(shown, newline=""), delimiter=delimiter))
    assert [len(row) for row in rows] == [3, 3, 3]
    assert not rows[1][0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert rows[1][0].lstrip("'") in " ".join(name.replace("\u200b", "").split())


def test_a_negative_amount_stays_a_number() -> None:
    terms = replace(TERMS, journal=JournalTerms(columns=(("Amount", "amount"),)))
    assert csv_of(journal_of(WEB, terms=terms)) == b"Amount\r\n-7.00\r\n7.00\r\n"


def test_a_journal_is_dated_on_the_last_day_of_its_month() -> None:
    dates = JournalTerms(columns=(("Date", "date"),))
    february = replace(WEB, month=Month(2028, 2))
    assert csv_of(journal_of(february, terms=replace(TERMS, journal=dates))).split() == [b"Date", *[b"2028-02-29"] * 2]
    assert JOURNAL.month == OCTOBER

"""A year of closes as FOCUS files: each month states what its statements do, and the validator reads all of it."""

import random
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from app.core.chargeback.statement import Statement
from app.core.month import Month
from app.core.period import Period
from app.store.statements import document_of, newest_statements
from app.stories.measure import metrics_of
from app.stories.reprice import reprice
from tests.focus.table import rows_of
from tests.focus.test_validator import CONDITIONS, NEVER_INVOICED, PARENTS, RESULT, report_of
from tests.stories.stage import Stage
from tests.stories.test_export_story import NANO, exported, per_merged_pr
from tests.stories.test_year_story import MONTHS, REPOSITORIES, Year

Sums = dict[str, int]


def by_center(place: Path) -> Sums:
    """What each cost center is charged by a month's file."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows_of(place, "parquet"):
        found[row["x_CostCenter"]] += row["ContractedCost"]
    return {name: int(amount * NANO) for name, amount in found.items() if amount}


def stated(statement: Statement) -> int:
    """The same by its statement, before anything is shared out."""
    parts = statement.lines, statement.fees, statement.adjustments
    return sum(sum(part.amount for part in each) for each in parts)


def played(stage: Stage, account: int, then: Path) -> dict[Month, Sums]:
    """What cost centers are charged in each month, by its file as it was right after the close."""
    year = Year(stage, account, random.Random(2026))
    months: dict[Month, Sums] = {}
    for number in range(1, MONTHS + 1):
        month = year.month(number)
        statements = year.close(month)
        months[month] = by_center(exported(stage, account, month, then))
        year.tell_late()
        if number == 8:
            reprice(stage.world, account, datetime(2026, 1, 1, tzinfo=UTC))
            stage.settle()
        year.answer(statements)
    return months


@pytest.mark.optional("FOCUS validator")
def test_a_year_of_closed_months(stage: Stage, tmp_path: Path) -> None:
    stage.gh.set_time(datetime(2026, 1, 3, 9, tzinfo=UTC))
    account = stage.install(*REPOSITORIES)
    for month, then in played(stage, account, tmp_path / "then").items():
        with stage.world.db.reading() as session:
            statements = [document_of(row) for row in newest_statements(session, account, month)]
        expected = {each.cost_center: stated(each) for each in statements if stated(each)}
        now = by_center(exported(stage, account, month, tmp_path / "now", focus="1.2"))
        assert then == now == expected, month
        ours = metrics_of(stage.world, account, Period.of(month)).cost
        assert per_merged_pr(exported(stage, account, month, tmp_path / "metrics"))[2] == ours.survived
    files = f"{tmp_path}/now/*/focus-1.2/*/cost-and-usage.parquet"
    whole = tmp_path / "year.parquet"
    duckdb.connect().sql(f"COPY (SELECT * FROM '{files}') TO '{whole}'")
    rows, ids = duckdb.connect().sql(f"SELECT COUNT(*), COUNT(DISTINCT x_SourceRecordId) FROM '{whole}'").fetchall()[0]
    assert rows == ids > 200
    assert set(RESULT.findall(report_of(whole, "1.2", tmp_path))) == CONDITIONS.keys() | PARENTS | NEVER_INVOICED

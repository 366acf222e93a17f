"""Deliveries as files: both formats say the same, and nobody ever reads half of one."""

import json
from decimal import Decimal
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.focus.columns import Kind, Version, columns_of
from app.core.focus.spread import Stated
from app.core.usage import Tokens
from app.export.files import DeliveryError, Format, opened
from app.export.tables import Tables
from tests.focus.conftest import Folder
from tests.focus.sample import OCTOBER, Sample, at, booked, call, delivered, pull, run, summed, view, write_to
from tests.focus.table import rows_of

VERSIONS = [each.value for each in Version]


def as_text(name: str, value: Any) -> str | None:
    """A value of Parquet as CSV has it."""
    if isinstance(value, Decimal):
        text = f"{value:f}".rstrip("0")
        return text + "0" if text.endswith(".") else text
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return str(value).lower() if isinstance(value, bool) else value


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["cost-and-usage", "pulls", "unpriced"])
def test_both_formats_say_the_same(folder: Folder, version: str, name: str) -> None:
    plain = rows_of(folder(version, "csv", "invoiced"), "csv", name)
    typed = rows_of(folder(version, "parquet", "invoiced"), "parquet", name)
    assert plain
    assert plain == [{key: as_text(key, value) for key, value in row.items()} for row in typed]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_column_of_the_version_is_there_and_numbers_are_decimals(folder: Folder, version: str) -> None:
    row = rows_of(folder(version, "parquet", "estimated"), "parquet")[0]
    columns = columns_of(Version(version))
    assert list(row) == [column.name for column in columns]
    assert {name for name, value in row.items() if isinstance(value, Decimal)} <= {
        column.name for column in columns if column.kind is Kind.NUMBER
    }
    assert len([column for column in columns if not column.own]) == {"1.2": 57, "1.3": 65, "1.4": 65}[version]


def test_the_description_names_every_file_with_its_hash_and_rows(folder: Folder) -> None:
    place = folder("1.4", "parquet", "invoiced")
    told = json.loads((place / "metadata.json").read_text())
    files = told["x_Delivery"]["Files"]
    assert {path.name for path in place.iterdir()} == {*files, "metadata.json"}
    assert set(files) == {
        f"{name}.parquet" for name in ("cost-and-usage", "unpriced", "pulls", "billing-period", "invoice-detail")
    }
    for name, about in files.items():
        assert sha256((place / name).read_bytes()).hexdigest() == about["SHA256"]
        assert len(rows_of(place, "parquet", name.partition(".")[0])) == about["Rows"]
    named = {column["ColumnName"] for column in told["Schema"][0]["ColumnDefinition"]}
    assert named == set(rows_of(place, "parquet")[0])


def test_the_same_month_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = (delivered(tmp_path / name, view()) for name in ("one", "other"))
    assert {path.name: path.read_bytes() for path in one.iterdir()} == {
        path.name: path.read_bytes() for path in other.iterdir()
    }


def test_a_delivery_replaces_the_one_before_in_whatever_format(tmp_path: Path) -> None:
    place = delivered(tmp_path, view(), "csv", invoiced=True)
    (place / "notes.txt").write_text("not ours")
    assert delivered(tmp_path, view(), "parquet") == place
    assert {path.name for path in place.iterdir()} == {
        "cost-and-usage.parquet", "unpriced.parquet", "pulls.parquet", "billing-period.parquet", "metadata.json",
        "notes.txt",
    }  # fmt: skip


def test_what_is_told_in_another_way_stands_in_a_folder_of_its_own(folder: Folder) -> None:
    names = [folder(version, "parquet", way).parent.name for version, way in (("1.4", "shown"), ("1.3", "native"))]
    assert names == ["focus-1.4-estimates-as-billed", "focus-1.3-native-currency"]
    assert folder("1.4", "parquet", "split").parent.name == "focus-1.4-split"


def test_a_delivery_that_breaks_off_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = delivered(tmp_path, view(), "parquet")
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    monkeypatch.setattr("tests.focus.sample.Sample.pulls", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        delivered(tmp_path, view(), "parquet")
    assert {path.name: path.read_bytes() for path in place.iterdir() if path.suffix != ".part"} == before
    monkeypatch.undo()
    delivered(tmp_path, view(), "parquet")
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_a_url_of_another_file_system_gets_the_same_bytes(folder: Folder) -> None:
    local = folder("1.4", "parquet", "estimated")
    url = f"memory://bucket/{uuid4().hex}"
    write_to(url, view())
    memory = fsspec.filesystem("memory")
    found = {path.rpartition("/")[2]: memory.cat(path) for path in memory.find(url)}
    assert found == {path.name: path.read_bytes() for path in local.iterdir()}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30))
def test_any_text_comes_through_both_formats(tmp_path: Path, text: str) -> None:
    """Names of workflows, teams and models come from outside."""
    hostile = run(1, team=text, workflow=text, cost_center=text)
    used = summed([call("anthropic", "claude-sonnet-4-5", at(1), Tokens(7))])
    for kind in Format:
        sample = Sample(view())
        sample.builder.add(Stated(hostile, OCTOBER, {pull(1): booked(used)}), used)
        batch, _ = sample.builder.take()
        tables = Tables(view(), sample.builder.catalogue.items, [], view().columns)
        delivery = opened(str(tmp_path), "x", kind)
        with delivery.dataset("cost-and-usage", tables.schema) as file:
            file.write(len(batch), partial(tables.metered, batch))
        delivery.finish({})
        (row,) = rows_of(tmp_path / "x", kind.value)
        assert [row[name] for name in ("x_TeamName", "x_WorkflowName", "x_CostCenter")] == [text] * 3
        assert json.loads(row["Tags"])["team"] == text


@pytest.mark.parametrize("url", ["nowhere://bucket/x", "/proc/none/x"])
def test_where_nothing_can_be_written_is_said(url: str) -> None:
    with pytest.raises(DeliveryError, match="Nothing can be written to"):
        opened(url, "a/b", Format.CSV)

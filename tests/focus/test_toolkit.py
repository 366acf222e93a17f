"""FOCUS 1.4, for which there is no official validator yet: the lint of focus-data-toolkit."""

from pathlib import Path

import pytest
from focus_data_toolkit.cli import main

from tests.focus.conftest import Folder

DATASETS = ("cost-and-usage", "billing-period", "invoice-detail")


@pytest.mark.parametrize("way", ["estimated", "invoiced", "split"])
def test_every_dataset_is_well_formed(folder: Folder, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder("1.4", "csv", way)
    there = [name for name in DATASETS if (place / f"{name}.csv").exists()]
    assert len(there) == (3 if way == "invoiced" else 2)
    for name in there:
        assert main(["validate", str(place / f"{name}.csv"), "--dataset", name]) == 0, capsys.readouterr().out
    assert "STRUCTURAL_VALID, SEMANTIC_VALID" in capsys.readouterr().out


def test_the_datasets_agree_with_each_other(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder("1.4", "csv", "invoiced")
    files = [word for name in DATASETS for word in (f"--{name}", str(place / f"{name}.csv"))]
    code = main(["validate-bundle", *files])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "error=" not in said


def test_the_lint_finds_what_is_wrong(folder: Folder, tmp_path: Path) -> None:
    text = (folder("1.4", "csv", "estimated") / "cost-and-usage.csv").read_text()
    (tmp_path / "wrong.csv").write_text(text.replace("2026-10-01T00:00:00Z", "2026-10-01"))
    assert main(["validate", str(tmp_path / "wrong.csv"), "--dataset", "cost-and-usage"]) != 0

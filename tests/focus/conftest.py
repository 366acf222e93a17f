"""Files of the sample month, written once for each way of telling it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.focus.sample import SHOWN, delivered, view

WAYS: dict[str, dict[str, Any]] = {
    "estimated": {},
    "invoiced": {"invoiced": True},
    "shown": {"basis": SHOWN},
    "split": {"splits": True},
    "native": {"native": True},
}
Folder = Callable[[str, str, str], Path]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The folder of a delivery of the sample, by version, format and way."""
    known: dict[tuple[str, str, str], Path] = {}

    def made(version: str, kind: str, way: str) -> Path:
        key = version, kind, way
        if key not in known:
            options = dict(WAYS[way])
            invoiced = options.pop("invoiced", False)
            known[key] = delivered(tmp_path_factory.mktemp("focus"), view(version, **options), kind, invoiced)
        return known[key]

    return made

"""Lets tests import the Action's modules as its own program does: from the folder that main.py lies in."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sandbox import Sandbox
from tests.action.logs import ACTION
from tests.action.packages import python
from tests.openapi.contract import Observer

sys.path.insert(0, str(ACTION))


@pytest.fixture
def packages() -> Path:
    """A Python with the locked packages of the standalone mode."""
    return python()


@pytest.fixture
def gh() -> Iterator[Sandbox]:
    """A GitHub on loopback; every exchange is held against GitHub's description. PyGithub names no version."""
    observer = Observer(None)
    with Sandbox(observer=observer) as sandbox:
        yield sandbox
    observer.check()

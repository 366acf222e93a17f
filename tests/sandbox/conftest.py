"""A watched sandbox with an organisation, a repository, the App installed and one open pull."""

from collections.abc import Iterator

import pytest

from app.sandbox import Sandbox
from tests.openapi import contract
from tests.sandbox.caller import Caller
from tests.sandbox.listener import Listener, listening

WORKFLOW = ".github/workflows/agent.yml"


@pytest.fixture
def gh() -> Iterator[Sandbox]:
    with contract.watched() as sandbox:
        yield sandbox


@pytest.fixture
def app(gh: Sandbox) -> Caller:
    """The App on acme, with acme/shop and pull 1 open there from branch `feature`."""
    registered = gh.register_app()
    gh.create_account("acme")
    gh.create_repository("acme/shop", files={WORKFLOW: "on: pull_request\n", "a.py": "one\n"})
    installed = gh.install("acme")
    gh.open_pull("acme/shop", "feature", title="Add b", files={"b.py": "1\n2\n"})
    caller = Caller(gh, registered, installed)
    assert caller.renew().status == 201
    return caller


@pytest.fixture
def hooks(gh: Sandbox) -> Iterator[Listener]:
    with listening() as listener:
        yield listener
        gh.drain()

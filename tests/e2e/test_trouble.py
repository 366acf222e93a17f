"""GitHub has limits, outages and lost answers: in the end there is one comment and one check, and nothing is dead."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.stage import Organisation, Stage

TROUBLE: dict[str, dict[str, Any]] = {
    "a primary limit": {"kind": "primary", "times": 1, "retry_after_s": 2},
    "a secondary limit": {"kind": "secondary", "times": 2, "retry_after_s": 1},
    "a secondary limit as 429": {"kind": "secondary", "times": 2, "retry_after_s": 1, "status": 429},
    "an outage": {"kind": "status", "times": 1, "status": 502},
    "a slow hour": {"kind": "latency", "times": 4, "seconds": 1},
    "a lost request": {"kind": "drop", "times": 1},
    "a lost answer": {"kind": "drop", "times": 1, "after": True},
    "an outage after the effect": {"kind": "status", "times": 1, "status": 500, "after": True},
}
WHERE = {"comment": r"/issues/\d+/comments$", "check": "/check-runs$"}
Troubled = Mapping[tuple[str, str], tuple[Organisation, int]]


@pytest.fixture(scope="module")
def troubled(stage: Stage) -> Troubled:
    """A merged pull with an agent run for every trouble at every place, none of them waited for."""
    started = {}
    for what, fault in TROUBLE.items():
        for where, path in WHERE.items():
            org = stage.organisation(f"{where}-{what.replace(' ', '-')}")
            stage.gh.fail(method="POST", path=f"/repos/{org.repository}{path}", **fault)
            pull = org.open()
            org.agent(pull)
            stage.gh.merge(org.repository, pull)
            started[what, where] = org, pull
    return started


@pytest.mark.parametrize("what", TROUBLE)
@pytest.mark.parametrize("where", WHERE)
def test_trouble_while_writing_ends_in_one_comment_and_one_check(troubled: Troubled, what: str, where: str) -> None:
    org, pull = troubled[what, where]
    org.settle()
    assert org.comment(pull) is not None
    assert org.check(pull) is not None
    assert org.dead() == []

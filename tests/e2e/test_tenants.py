"""Two organisations on one server, through real HTTP: nothing of one is seen, counted or changed by the other."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.stage import PATH, WORKFLOW, Organisation, Stage
from tests.record.reports import CALL_COST, agent_run, call, closing

CONFIG = "summary:\n  repository: finance\n"


@pytest.fixture(scope="module")
def both(stage: Stage) -> tuple[Organisation, Organisation]:
    """Two organisations with the same repository names, branches, sessions and calls; only the amounts differ."""
    made = []
    for name, calls in (("north", 3), ("south", 7)):
        stage.gh.create_account(name)
        stage.gh.create_repository(f"{name}/.github-private", files={"mergemeter.yml": CONFIG})
        stage.gh.create_repository(f"{name}/finance")
        org = stage.organisation(name, {PATH: WORKFLOW})
        pull = org.open("same", title=f"A title of {name} alone")
        run = stage.gh.start_workflow_run(org.repository, pull=pull, path=PATH)
        body = closing(agent_run("same-session", [call(f"same-call-{n}") for n in range(calls)]))
        body["tags"]["team"] = f"team-of-{name}"
        answer = stage.record(run, body)
        assert answer.status == 201
        assert answer.content["agent_runs"][0]["calls_counted_elsewhere"] == 0
        stage.gh.merge(org.repository, pull, "squash")
        made.append(org)
    for org in made:
        org.settle()
    stage.server.command("summary", f"{datetime.now(UTC):%Y-%m}", "--account", "north")
    stage.server.command("summary", f"{datetime.now(UTC):%Y-%m}", "--account", "south")
    return made[0], made[1]


def said(org: Organisation) -> str:
    """Everything that the App wrote for an organisation."""
    check, comment = org.check(1), org.comment(1)
    assert check is not None
    assert comment is not None
    (issue,) = org.stage.gh.issues(f"{org.name}/finance")
    notes = [note["message"] for note in check["annotations"]]
    return "\n".join([comment, check["output"]["title"], check["output"]["summary"], issue["body"], *notes])


def test_the_same_calls_count_in_each_organisation_once(both: tuple[Organisation, Organisation]) -> None:
    north, south = both
    assert north.books() == {("usage", 0): -3 * CALL_COST, ("pull", 1): 3 * CALL_COST}
    assert south.books() == {("usage", 0): -7 * CALL_COST, ("pull", 1): 7 * CALL_COST}


def test_what_is_said_to_one_names_nothing_of_the_other(both: tuple[Organisation, Organisation]) -> None:
    north, south = (said(org) for org in both)
    assert "$0.07" in north
    assert "$0.16" in south
    for text, other, amount in ((north, "south", "$0.16"), (south, "north", "$0.07")):
        assert other not in text
        assert amount not in text
        assert "$0.23" not in text


def test_a_record_of_one_changes_no_row_of_the_other(both: tuple[Organisation, Organisation]) -> None:
    north, south = both
    tables = [name for (name,) in north.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND :account > 0")]
    bounded = [name for name in tables if _has_account(north, name)]
    assert len(bounded) > 15

    def everything() -> dict[str, list[Any]]:
        return {
            name: sorted(map(repr, south.rows(f"SELECT * FROM {name} WHERE account_id = :account"))) for name in bounded
        }

    before, writes = everything(), _writes(south)
    pull = north.open("more")
    north.agent(pull, 5)
    north.stage.gh.merge(north.repository, pull)
    north.settle()
    assert everything() == before
    assert _writes(south) == writes


def test_a_token_of_one_cannot_record_for_the_other(both: tuple[Organisation, Organisation], stage: Stage) -> None:
    north, south = both
    run = stage.gh.start_workflow_run(north.repository, pull=1)
    before = south.books()
    claims = {"repository": south.repository, "repository_owner": south.name, "sub": f"repo:{south.repository}:x"}
    assert stage.record(run, closing(agent_run("crossing", 1)), **claims).status == 201
    north.settle()
    south.settle()
    assert south.books() == before


def test_a_delivery_that_names_the_others_repository_does_not_touch_it(
    both: tuple[Organisation, Organisation],
) -> None:
    north, south = both
    gh = north.stage.gh
    before, writes = south.rows("SELECT * FROM pull WHERE account_id = :account"), _writes(south)
    theirs = gh.pull(south.repository, 1)
    gh.announce(north.repository, 1, "closed", {"base": theirs["base"], "head": theirs["head"], "merged": True})
    north.settle()
    south.settle()
    assert south.rows("SELECT * FROM pull WHERE account_id = :account") == before
    assert _writes(south) == writes


def _has_account(org: Organisation, table: str) -> bool:
    columns = org.rows(f"SELECT name FROM pragma_table_info('{table}') WHERE :account > 0")
    return ("account_id",) in columns


def _writes(org: Organisation) -> list[Any]:
    return [one for one in org.stage.gh.writes() if f"/{org.name}/" in one[1]]

"""The answer to a dispute: the next version, and a transfer in the month that is open."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from app.stories.decide_statement import dispute_here
from app.stories.resolve_dispute import NotResolvedError, Won, resolve
from tests.core.statement_samples import usd
from tests.stories.issued import NUMBER, events, say, state
from tests.stories.stage import Stage
from tests.stories.test_decide_statement_story import prepared


def test_a_dispute_is_resolved_by_the_next_version_and_a_transfer_in_the_open_month(stage: Stage) -> None:
    account_id = prepared(stage)
    say(stage, "/mergemeter dispute pull 12 is platform's")
    won = [Won("payments", "platform", usd("12.34"))]
    resolved = resolve(stage.world, account_id, NUMBER, "agreed", won, "root")
    assert state(stage, version=1) == "v1 replaced"
    assert state(stage) == "v2 issued"
    told = "cost_center, amount_nano_usd, original_month, kind, reason, transfer"
    rows = stage.rows(f"SELECT {told} FROM adjustment ORDER BY cost_center")
    assert [tuple(row[:5]) for row in rows] == [
        ("payments", -usd("12.34"), 202610, "dispute", "dispute: pull 12 is platform's"),
        ("platform", usd("12.34"), 202610, "dispute", "dispute: pull 12 is platform's"),
    ]
    assert len({row[5] for row in rows}) == 1
    assert stage.rows("SELECT DISTINCT evidence FROM adjustment")[0][0].startswith(f"statement {NUMBER} v1")
    links = stage.rows("SELECT link, sha256, previous_sha256 FROM statement ORDER BY link")
    assert [row[0] for row in links] == [1, 2]
    assert links[1][2] == links[0][1]
    assert resolved.row.total_nano_usd == stage.rows("SELECT total_nano_usd FROM statement WHERE version = 1")[0][0]
    assert [(each[0], each[1], each[5]) for each in events(stage)][1:] == [(1, "resolved", "agreed")]


def test_what_is_not_disputed_cannot_be_resolved_and_a_refusal_changes_nothing(stage: Stage) -> None:
    account_id = prepared(stage)
    with pytest.raises(NotResolvedError, match="not disputed"):
        resolve(stage.world, account_id, NUMBER, "so", [], "root")
    with pytest.raises(NotResolvedError, match="no statement"):
        resolve(stage.world, account_id, "2026-10-009", "so", [], "root")
    dispute_here(stage.world, account_id, NUMBER, "root", "why")
    for giver, taker in (("payments", "nowhere"), ("platform", "lost"), ("payments", "payments")):
        with pytest.raises(NotResolvedError):
            resolve(stage.world, account_id, NUMBER, "so", [Won(giver, taker, usd("1"))], "root")
    assert (state(stage), stage.rows("SELECT COUNT(*) FROM adjustment")) == ("v1 disputed", [(0,)])


def test_two_who_resolve_at_once_issue_one_version(stage: Stage) -> None:
    account_id = prepared(stage)
    dispute_here(stage.world, account_id, NUMBER, "root", "why")
    won = [Won("payments", "platform", usd("1"))]

    def answer(text: str) -> bool:
        with suppress(NotResolvedError):
            resolve(stage.world, account_id, NUMBER, text, won, "root")
            return True
        return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(answer, ["one", "two"])) == [False, True]
    assert (state(stage), stage.rows("SELECT COUNT(*) FROM adjustment")) == ("v2 issued", [(2,)])

"""The API's answers link down from a month to the price of a call, and the parts sum to what is above them."""

from typing import Any

import pytest

from app.core.definitions import DEFINITIONS
from app.core.shares import Dimension
from tests.api.conftest import Scene
from tests.api.reader import Reader, nano
from tests.stories.stage import CALL_NANO_USD

OCTOBER = "/v1/months/2026-10"


def parts(told: dict[str, Any]) -> int:
    return sum(nano(part) for part in told["parts"].values())


def test_each_step_of_the_walk_sums_to_the_one_above(scene: Scene) -> None:
    reader = scene.reader
    for month, calls in (("2026-10", 11), ("2026-11", 1)):
        told = reader.get(f"/v1/months/{month}")
        assert nano(told["figures"]["spend"]) == calls * CALL_NANO_USD
        assert sum(nano(each["figures"]["spend"]) for each in told["repositories"]) == calls * CALL_NANO_USD
        assert parts(told) == calls * CALL_NANO_USD
        for each in told["repositories"]:
            assert parts(each) == nano(each["figures"]["spend"])
            _check_repository(reader, each, month)


def _check_repository(reader: Reader, each: dict[str, Any], month: str) -> None:
    pulls = list(reader.pages(each["_links"]["pulls"]["href"], "pulls"))
    assert sum(nano(pull["in_month"]) for pull in pulls) == nano(each["parts"]["pulls"])
    loose = list(reader.pages(each["_links"]["without_pull"]["href"], "agent_runs"))
    for book in ("unattributed", "abandoned", "overhead"):
        assert sum(nano(run[book]) for run in loose) == nano(each["parts"][book])
    for pull in pulls:
        _check_pull(reader, pull, month)
    for run in loose:
        _check_run(reader, run["agent_run"])


def _check_pull(reader: Reader, listed: dict[str, Any], month: str) -> None:
    pull = reader.follow(listed["_links"]["self"])
    assert pull["cost"] == listed["cost"]
    assert nano(listed["in_month"]) == sum(nano(each["cost"]) for each in pull["by_month"] if each["month"] == month)
    assert nano(pull["cost"]) == sum(nano(each["cost"]) for each in pull["by_month"])
    runs = list(reader.pages(listed["_links"]["self"]["href"] + "?limit=1", "agent_runs"))
    assert runs == pull["agent_runs"]
    assert nano(pull["cost"]) == sum(nano(each["share"]) for each in runs)
    for each in runs:
        assert each["evidence"]["level"] == "E1"
        assert (each["evidence"]["label"], each["evidence"]["note"]) == ("direct", "the signed token names the pull")
        _check_run(reader, each["agent_run"])


def _check_run(reader: Reader, listed: dict[str, Any]) -> None:
    run = reader.follow(listed["_links"]["self"])
    assert run["cost"] == listed["cost"]
    assert nano(run["cost"]) == sum(nano(each["cost"]) for each in run["places"])
    calls = list(reader.pages(listed["_links"]["calls"]["href"] + "?limit=2", "calls"))
    assert nano(run["cost"]) == sum(nano(call["cost"]) for call in calls)
    assert len(calls) == run["completeness"]["model_calls"]
    for call in calls:
        if call["cost"] is not None:
            assert nano(call["cost"]) == sum(nano(charge["amount"]) for charge in call["arithmetic"]["charges"])


def test_a_call_tells_its_tokens_unit_prices_and_charges(sqlite_scene: Scene) -> None:
    reader = sqlite_scene.reader
    pulls = reader.get(f"/v1/repositories/{_widgets(reader)}/pulls?month=2026-10")["pulls"]
    run = reader.follow(pulls[0]["_links"]["self"])["agent_runs"][0]["agent_run"]
    call = reader.follow(run["_links"]["calls"])["calls"][0]
    assert call["tokens"] == {
        "input": 1_000, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "cache_write_other": 0,
        "output": 1_300, "reasoning": 0,
    }  # fmt: skip
    assert call["cost"] == {"nano_usd": 22_500_000, "usd": "0.022500000"}
    assert call["list_cost"] == call["cost"]
    assert call["arithmetic"] == {
        "own_price": False,
        "discount": "0",
        "charges": [
            _charge("input", 1_000, "3000", 3_000_000, "0.003000000"),
            _charge("output", 1_300, "15000", 19_500_000, "0.019500000"),
        ],
    }


def _charge(charge: str, units: int, each: str, amount: int, dollars: str) -> dict[str, Any]:
    money = {"nano_usd": amount, "usd": dollars}
    return {"charge": charge, "units": units, "nano_usd_each": each, "amount": money}


def _widgets(reader: Reader) -> int:
    found = [each for each in reader.get("/v1/repositories")["repositories"] if each["name"] == "acme/widgets"]
    return int(found[0]["id"])


def test_what_has_no_price_is_null_and_counted(sqlite_scene: Scene) -> None:
    reader = sqlite_scene.reader
    (pull,) = [
        p for p in reader.pages(f"/v1/repositories/{_widgets(reader)}/pulls?month=2026-10", "pulls") if p["number"] == 3
    ]
    told = reader.follow(pull["_links"]["self"])
    (unpriced,) = [each for each in told["agent_runs"] if each["share"] is None]
    assert unpriced["agent_run"]["cost"] is None
    assert unpriced["agent_run"]["completeness"]["unpriced_calls"] == 1
    assert told["completeness"]["complete"] is False
    (call,) = reader.follow(unpriced["agent_run"]["_links"]["calls"])["calls"]
    assert (call["cost"], call["arithmetic"]) == (None, None)
    assert call["without_arithmetic"] == "Neither the price list nor an own price knew this model."


def test_pages_are_in_the_order_of_ids_and_lose_nothing(sqlite_scene: Scene) -> None:
    reader = sqlite_scene.reader
    path = f"/v1/repositories/{_widgets(reader)}/pulls?month=2026-10"
    whole = reader.get(path)["pulls"]
    assert [pull["number"] for pull in whole] == [1, 2, 3]
    assert list(reader.pages(f"{path}&limit=1", "pulls")) == whole
    assert list(reader.pages(f"{OCTOBER}?limit=1", "repositories")) == reader.get(OCTOBER)["repositories"]
    assert (
        list(reader.pages("/v1/repositories?limit=1", "repositories")) == reader.get("/v1/repositories")["repositories"]
    )


def test_a_page_of_a_pulls_agent_runs_tells_the_figures_of_the_whole_pull(sqlite_scene: Scene) -> None:
    reader = sqlite_scene.reader
    path = f"/v1/pulls/{_widgets(reader)}/3"
    whole, first = reader.get(path), reader.get(f"{path}?limit=1")
    assert (len(whole["agent_runs"]), whole["next"], whole["_links"]["next"]) == (3, None, None)
    ids = [each["agent_run"]["id"] for each in whole["agent_runs"]]
    assert ids == sorted(ids)
    assert (first["agent_runs"], first["next"]) == (whole["agent_runs"][:1], ids[0])
    paged = {"agent_runs", "next", "_links"}
    assert {name: told for name, told in first.items() if name not in paged} == {
        name: told for name, told in whole.items() if name not in paged
    }
    last = reader.get(f"{path}?limit=1&cursor={ids[1]}")
    assert (last["agent_runs"], last["next"]) == (whole["agent_runs"][2:], None)
    assert reader.ask(f"{path}?cursor=7").status == 400
    assert reader.ask(f"{path}?limit=0").status == 400


def test_an_unchanged_answer_is_not_sent_again(sqlite_scene: Scene) -> None:
    reader = sqlite_scene.reader
    for path in (OCTOBER, "/v1/shares.csv?month=2026-10"):
        first = reader.ask(path)
        assert first.headers["cache-control"] == "private, no-cache"
        again = reader.ask(path, If_None_Match=first.headers["etag"])
        assert (again.status, again.content) == (304, {})
        assert reader.ask(path, If_None_Match='"another"').status == 200


@pytest.mark.parametrize("by", Dimension)
def test_the_scopes_of_every_kind_sum_to_the_month(sqlite_scene: Scene, by: str) -> None:
    reader = sqlite_scene.reader
    told = list(reader.pages(f"{OCTOBER}/metrics?by={by}&limit=1", "scopes"))
    assert sum(nano(each["spend"]) for each in told) == 11 * CALL_NANO_USD
    days = reader.pages(f"/v1/periods/2026-10-01/2026-10-31/metrics?by={by}&limit=1", "scopes")
    assert list(days) == told
    for each in told:
        assert nano(each["dead_total"]) == sum(nano(amount) for amount in each["dead"].values())
        assert nano(each["spend"]) == sum(nano(part["cost"]) for part in each["yields"]["classes"].values())


def test_other_days_take_what_was_used_in_them(sqlite_scene: Scene) -> None:
    reader = sqlite_scene.reader
    parts = [
        reader.get(f"/v1/periods/{days}/metrics")["scopes"][0]
        for days in ("2026-10-01/2026-10-05", "2026-10-06/2026-10-31")
    ]
    assert sum(nano(each["spend"]) for each in parts) == 11 * CALL_NANO_USD
    assert reader.get("/v1/periods/2026-01-01/2026-01-01/metrics")["scopes"][0]["merged_pulls"] == 0


@pytest.mark.parametrize(
    "days", ["2026-10-05/2026-10-04", "2026-10-01/2027-10-02", "2026-02-30/2026-03-01", "2026-1/2"]
)
def test_days_that_there_cannot_be_are_not_found(sqlite_scene: Scene, days: str) -> None:
    assert sqlite_scene.reader.ask(f"/v1/periods/{days}/metrics").status == 404


def test_the_trend_ends_with_the_month_and_says_what_the_months_say(sqlite_scene: Scene) -> None:
    reader = sqlite_scene.reader
    trend = reader.follow(reader.get("/v1/months/2026-11")["_links"]["trend"])
    assert [each["month"] for each in trend["months"]] == [f"2026-{month:02}" for month in range(6, 12)]
    for each in trend["months"][-2:]:
        assert each["metrics"] == reader.get(f"/v1/months/{each['month']}/metrics")["scopes"][0]


def test_what_each_metric_means_is_told(sqlite_scene: Scene) -> None:
    told = sqlite_scene.reader.get("/v1/definitions")["definitions"]
    assert [each["id"] for each in told] == [each.id for each in DEFINITIONS]
    assert all(each["formula"] and each["version"] >= 1 for each in told)

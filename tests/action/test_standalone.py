"""The standalone mode's program, with PyGithub, against a GitHub on loopback: what it prices, writes, leaves alone."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from collect import collect
from collect.places import Surroundings
from collect.window import Window
from hypothesis import given, settings
from hypothesis import strategies as st
from standalone import price

from app.core.config import Config
from app.core.costing import costs_of
from app.core.pricing import PriceList
from app.core.reported import read_report
from app.core.tally import tally
from app.sandbox import Sandbox
from tests.action.logs import ACTION, LOGS, home_of, scenarios
from tests.core.rendered import Page, harms
from tests.record.reports import CALL_COST, agent_run, call, closing

SHOP = "acme/shop"
BOT = "github-actions[bot]"
COMMENTS = f"/repos/{SHOP}/issues/1/comments"


@pytest.fixture
def shop(gh: Sandbox) -> Sandbox:
    """acme/shop with pull 1."""
    gh.create_repository(SHOP, files={"a.py": "one\n"})
    gh.open_pull(SHOP, "feature", files={"b.py": "1\n"})
    return gh


def request(gh: Sandbox | None, *agent_runs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What the Action asks of its program, for pull 1."""
    record = closing(*(agent_runs or (agent_run(),)))
    url = gh.url if gh else ""
    return {
        "api_url": url, "repository": SHOP, "repository_id": 7, "workflow": "Agents", "run_id": 77, "run_attempt": 1,
        "run_url": f"{url}/{SHOP}/actions/runs/77", "money": True, "key": 5, "record": record,
        "job": {**record["job"], "pull_number": 1},
        "token": gh.job_token(SHOP, {"pull_requests": "write"}) if gh else "",
        **changes,
    }  # fmt: skip


def answer(python: Path, asked: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [str(python), "-I", str(ACTION / "standalone" / "program.py")],
        input=json.dumps(asked), capture_output=True, text=True, env={}, timeout=60, check=False,
    )  # fmt: skip
    assert asked["token"] not in done.stdout + done.stderr
    assert (done.returncode, done.stderr) == (0, "")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def bodies(gh: Sandbox) -> list[str]:
    return [str(comment["body"]) for comment in gh.comments(SHOP, 1)]


def from_the_samples() -> list[dict[str, Any]]:
    """The agent runs of all sample logs, moved so that the last was just now."""
    found = []
    for scenario in scenarios():
        where = Surroundings([str(home_of(scenario))], {}, str(LOGS / scenario), str(LOGS / scenario / "workspace"))
        runs = [run.as_json() for run in collect(where, Window(), None, 600)[0]]
        found += [{**run, "session": f"{scenario}/{run['session']}"[:128]} for run in runs]
    calls: list[dict[str, Any]] = [one for run in found for one in run["calls"]]  # type: ignore[attr-defined]
    moved = datetime.now(UTC) - max(datetime.fromisoformat(one["at"]) for one in calls)
    for one in calls:
        one["at"] = (datetime.fromisoformat(one["at"]) + moved).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return found


def the_apps(record: dict[str, Any]) -> list[tuple[int, int]]:
    """What the App makes of the agent runs of a record: nano-dollars and unpriced calls."""
    prices = PriceList.load()
    report = read_report(record, datetime.now(UTC))
    sums = [tally(run.calls, costs_of(prices, Config(), run.calls)) for run in report.agent_runs]
    return [(each.cost, each.unpriced_calls) for each in sums]


def test_every_sample_costs_what_the_app_says_to_the_nano_dollar(shop: Sandbox, packages: Path) -> None:
    asked = request(shop, *from_the_samples())
    prices = answer(packages, asked)["prices"]
    theirs = the_apps(asked["record"])
    assert [run["cost_nano_usd"] or 0 for run in prices["agent_runs"]] == [cost for cost, _ in theirs]
    assert prices["cost_nano_usd"] == sum(cost for cost, _ in theirs) > 0
    assert prices["unpriced_calls"] == sum(unpriced for _, unpriced in theirs)


COUNTS = st.integers(0, 3_000_000)
CALLS = st.builds(
    lambda model, ago_d, output, reasoning, rest: call(
        "x", provider=model[0], model=model[1], output_tokens=output + reasoning, reasoning_tokens=reasoning,
        at=(datetime.now(UTC) - timedelta(days=ago_d)).strftime("%Y-%m-%dT%H:%M:%SZ"), **rest,
    ),
    st.sampled_from([
        ("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-opus-4-5-20251101"), ("openai", "gpt-5.2-codex"),
        ("google", "gemini-2.5-pro"), ("deepseek", "deepseek-chat"), ("nobody", "claude-sonnet-4-5"), ("openai", "no"),
    ]),
    st.integers(0, 390), COUNTS, COUNTS,
    st.fixed_dictionaries({}, optional={
        "input_tokens": COUNTS, "cache_read_tokens": COUNTS, "cache_write_5m_tokens": COUNTS,
        "cache_write_1h_tokens": COUNTS, "cache_write_other_tokens": COUNTS, "web_searches": st.integers(0, 50),
        "service_tier": st.sampled_from(["standard", "batch", "priority", "flex"]), "speed": st.just("fast"),
    }),
)  # fmt: skip


@settings(deadline=None)  # the first example loads the price list
@given(st.lists(st.lists(CALLS, max_size=4), min_size=1, max_size=4))
def test_any_record_costs_what_the_app_says(runs: list[list[dict[str, Any]]]) -> None:
    asked = request(None, *(agent_run(f"s-{number}", calls) for number, calls in enumerate(runs)))
    assert [(line.cost, line.unpriced_calls) for line in price.priced(asked).lines] == the_apps(asked["record"])


def test_the_comment_is_made_once_and_edited_in_place_by_later_runs(shop: Sandbox, packages: Path) -> None:
    assert answer(packages, request(shop))["problem"] == ""
    (first,) = shop.comments(SHOP, 1)
    assert first["user"]["login"] == BOT
    assert "`77`" in first["body"]
    again = request(shop, agent_run(calls=20), run_id=78, run_attempt=2)
    assert answer(packages, again)["prices"]["cost_nano_usd"] == 20 * CALL_COST
    (second,) = shop.comments(SHOP, 1)
    assert second["id"] == first["id"]
    assert "`78`" in second["body"]
    assert "`77`" not in second["body"]
    assert "**$0.45**" in second["body"]


def test_the_same_run_reported_again_writes_nothing(shop: Sandbox, packages: Path) -> None:
    asked = request(shop)
    answer(packages, asked)
    written = shop.writes()
    answer(packages, asked)
    assert shop.writes() == written


def test_each_job_of_a_workflow_has_its_own_comment(shop: Sandbox, packages: Path) -> None:
    answer(packages, request(shop, key=5))
    answer(packages, request(shop, key=6))
    marks = [body.rstrip().rpartition("\n")[2] for body in bodies(shop)]
    assert marks == ["<!-- mergemeter:job:7:1:5 -->", "<!-- mergemeter:job:7:1:6 -->"]


def test_what_others_wrote_is_left_alone_marker_or_not(shop: Sandbox, packages: Path) -> None:
    forged = "**$0.00** <!-- mergemeter:job:7:1:5 -->"
    shop.comment(SHOP, 1, "mallory", forged)
    shop.comment(SHOP, 1, "other-app[bot]", forged)
    shop.comment(SHOP, 1, BOT, "another workflow's words")
    answer(packages, request(shop))
    assert bodies(shop)[:3] == [forged, forged, "another workflow's words"]
    assert "**$0.04**" in bodies(shop)[3]


def test_our_comment_is_found_behind_many_others(shop: Sandbox, packages: Path) -> None:
    for number in range(130):
        shop.comment(SHOP, 1, "ada", f"word {number}")
    answer(packages, request(shop))
    answer(packages, request(shop, run_id=78))
    assert len(bodies(shop)) == 131


def test_on_a_public_repository_no_amount_leaves_the_program(shop: Sandbox, packages: Path) -> None:
    prices = answer(packages, request(shop, money=False))["prices"]
    assert prices["cost_nano_usd"] is None
    assert [run["cost_nano_usd"] for run in prices["agent_runs"]] == [None]
    assert "$" not in bodies(shop)[0]
    assert "4.6 K tokens" in bodies(shop)[0]


def test_an_unknown_model_is_unknown_and_never_zero(shop: Sandbox, packages: Path) -> None:
    prices = answer(packages, request(shop, agent_run(calls=[call(1, model="glm-99")])))["prices"]
    assert prices["agent_runs"][0]["cost_nano_usd"] is None
    assert prices["unpriced_calls"] == 1
    assert "**cost unknown**" in bodies(shop)[0]
    assert "`glm-99`" in bodies(shop)[0]


def test_hostile_names_do_no_harm(shop: Sandbox, packages: Path) -> None:
    evil = "@everyone #1 ![x](http://evil.example/x.png) <img src=x> --> <!-- mergemeter:job:7:1:6 -->|`\n# big"
    run = agent_run(calls=[call(1, model=evil)], agent=evil, completeness="lower_bound", completeness_reason=evil)
    asked = request(shop, run, workflow=evil)
    answer(packages, {**asked, "job": {**asked["job"], "name": evil}})
    page = Page(bodies(shop)[0])
    assert harms(page, shop.url) == []
    assert [comment.strip() for comment in page.comments] == ["mergemeter:job:7:1:5"]


def test_a_passing_failure_of_a_reading_call_is_tried_again(shop: Sandbox, packages: Path) -> None:
    shop.fail("status", times=2, method="GET")
    assert answer(packages, request(shop))["problem"] == ""
    assert len(bodies(shop)) == 1


def test_a_comment_whose_answer_was_lost_is_not_made_twice(shop: Sandbox, packages: Path) -> None:
    shop.fail("status", times=1, method="POST", after=True)
    assert answer(packages, request(shop))["problem"] == "unreachable"
    assert len(bodies(shop)) == 1
    assert answer(packages, request(shop, run_id=78))["problem"] == ""
    assert len(bodies(shop)) == 1
    assert "`78`" in bodies(shop)[0]


def token_of(gh: Sandbox, **permissions: str) -> dict[str, Any]:
    return {"token": gh.job_token(SHOP, permissions)}


def locked(gh: Sandbox) -> dict[str, Any]:
    gh.lock(SHOP, 1)
    return {}


def failing(gh: Sandbox) -> dict[str, Any]:
    gh.fail("status", times=20)
    return {}


def limited(gh: Sandbox) -> dict[str, Any]:
    gh.fail("primary", times=20)
    return {}


def foreign(gh: Sandbox) -> dict[str, Any]:
    app = gh.register_app(slug="other")
    gh.install("acme", app_id=app["app_id"])
    token = gh.job_token(SHOP, {"pull_requests": "write"})
    gh.hub.tokens[token].installation = next(iter(gh.hub.installations.values()))
    return {"token": token}


WRONG = {
    "forbidden": lambda gh: token_of(gh, contents="read"),
    "forbidden-to-write": lambda gh: token_of(gh, pull_requests="read"),
    "refused": lambda _: {"token": "ghs_nobody"},
    "locked": locked,
    "limited": limited,
    "unreachable": failing,
    "unreachable-host": lambda _: {"api_url": "http://127.0.0.1:9"},
    "foreign": foreign,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(WRONG))
def test_what_fails_is_told_in_one_word_and_the_prices_all_the_same(shop: Sandbox, packages: Path, name: str) -> None:
    told = answer(packages, {**request(shop), **WRONG[name](shop)})
    assert told["problem"] == name.partition("-")[0]
    assert told["prices"]["status"] == "not-sent"
    assert told["prices"]["cost_nano_usd"] == 2 * CALL_COST
    assert bodies(shop) == []


def test_impossible_numbers_are_not_priced(shop: Sandbox, packages: Path) -> None:
    odd = agent_run(calls=[call(1, output_tokens=1, reasoning_tokens=2)])
    assert answer(packages, request(shop, odd)) == {"problem": "impossible"}
    assert bodies(shop) == []


def test_two_runs_at_once_leave_one_comment(shop: Sandbox, packages: Path) -> None:
    """Both see nothing and write: the one who looks last withdraws its own."""
    shop.fail("latency", times=2, method="POST", path=COMMENTS, seconds=2)
    command = [str(packages), "-I", str(ACTION / "standalone" / "program.py")]
    running = []
    for number in range(2):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={})
        assert process.stdin is not None
        process.stdin.write(json.dumps(request(shop, run_id=77 + number)))
        process.stdin.close()
        running.append(process)
    for process in running:
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["problem"] == ""
        process.stdout.close()
        assert process.wait() == 0
    assert len(bodies(shop)) == 1

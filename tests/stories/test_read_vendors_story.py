"""Vendors' reports, night by night: figures that move, limits, refusals, and nothing of anybody else's."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from app.core.month import Month
from app.store.configs import config_of, save_config
from app.store.invoice_tables import VendorReading
from app.store.invoices import billed_by_bucket
from app.store.queue import DONE, WAITING, enqueue, state_of
from app.store.vendor_readings import read_since, reading_of, vendor_job, vendor_lane
from app.timetable import stories
from app.worker import Worker
from tests.stories.stage import Stage
from tests.vendors.loopback import COSTS, KEY, LoopbackVendor, Trouble, loopback_vendor

OCTOBER, SEPTEMBER = Month(2026, 10), Month(2026, 9)
CONFIG = "vendors:\n  agent_spend:\n    - {vendor: anthropic, workspaces: [wrkspc_ci]}\n"
OTHER = "vendors:\n  agent_spend:\n    - {vendor: anthropic, workspaces: [wrkspc_ci, wrkspc_bots]}\n"


@pytest.fixture
def vendor() -> Iterator[LoopbackVendor]:
    with loopback_vendor() as made:
        made.page_size = 7
        yield made


def configure(stage: Stage, account_id: int, text: str) -> None:
    with stage.world.db.transaction() as session:
        save_config(session, config_of(session, account_id), text, [], stage.now())


def set_up(stage: Stage, vendor: LoopbackVendor, key: str = KEY, text: str = CONFIG) -> int:
    account_id = stage.install()
    configure(stage, account_id, text)
    keys = (("acme", "anthropic", key),)
    settings = replace(stage.world.settings, vendor_keys=keys, anthropic_api_url=vendor.url)
    stage.world = replace(stage.world, settings=settings)
    stage.worker = Worker(stage.world, stories())
    return account_id


def night(stage: Stage, account_id: int) -> None:
    """The nightly look, with all that follows from it at once."""
    with stage.world.db.transaction() as session:
        enqueue(session, vendor_job(account_id, "anthropic", stage.now()), stage.now())
    stage.worker.drain(only=vendor_lane(account_id))


def billed(stage: Stage, account_id: int, month: Month = OCTOBER) -> dict[tuple[str, int], tuple[int, bool]]:
    with stage.world.db.reading() as session:
        found = billed_by_bucket(session, account_id, month)
    return {(each.bucket.account, each.bucket.day): (each.billed, each.final) for each in found if each.billed}


def reading(stage: Stage, account_id: int) -> VendorReading:
    with stage.world.db.reading() as session:
        found = reading_of(session, account_id, "anthropic")
    assert found is not None
    return found


def state(stage: Stage, account_id: int) -> int:
    with stage.world.db.reading() as session:
        return state_of(session, account_id, "vendor/anthropic")[0]


def at(stage: Stage, year: int, month: int, day: int, hour: int) -> None:
    stage.gh.set_time(datetime(year, month, day, hour, tzinfo=UTC))


def test_last_month_and_this_one_are_read_up_to_yesterday_and_others_are_left_out(
    stage: Stage, vendor: LoopbackVendor
) -> None:
    account_id = set_up(stage, vendor)
    vendor.spend(date(2026, 9, 1), "100")
    vendor.spend(date(2026, 10, 4), "150")
    vendor.spend(date(2026, 10, 4), "99999999", workspace="wrkspc_production")
    vendor.spend(date(2026, 10, 5), "700")  # today, which is not over
    night(stage, account_id)
    assert billed(stage, account_id) == {("wrkspc_ci", 4): (1_500_000_000, False)}
    assert billed(stage, account_id, SEPTEMBER) == {("wrkspc_ci", 1): (1_000_000_000, False)}
    assert "wrkspc_production" not in str(stage.rows("SELECT * FROM vendor_cost"))
    told = reading(stage, account_id)
    assert (told.left_out, told.problem, told.began_at_us) == (1, "", None)


def test_figures_that_move_are_read_again_until_day_seven_and_what_they_were_is_kept(
    stage: Stage, vendor: LoopbackVendor
) -> None:
    account_id = set_up(stage, vendor)
    vendor.spend(date(2026, 10, 2), "100")
    night(stage, account_id)
    at(stage, 2026, 11, 7, 4)
    vendor.rows[COSTS][date(2026, 10, 2)][0]["amount"] = "120"
    night(stage, account_id)
    assert billed(stage, account_id) == {("wrkspc_ci", 2): (1_200_000_000, False)}
    at(stage, 2026, 11, 8, 4)
    vendor.rows[COSTS][date(2026, 10, 2)] = []
    vendor.spend(date(2026, 10, 3), "5")
    night(stage, account_id)
    assert billed(stage, account_id) == {("wrkspc_ci", 3): (50_000_000, True)}
    past = stage.rows("SELECT day, version, billed_nano_usd FROM vendor_cost_past ORDER BY version")
    assert [tuple(row) for row in past] == [(2, 1, 1_000_000_000), (2, 2, 1_200_000_000)]
    assert stage.rows("SELECT version, billed_nano_usd FROM vendor_cost WHERE day = 2") == [(3, 0)]
    # October does not move any more, so nobody asks for it.
    vendor.spend(date(2026, 10, 3), "1000")
    at(stage, 2026, 11, 9, 4)
    vendor.asked.clear()
    night(stage, account_id)
    assert billed(stage, account_id) == {("wrkspc_ci", 3): (50_000_000, True)}
    assert min(question["starting_at"][0] for _, question in vendor.asked) == "2026-11-01T00:00:00Z"


def test_a_night_on_which_nothing_moved_changes_nothing(stage: Stage, vendor: LoopbackVendor) -> None:
    account_id = set_up(stage, vendor)
    vendor.spend(date(2026, 10, 2), "100")
    night(stage, account_id)
    before = stage.rows("SELECT version, changed_at_us FROM vendor_cost")
    stage.tick(86_400)
    night(stage, account_id)
    assert stage.rows("SELECT version, changed_at_us FROM vendor_cost") == before
    assert stage.rows("SELECT * FROM vendor_cost_past") == []


def test_a_limit_lets_the_rest_wait_and_what_was_read_stays_read(stage: Stage, vendor: LoopbackVendor) -> None:
    account_id = set_up(stage, vendor)
    vendor.spend(date(2026, 9, 1), "100")
    vendor.spend(date(2026, 10, 2), "100")
    at(stage, 2026, 10, 5, 4)
    with stage.world.db.transaction() as session:
        enqueue(session, vendor_job(account_id, "anthropic", stage.now()), stage.now())
    stage.worker.step(only=vendor_lane(account_id))
    vendor.trouble[COSTS].append(Trouble(429, headers={"retry-after": "90"}))
    stage.worker.drain(only=vendor_lane(account_id))
    assert (state(stage, account_id), reading(stage, account_id).problem) == (
        WAITING,
        "anthropic limits our requests (429)",
    )
    assert billed(stage, account_id, SEPTEMBER) == {("wrkspc_ci", 1): (1_000_000_000, False)}
    asked = len(vendor.asked)
    stage.tick(89)
    stage.worker.drain(only=vendor_lane(account_id))
    assert len(vendor.asked) == asked
    stage.tick(2)
    stage.worker.drain(only=vendor_lane(account_id))
    assert billed(stage, account_id) == {("wrkspc_ci", 2): (1_000_000_000, False)}
    assert [question["starting_at"][0][:10] for path, question in vendor.asked if path == COSTS].count(
        "2026-09-01"
    ) == 1


def test_a_broken_page_is_tried_again_and_nothing_of_its_days_is_kept(stage: Stage, vendor: LoopbackVendor) -> None:
    account_id = set_up(stage, vendor)
    vendor.page_size = 3
    vendor.spend(date(2026, 9, 1), "100")
    vendor.spend(date(2026, 9, 5), "100")
    broken = Trouble(200, b'{"data": [{"starting_at": "2026-09-04T00:00:00Z", "results": [{"amount": "x"}]}]}')
    first = Trouble(200, b'{"data": [], "has_more": true, "next_page": "0:3"}')
    vendor.trouble[COSTS].extend([first, broken])
    night(stage, account_id)
    assert stage.rows("SELECT * FROM vendor_cost") == []
    assert "page 2, data[0].results[0]" in reading(stage, account_id).problem
    stage.tick(60)
    stage.worker.drain(only=vendor_lane(account_id))
    assert len(billed(stage, account_id, SEPTEMBER)) == 2
    assert reading(stage, account_id).problem == ""


def test_a_key_that_is_not_accepted_is_told_and_asked_with_again_the_next_night(
    stage: Stage, vendor: LoopbackVendor, caplog: pytest.LogCaptureFixture
) -> None:
    account_id = set_up(stage, vendor, key="sk-ant-admin01-wrong-wrong-wrong")
    night(stage, account_id)
    assert (state(stage, account_id), len(vendor.asked)) == (DONE, 1)
    assert "does not accept the key" in reading(stage, account_id).problem
    assert "does not accept the key" in caplog.text
    assert "wrong" not in caplog.text
    stage.tick(86_400)
    night(stage, account_id)
    assert len(vendor.asked) == 2


@pytest.mark.parametrize("text", ["", "vendors:\n  agent_spend:\n    - {vendor: openai, projects: [proj_ci]}\n"])
def test_nothing_is_asked_of_a_vendor_that_is_not_named(stage: Stage, vendor: LoopbackVendor, text: str) -> None:
    account_id = set_up(stage, vendor, text=text)
    night(stage, account_id)
    assert vendor.asked == []


def test_nothing_is_asked_without_a_key_or_where_the_app_is_suspended(stage: Stage, vendor: LoopbackVendor) -> None:
    account_id = set_up(stage, vendor)
    (installation_id,) = stage.gh.hub.installations
    stage.gh.suspend(installation_id)
    stage.work()
    night(stage, account_id)
    stage.gh.unsuspend(installation_id)
    stage.work()
    stage.world = replace(stage.world, settings=replace(stage.world.settings, vendor_keys=()))
    stage.worker = Worker(stage.world, stories())
    night(stage, account_id)
    assert vendor.asked == []


def test_what_is_named_later_is_read_back_to_the_first_day(stage: Stage, vendor: LoopbackVendor) -> None:
    account_id = set_up(stage, vendor)
    at(stage, 2026, 11, 20, 4)
    vendor.spend(date(2026, 10, 2), "100", workspace="wrkspc_bots")
    night(stage, account_id)
    assert billed(stage, account_id) == {}
    configure(stage, account_id, OTHER)
    night(stage, account_id)
    assert billed(stage, account_id) == {("wrkspc_bots", 2): (1_000_000_000, True)}
    configure(stage, account_id, CONFIG)
    night(stage, account_id)
    assert billed(stage, account_id) == {}


def test_days_further_back_are_read_on_request(stage: Stage, vendor: LoopbackVendor) -> None:
    account_id = set_up(stage, vendor)
    vendor.spend(date(2026, 7, 31), "100")
    night(stage, account_id)
    with stage.world.db.transaction() as session:
        read_since(session, account_id, "anthropic", date(2026, 7, 30), stage.now())
    night(stage, account_id)
    assert billed(stage, account_id, Month(2026, 7)) == {("wrkspc_ci", 31): (1_000_000_000, True)}
    first = min(question["starting_at"][0] for path, question in vendor.asked if path == COSTS)
    assert first == "2026-07-30T00:00:00Z"


def test_no_day_is_asked_for_that_a_vendor_may_not_tell_any_more(stage: Stage, vendor: LoopbackVendor) -> None:
    account_id = set_up(stage, vendor)
    with stage.world.db.transaction() as session:
        read_since(session, account_id, "anthropic", date(2020, 1, 1), stage.now())
    night(stage, account_id)
    assert min(question["starting_at"][0] for _, question in vendor.asked) == "2025-10-10T00:00:00Z"
    assert reading(stage, account_id).began_at_us is None


def test_a_pass_that_ended_in_the_middle_goes_on_there(stage: Stage, vendor: LoopbackVendor) -> None:
    account_id = set_up(stage, vendor)
    with stage.world.db.transaction() as session:
        enqueue(session, vendor_job(account_id, "anthropic", stage.now()), stage.now())
    stage.worker.step(only=vendor_lane(account_id))
    stage.worker = Worker(stage.world, stories(), lease=timedelta(seconds=60))
    stage.tick(120)
    stage.worker.drain(only=vendor_lane(account_id))
    asked = [question["starting_at"][0][:10] for path, question in vendor.asked if path == COSTS]
    assert asked == ["2026-09-01", "2026-09-08", "2026-09-15", "2026-09-22", "2026-09-29"]

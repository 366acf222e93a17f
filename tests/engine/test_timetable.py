"""What recurs, and that every kind of job has a story."""

from datetime import UTC, datetime, timedelta

import pytest

from app import timetable
from app.settings import Settings
from app.store.accounts import save_installation
from app.store.database import Database
from app.store.queue import NewJob
from app.store.schedule import Entry
from app.store.tables import Installation


def entry(name: str, settings: Settings | None = None) -> Entry:
    return next(entry for entry in timetable.entries(settings or Settings()) if entry.name == name)


def jobs(database: Database, name: str, slot: datetime, settings: Settings | None = None) -> list[NewJob]:
    with database.transaction() as session:
        for account_id, state in ((1, "active"), (2, "active"), (3, "suspended")):
            save_installation(
                session,
                Installation(
                    account_id=account_id,
                    installation_id=account_id,
                    account_login=f"org-{account_id}",
                    account_type="Organization",
                    state=state,
                    updated_at_us=0,
                ),
            )
        return list(entry(name, settings).fan_out(session, slot))


@pytest.mark.parametrize(("day", "made"), [(1, False), (2, True), (16, True), (17, False), (30, False)])
def test_last_months_summary_is_made_daily_while_it_can_still_change(sqlite: Database, day: int, made: bool) -> None:
    due = jobs(sqlite, "summary", datetime(2026, 11, day, 3, tzinfo=UTC))
    assert [job.args for job in due] == ([{"month": "2026-10"}] * 2 if made else [])


def test_each_active_account_is_refreshed_at_its_own_place_in_the_hour(sqlite: Database) -> None:
    slot = datetime(2026, 11, 3, 12, tzinfo=UTC)
    due = [job for job in jobs(sqlite, "refresh", slot) if job.account_id]
    assert [job.account_id for job in due] == [1, 2]
    assert len({job.run_at for job in due}) == 2
    assert all(slot <= job.run_at < slot + timedelta(hours=1) for job in due)


def test_each_active_account_is_swept_behind_other_work_four_times_a_day(sqlite: Database) -> None:
    slot = datetime(2026, 11, 3, 8, tzinfo=UTC)
    assert [(job.lane, job.kind) for job in jobs(sqlite, "sweep", slot)] == [
        ("1/behind", "sweep"),
        ("2/behind", "sweep"),
    ]
    assert entry("sweep").after(slot) == slot + timedelta(hours=6)


def test_lost_deliveries_are_looked_for_every_quarter_of_an_hour(sqlite: Database) -> None:
    slot = datetime(2026, 11, 3, 8, 5, tzinfo=UTC)
    assert [job.lane for job in jobs(sqlite, "deliveries", slot)] == ["0/deliveries"]
    assert entry("deliveries").after(slot) == slot + timedelta(minutes=15)


def test_the_next_slot_is_the_first_one_after_now() -> None:
    three = datetime(2026, 11, 3, 3, tzinfo=UTC)
    assert entry("summary").after(three - timedelta(seconds=1)) == three
    assert entry("summary").after(three) == three + timedelta(days=1)


def test_every_kind_of_job_that_recurs_has_a_story(sqlite: Database) -> None:
    kinds = {
        job.kind
        for each in timetable.entries(Settings())
        for job in jobs(sqlite, each.name, datetime(2026, 11, 3, tzinfo=UTC))
    }
    assert kinds <= set(timetable.stories())


def test_vendors_are_read_nightly_behind_other_work_where_there_is_a_key(sqlite: Database) -> None:
    slot = datetime(2026, 11, 3, 4, tzinfo=UTC)
    assert jobs(sqlite, "vendor", slot) == []
    keys = (("org-1", "openai", "k"), ("org-1", "github", "k"), ("org-3", "openai", "k"), ("nobody", "openai", "k"))
    due = jobs(sqlite, "vendor", slot, Settings(vendor_keys=keys))
    assert [(job.lane, job.args, job.dedupe) for job in due] == [
        ("1/vendors/behind", {"vendor": "openai"}, "vendor/openai"),
        ("1/vendors/behind", {"vendor": "github"}, "vendor/github"),
    ]
    assert entry("vendor").after(slot) == slot + timedelta(days=1)

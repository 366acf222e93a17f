"""What is thrown away and what stays, on both databases."""

from datetime import timedelta

from sqlalchemy import text

from app.store import prune
from app.store.bulk import BulkWriter
from app.store.compressed import compressed
from app.store.database import Database
from app.store.inbox import Delivery, keep
from app.store.keys import us
from tests.engine.play import START, Clock, Diary, put, rows, worker_of, world_of


def deliver(database: Database, delivery_id: str) -> None:
    with BulkWriter(database).transaction() as bulk:
        keep(bulk, [Delivery(delivery_id, "pull_request", "opened", 1, 1, 1, "1/1/1", compressed(b"{}"))], START)


def test_finished_deliveries_lose_their_payload_after_a_week_and_go_after_a_month(database: Database) -> None:
    deliver(database, "d")
    worker_of(world_of(database, Clock()), Diary()).drain()
    prune.prune(database, START + timedelta(days=6))
    assert rows(database, "SELECT length(payload) > 0 FROM inbox") in ([(1,)], [(True,)])
    prune.prune(database, START + timedelta(days=8))
    assert rows(database, "SELECT length(payload) FROM inbox") == [(0,)]
    prune.prune(database, START + timedelta(days=31))
    assert rows(database, "SELECT 1 FROM inbox") == []


def test_what_waits_or_is_dead_is_never_thrown_away(database: Database) -> None:
    deliver(database, "waiting")
    deliver(database, "dead")
    with database.transaction() as session:
        session.connection().execute(text("UPDATE inbox SET state = 'dead' WHERE delivery_id = 'dead'"))
        session.connection().execute(text("UPDATE job SET state = 3 WHERE args LIKE '%dead%'"))
    prune.prune(database, START + timedelta(days=999))
    assert rows(database, "SELECT count(*) FROM inbox WHERE length(payload) > 0") == [(2,)]
    assert rows(database, "SELECT count(*) FROM job") == [(2,)]
    assert rows(database, "SELECT count(*) FROM lane") == [(1,)]


def test_old_finished_jobs_and_idle_lanes_go(database: Database) -> None:
    world, diary = world_of(database, Clock()), Diary()
    for n in range(5):
        put(world, n, lane=f"1/{n}")
    worker_of(world, diary).drain()
    assert prune.prune(database, START + timedelta(days=15)) == 10
    assert rows(database, "SELECT (SELECT count(*) FROM job) + (SELECT count(*) FROM lane)") == [(0,)]


def test_what_metrics_counted_goes_after_sixty_days(database: Database) -> None:
    with database.transaction() as session:
        columns = "account_id, agent, session, series, start_us, kind, value"
        at = {"at": us(START)}
        session.connection().execute(
            text(f"INSERT INTO telemetry_total ({columns}) VALUES (1, 'a', 's', 'x', :at, 'output', 5)"), at
        )
    prune.prune(database, START + timedelta(days=59))
    assert rows(database, "SELECT value FROM telemetry_total") == [(5,)]
    prune.prune(database, START + timedelta(days=61))
    assert rows(database, "SELECT value FROM telemetry_total") == []


def test_pruning_goes_on_until_all_pieces_are_gone(database: Database) -> None:
    world = world_of(database, Clock())
    with database.transaction() as session:
        tokens = [{"j": str(n)} for n in range(prune.PIECE + 1)]
        columns = "issuer, jti, account_id, body_sha256, expires_at_us"
        session.connection().execute(text(f"INSERT INTO used_token ({columns}) VALUES ('i', :j, 1, '', 0)"), tokens)
    assert prune.prune(database, world.now()) == prune.PIECE + 1

"""`/metrics` as Prometheus' own parser reads it: operation for anybody, cost for the account's token alone."""

from collections.abc import Iterable
from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from app.store.queue import NewJob, enqueue
from tests.api.conftest import Scene
from tests.api.reader import Reader, new_token
from tests.record.serving import Answer
from tests.stories.stage import CALL_NANO_USD

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(answer: Answer) -> Samples:
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.content["raw"].decode()))
    assert all(family.type in ("gauge", "counter") and family.documentation for family in families)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def named(samples: Samples, name: str) -> dict[str, float]:
    """The samples of a metric by their only label's value."""
    return {"".join(value for _, value in labels): number for (of, labels), number in samples.items() if of == name}


def texts(samples: Samples) -> Iterable[str]:
    return (value for _, labels in samples for _, value in labels)


def test_a_months_cost_is_told_by_repository_to_the_accounts_token_alone(scene: Scene) -> None:
    scene.stage.gh.set_time(scene.stage.now() - timedelta(days=20))  # back into October
    database = scene.stage.world.db
    acme, other = (
        read(Reader(scene.server, new_token(database, each, "metrics")).ask("/metrics"))
        for each in (scene.acme, scene.other)
    )
    costs = {"acme/widgets": 10 * CALL_NANO_USD, "acme/gadgets": CALL_NANO_USD}
    assert named(acme, "mergemeter_cost_nano_usd") == costs
    assert named(acme, "mergemeter_unpriced_calls") == {"acme/widgets": 1, "acme/gadgets": 0}
    assert named(other, "mergemeter_cost_nano_usd") == {"other/secret": 7 * CALL_NANO_USD}


def test_without_a_token_no_accounts_data_is_told(sqlite_scene: Scene) -> None:
    samples = read(sqlite_scene.server.ask("GET", "/metrics"))
    assert named(samples, "mergemeter_cost_nano_usd") == {}
    assert not [text for text in texts(samples) if "acme" in text or "other" in text or "/" in text]


def test_a_token_that_is_not_good_for_it_is_refused(sqlite_scene: Scene) -> None:
    assert sqlite_scene.reader.ask("/metrics").status == 403
    assert Reader(sqlite_scene.server, "mgm_x").ask("/metrics").status == 401
    assert sqlite_scene.server.ask("GET", "/metrics", headers={"Authorization": "Basic x"}).status == 401


def test_the_queue_is_told_by_kind_with_the_age_of_the_oldest(scene: Scene) -> None:
    now, database = scene.stage.now(), scene.stage.world.db
    with database.transaction() as session:
        for number, kind in enumerate(("place", "place", "publish")):
            job = NewJob(scene.acme, f"{scene.acme}/{number}", kind, f"job-{number}", {}, now - timedelta(seconds=90))
            enqueue(session, job, now)
        enqueue(session, NewJob(scene.acme, f"{scene.acme}/9", "publish", "later", {}, now + timedelta(days=3)), now)
    samples = read(scene.server.ask("GET", "/metrics"))
    due, dead = named(samples, "mergemeter_jobs_due"), named(samples, "mergemeter_jobs_dead")
    assert (due["place"], due["publish"]) == (2, 1)
    assert named(samples, "mergemeter_jobs_waiting")["publish"] == 2
    assert 90 <= named(samples, "mergemeter_job_oldest_due_seconds")["publish"] < 200
    assert (dead["place"], dead["publish"]) == (0, 0)


def test_what_came_in_is_counted_by_outcome(sqlite_scene: Scene) -> None:
    server = sqlite_scene.server
    server.ask("POST", "/v1/agent-runs", b"{}", {"Content-Type": "application/json"})
    server.ask("POST", "/v1/logs", b"{}", {"Content-Type": "application/json"})
    server.ask("POST", "/webhooks/github", b"{}", {"Content-Type": "application/json"})
    samples = read(server.ask("GET", "/metrics"))
    assert named(samples, "mergemeter_records_total") == {"token-missing": 1}
    assert named(samples, "mergemeter_telemetry_total") == {"token": 1}
    assert named(samples, "mergemeter_deliveries_total") == {"signature-missing": 1}

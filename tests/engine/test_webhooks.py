"""The webhook end point over real HTTP with real signatures: who is refused, what is kept, and that it is durable."""

import socket
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.store import intake
from app.store.database import Database
from app.web.webhooks import LARGEST_BODY
from tests.engine.hooks import (
    ACCOUNT,
    APP_ID,
    OLD_SECRET,
    REPOSITORY,
    SECRET,
    Hooks,
    pull_payload,
    serving,
    sign,
)
from tests.engine.play import Clock, Diary, rows, worker_of, world_of


@pytest.fixture
def hooks(sqlite: Database) -> Iterator[Hooks]:
    world = world_of(sqlite, Clock(), webhook_secrets=(SECRET, OLD_SECRET), app_id=APP_ID)
    with serving(world) as hooks:
        yield hooks


def kept(database: Database) -> int:
    return int(rows(database, "SELECT count(*) FROM inbox")[0][0])


def test_a_delivery_is_acknowledged_with_its_inbox_job_and_lane_rows_written(database: Database) -> None:
    world = world_of(database, Clock(), webhook_secrets=(SECRET,), app_id=APP_ID)
    with serving(world) as hooks:
        assert hooks.send(pull_payload(7), delivery_id="d-1").status == 202
    assert rows(database, "SELECT delivery_id, event, action, account_id, repository_id, state FROM inbox") == [
        ("d-1", "pull_request", "opened", ACCOUNT, REPOSITORY, "waiting")
    ]
    lane = f"{ACCOUNT}/{REPOSITORY}/7"
    assert rows(database, "SELECT account_id, lane, kind, args, state FROM job") == [
        (ACCOUNT, lane, "delivery", '{"delivery_id": "d-1"}', 0)
    ]
    assert rows(database, "SELECT key, account_id FROM lane WHERE next_at_us IS NOT NULL") == [(lane, ACCOUNT)]


def test_the_payload_is_kept_byte_for_byte(sqlite: Database, hooks: Hooks) -> None:
    body = b'{"organization": {"id": 9},   "repository": {"id": 1, "owner": {"id": 9}}, "x": "\xc3\xa9"}'
    assert hooks.send(body, event="repository").status == 202
    assert zlib.decompress(rows(sqlite, "SELECT payload FROM inbox")[0][0]) == body


def test_the_secret_before_a_rotation_is_still_accepted(sqlite: Database, hooks: Hooks) -> None:
    assert hooks.send(pull_payload(), secret=OLD_SECRET).status == 202
    assert kept(sqlite) == 1


SIGNED = b'{"zen": "x"}'


@pytest.mark.parametrize(
    ("signature", "code"),
    [
        (sign(SIGNED, "another-secret-altogether"), "signature-wrong"),
        (sign(SIGNED + b" "), "signature-wrong"),
        (sign(SIGNED).upper().replace("SHA", "sha"), "signature-malformed"),
        (sign(SIGNED).replace("sha256", "sha1"), "signature-malformed"),
        (sign(SIGNED)[:-1], "signature-malformed"),
        (sign(SIGNED) + ",", "signature-malformed"),
        (sign(SIGNED).removeprefix("sha256="), "signature-malformed"),
        ("sha256=\xe9", "signature-malformed"),
        ("", "signature-malformed"),
    ],
)
def test_a_wrong_signature_is_refused(sqlite: Database, hooks: Hooks, signature: str, code: str) -> None:
    answer = hooks.send(SIGNED, more=[("x-hub-signature-256", signature)], without=["X-Hub-Signature-256"])
    assert (answer.status, answer.code) == (401, code)
    assert answer.body["message"]
    assert kept(sqlite) == 0


def test_a_missing_signature_is_refused(sqlite: Database, hooks: Hooks) -> None:
    answer = hooks.send(pull_payload(), without=["X-Hub-Signature-256"])
    assert (answer.status, answer.code) == (401, "signature-missing")
    assert kept(sqlite) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Hub-Signature-256", sign(SIGNED)),
        ("x-hub-signature-256", "sha256=" + "0" * 64),
        ("X-GitHub-Delivery", "another"),
        ("X-GitHub-Event", "ping"),
        ("X-GitHub-Hook-Installation-Target-ID", str(APP_ID)),
    ],
)
def test_a_doubled_header_is_refused(sqlite: Database, hooks: Hooks, name: str, value: str) -> None:
    answer = hooks.send(SIGNED, more=[(name, value)])
    assert (answer.status, answer.code) == (401, "header-doubled")
    assert kept(sqlite) == 0


def test_a_delivery_for_another_app_is_refused(sqlite: Database, hooks: Hooks) -> None:
    name = "X-GitHub-Hook-Installation-Target-ID"
    answer = hooks.send(pull_payload(), more=[(name.lower(), "1")], without=[name])
    assert (answer.status, answer.code) == (403, "other-app")
    assert kept(sqlite) == 0


@pytest.mark.parametrize("name", ["X-GitHub-Event", "X-GitHub-Delivery"])
@pytest.mark.parametrize("value", [None, "", "a b", "../x", "é", "x" * 65])
def test_a_missing_or_malformed_header_is_refused(sqlite: Database, hooks: Hooks, name: str, value: str | None) -> None:
    more = [] if value is None else [(name.lower(), value)]
    answer = hooks.send(pull_payload(), more=more, without=[name])
    assert (answer.status, answer.code) == (400, "header-malformed")
    assert kept(sqlite) == 0


def test_a_form_is_refused_with_the_setting_to_change(hooks: Hooks) -> None:
    form = ("content-type", "application/x-www-form-urlencoded")
    answer = hooks.send(pull_payload(), more=[form], without=["Content-Type"])
    assert (answer.status, answer.code) == (415, "not-json")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe{}",
        b'{"organization": {"id": 1}, "action": "\xff"}',
        b"[" * 2_000_000,
        b'{"a":' * 500_000,
        b'{"organization": {"id": NaN}}',
        b'{"organization": {"id": Infinity}}',
        b'{"organization": {"id": 1e400}}',
        b'{"organization": {"id": "1"}}',
        b'{"organization": {"id": true}}',
        b'{"organization": {"id": -1}}',
        b'{"organization": {"id": 1.5}}',
        b'{"organization": {"id": 99999999999999999999999999}}',
        b'{"organization": {"id": 1}, "number": {}}',
        b'{"organization": [], "repository": 3}',
        b'{"repository": {"id": 1}}',
        b'{"action": "opened"}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_signed_body_that_tells_nothing_is_refused(sqlite: Database, hooks: Hooks, body: bytes) -> None:
    answer = hooks.send(body)
    assert (answer.status, answer.code) == (400, "unreadable")
    assert len(answer.body["message"]) <= 500
    assert kept(sqlite) == 0


def test_a_number_that_is_not_one_in_a_field_we_do_not_read_is_no_trouble(sqlite: Database, hooks: Hooks) -> None:
    assert hooks.send(b'{"organization": {"id": 1}, "other": NaN}', event="installation").status == 202


@pytest.mark.parametrize("event", ["ping", "push", "workflow_job", "something_new", "check_run"])
def test_an_event_that_is_not_used_is_acknowledged_and_not_kept(sqlite: Database, hooks: Hooks, event: str) -> None:
    answer = hooks.send(pull_payload(action="completed"), event=event)
    assert (answer.status, answer.body) == (202, {"status": "ignored"})
    assert kept(sqlite) == 0


@pytest.mark.parametrize("size", [LARGEST_BODY + 1, 30 * 1024 * 1024])
def test_a_body_over_the_cap_is_refused(sqlite: Database, hooks: Hooks, size: int) -> None:
    answer = hooks.send(b" " * size)
    assert (answer.status, answer.code) == (413, "too-large")
    assert kept(sqlite) == 0


def test_a_chunked_body_over_the_cap_is_refused(hooks: Hooks) -> None:
    with socket.create_connection(("127.0.0.1", hooks.port), timeout=30) as sender:
        sender.sendall(b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"%x\r\n" % 65536 + b" " * 65536 + b"\r\n"
        for _ in range(LARGEST_BODY // 65536 + 2):
            sender.sendall(chunk)
        sender.sendall(b"0\r\n\r\n")
        assert sender.recv(64).startswith(b"HTTP/1.1 413")


def test_a_body_that_never_ends_is_cut_off(hooks: Hooks) -> None:
    chunk = b"%x\r\n" % 1_048_576 + b" " * 1_048_576 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", hooks.port), timeout=30) as sender:
        sender.sendall(b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 200 * 1_048_576:
                sender.sendall(chunk)
                sent += 1_048_576
        except OSError:
            pass
    assert sent < 100 * 1_048_576


def test_other_methods_are_refused(hooks: Hooks) -> None:
    answer = hooks.raw(b"", [], method="GET")
    assert (answer.status, answer.code) == (405, "method-not-allowed")


def test_an_unknown_path_is_refused_with_a_code(hooks: Hooks) -> None:
    answer = hooks.get("/nowhere")
    assert (answer.status, answer.code) == (404, "not-found")


# ---- redelivery ----------------------------------------------------------------------------------------------


def test_a_redelivery_of_what_waits_or_is_done_changes_nothing(database: Database) -> None:
    diary = Diary()
    world = world_of(database, Clock(), webhook_secrets=(SECRET,))
    with serving(world) as hooks:
        for _ in range(3):
            assert hooks.send(pull_payload(), delivery_id="same").status == 202
        worker_of(world, diary).drain()
        assert hooks.send(pull_payload(), delivery_id="same").status == 202
    worker_of(world, diary).drain()
    assert len(diary.jobs) == 1
    assert rows(database, "SELECT state FROM inbox") == [("done",)]


def test_a_redelivery_of_a_dead_one_is_done_again(database: Database) -> None:
    diary = Diary()
    world = world_of(database, Clock(), webhook_secrets=(SECRET,))
    with serving(world) as hooks:
        hooks.send(pull_payload(), delivery_id="same")
        with database.transaction() as session:
            session.connection().exec_driver_sql("UPDATE inbox SET state = 'dead'")
            session.connection().exec_driver_sql("UPDATE job SET state = 3, attempts = 10")
            session.connection().exec_driver_sql("UPDATE lane SET next_at_us = NULL")
        assert worker_of(world, diary).drain() == 0
        hooks.send(pull_payload(action="closed"), delivery_id="same")
    worker_of(world, diary).drain()
    assert [(job.args, job.attempts) for job in diary.jobs] == [({"delivery_id": "same"}, 1)]
    assert rows(database, "SELECT state FROM inbox") == [("done",)]
    assert rows(database, "SELECT state FROM job") == [(2,)]


def test_deliveries_of_one_pull_sent_in_order_are_done_in_order(database: Database) -> None:
    diary = Diary()
    world = world_of(database, Clock(), webhook_secrets=(SECRET,))
    with serving(world) as hooks:
        for n in range(30):
            hooks.send(pull_payload(), delivery_id=f"d-{n}")
    worker_of(world, diary).drain()
    assert [job.args["delivery_id"] for job in diary.jobs] == [f"d-{n}" for n in range(30)]


def test_many_deliveries_at_once_are_all_kept_once(database: Database) -> None:
    world = world_of(database, Clock(), webhook_secrets=(SECRET,))
    with serving(world) as hooks, ThreadPoolExecutor(16) as senders:
        ids = [f"d-{n % 150}" for n in range(200)]
        statuses = list(senders.map(lambda i: hooks.send(pull_payload(len(i)), delivery_id=i).status, ids))
    assert set(statuses) == {202}
    assert kept(database) == 150
    assert rows(database, "SELECT count(*) FROM job") == [(150,)]


# ---- when the database does not keep up ---------------------------------------------------------------------------


def test_deliveries_are_kept_again_when_the_database_server_has_dropped_the_connection(database: Database) -> None:
    with serving(world_of(database, Clock(), webhook_secrets=(SECRET,), app_id=APP_ID)) as hooks:
        assert hooks.send(pull_payload(1), delivery_id="d-1").status == 202
        if not database.sqlite:
            drop = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <>"
            )
            rows(database, f"{drop} pg_backend_pid()")
        assert hooks.send(pull_payload(1), delivery_id="d-2").status == 202
    assert kept(database) == 2


def test_one_row_that_cannot_be_written_does_not_refuse_the_others(sqlite: Database, hooks: Hooks) -> None:
    with sqlite.transaction() as session:
        session.connection().exec_driver_sql(
            "CREATE TRIGGER t BEFORE INSERT ON inbox WHEN NEW.delivery_id = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    gate = threading.Event()

    def hold() -> None:
        with sqlite.transaction():
            gate.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    with ThreadPoolExecutor(8) as senders:
        answers = [senders.submit(hooks.send, pull_payload(), delivery_id=i) for i in ("a", "b", "bad", "c", "d")]
        gate.set()
    holder.join()
    assert [answer.result().status for answer in answers] == [202, 202, 503, 202, 202]
    assert answers[2].result().code == "not-kept"
    assert kept(sqlite) == 4


def test_too_many_waiting_deliveries_are_asked_to_come_back(
    sqlite: Database, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MOST_WAITING", 0)
    answer = hooks.send(pull_payload())
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "busy", "10")
    monkeypatch.undo()
    assert hooks.send(pull_payload()).status == 202


# ---- health ------------------------------------------------------------------------------------------------------


def test_a_server_with_a_silent_worker_is_not_ready(sqlite: Database) -> None:
    with serving(world_of(sqlite, Clock()), beat_at=lambda: 0.0 - 1e9) as hooks:
        assert hooks.get("/healthz").status == 200
        answer = hooks.get("/readyz")
    assert (answer.status, answer.body["checks"]["worker"]["ok"]) == (503, False)


def test_a_server_whose_oldest_job_waits_for_long_is_not_ready(sqlite: Database) -> None:
    clock = Clock()
    with serving(world_of(sqlite, clock, webhook_secrets=(SECRET,))) as hooks:
        hooks.send(pull_payload())
        assert hooks.get("/readyz").status == 200
        clock.move(3600)
        answer = hooks.get("/readyz")
    assert (answer.status, answer.body["checks"]["queue"]) == (503, {"ok": False, "oldest_due_s": 3600})


def test_a_server_without_its_database_is_not_ready(sqlite: Database) -> None:
    with serving(world_of(sqlite, Clock())) as hooks:
        with sqlite.transaction() as session:
            session.connection().exec_driver_sql("DROP TABLE lane")
        answer = hooks.get("/readyz")
    assert (answer.status, answer.body["checks"]["database"]["ok"]) == (503, False)

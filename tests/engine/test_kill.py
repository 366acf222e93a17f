"""kill -9 and SIGSTOP at random moments while deliveries come in: nothing is lost, nothing overtakes.

Small by default. MERGEMETER_KILL_DELIVERIES=2000 MERGEMETER_KILLS=20 for the whole thing.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from sqlalchemy import text

from app.store.database import Database
from tests.engine.hooks import ACCOUNT, REPOSITORY, Hooks, pull_payload
from tests.engine.play import rows

DELIVERIES = int(os.environ.get("MERGEMETER_KILL_DELIVERIES", "120"))
KILLS = int(os.environ.get("MERGEMETER_KILLS", "2"))
PULLS = 10
LEASE_S = 2.0
PATIENCE_S = 60 + DELIVERIES / 10
ROOT = Path(__file__).parents[2]


class Replica:
    """A server process that can be killed, frozen and started again."""

    def __init__(self, url: str, port: int, file: str) -> None:
        self.command = [sys.executable, "-m", "tests.engine.replica", url, str(port), str(LEASE_S), file]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, cwd=ROOT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def replicas(*started: Replica) -> Iterator[None]:
    try:
        yield
    finally:
        for replica in started:
            replica.thaw()
            replica.kill()


def deliver(port: int, pull: int, count: int) -> None:
    """Send the deliveries of one pull in order, each again and again until it is acknowledged."""
    hooks, pause_s = Hooks(port), KILLS * 2 / count
    for number in range(count):
        time.sleep(pause_s)
        delivery_id = f"{pull}-{number:06d}"
        while not acknowledged(hooks, pull, delivery_id):
            time.sleep(0.1)


def acknowledged(hooks: Hooks, pull: int, delivery_id: str) -> bool:
    try:
        return hooks.send(pull_payload(pull), delivery_id=delivery_id, timeout=5).status == 202
    except (OSError, HTTPException):
        return False


def sending(ports: list[int]) -> list[threading.Thread]:
    """A sender for each pull, all of them started."""
    senders = [
        threading.Thread(target=deliver, args=(ports[pull % len(ports)], pull, DELIVERIES // PULLS))
        for pull in range(1, PULLS + 1)
    ]
    for sender in senders:
        sender.start()
    return senders


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, "not done in time"
        time.sleep(0.1)


def all_done(database: Database) -> bool:
    states = dict(rows(database, "SELECT state, count(*) FROM inbox GROUP BY state"))
    return states == {"done": DELIVERIES // PULLS * PULLS}


def check_order(told: Iterable[tuple[str, str]], repeats_allowed: bool) -> None:
    """Every delivery was told, each pull's in the order sent; at a kill the one that ran may be told once more."""
    by_lane: dict[str, list[str]] = defaultdict(list)
    for lane, delivery_id in told:
        if not (repeats_allowed and by_lane[lane][-1:] == [delivery_id]):
            by_lane[lane].append(delivery_id)
    assert by_lane == {
        f"{ACCOUNT}/{REPOSITORY}/{pull}": [f"{pull}-{number:06d}" for number in range(DELIVERIES // PULLS)]
        for pull in range(1, PULLS + 1)
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_killing_the_server_loses_nothing_and_keeps_each_pulls_order(database: Database, tmp_path: Path) -> None:
    chance, port, file = random.Random(7), free_port(), tmp_path / "told"
    replica = Replica(database.url, port, str(file))
    with replicas(replica):
        senders = sending([port])
        for _ in range(KILLS):
            time.sleep(1.5 + chance.random())
            replica.kill()
            replica.start()
        for sender in senders:
            sender.join()
        wait_for(lambda: all_done(database))
    lines = [line.split() for line in file.read_text().splitlines()]
    check_order(((lane, delivery_id) for lane, delivery_id in lines), repeats_allowed=True)
    assert rows(database, "SELECT count(*) FROM job WHERE state <> 2") == [(0,)]
    print("told again after a kill:", rows(database, "SELECT count(*) FROM job WHERE attempts > 1")[0][0])  # noqa: T201


def test_a_frozen_replica_is_replaced_and_cannot_write_when_it_wakes(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.transaction() as session:
        session.connection().execute(text("CREATE TABLE told (n BIGSERIAL, lane TEXT, delivery_id TEXT)"))
    port = free_port()
    serving, frozen = Replica(postgres_url, port, "-"), Replica(postgres_url, 0, "-")
    with replicas(serving, frozen):
        senders = sending([port])
        for _ in range(KILLS):
            time.sleep(1.5)
            frozen.freeze()
            time.sleep(LEASE_S * 1.5)
            frozen.thaw()
        for sender in senders:
            sender.join()
        wait_for(lambda: all_done(database))
    # Whoever lost the lane could not tell: at most the one that was told before the freeze is told again.
    check_order(rows(database, "SELECT lane, delivery_id FROM told ORDER BY n"), repeats_allowed=True)
    database.close()


def test_a_replica_that_dies_for_good_leaves_its_work_to_the_other(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.transaction() as session:
        session.connection().execute(text("CREATE TABLE told (n BIGSERIAL, lane TEXT, delivery_id TEXT)"))
    port = free_port()
    serving, dying = Replica(postgres_url, port, "-"), Replica(postgres_url, 0, "-")
    with replicas(serving, dying):
        senders = sending([port])
        time.sleep(2.5)
        dying.kill()
        for sender in senders:
            sender.join()
        wait_for(lambda: all_done(database))
    check_order(rows(database, "SELECT lane, delivery_id FROM told ORDER BY n"), repeats_allowed=True)
    database.close()

"""A server as a process of its own: the real web application and worker, with a story that notes each delivery.

`python -m tests.engine.replica URL PORT LEASE_S FILE`: port 0 serves no HTTP. With a file each delivery is a line
in it, an effect outside of the database; with "-" a row of the table `told`, written only while the lane is ours.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import uvicorn
from sqlalchemy import text

from app.settings import Settings
from app.store import lanes
from app.store.database import Database
from app.store.queue import Job
from app.web.app import build_app
from app.worker import Worker
from app.world import World
from tests.engine.hooks import SECRET
from tests.engine.play import NOBODY

TELLING_S = 0.05


def to_file(path: str) -> Callable[[Job, World], None]:
    opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(job: Job, _world: World) -> None:
        time.sleep(TELLING_S)
        os.write(opened, f"{job.lane} {job.args['delivery_id']}\n".encode())
        time.sleep(TELLING_S)

    return tell


def to_table(job: Job, world: World) -> None:
    time.sleep(TELLING_S)
    assert world.hold is not None
    with world.db.transaction() as session:
        lanes.check(session, world.hold)
        row = {"lane": job.lane, "delivery_id": job.args["delivery_id"]}
        session.connection().execute(text("INSERT INTO told (lane, delivery_id) VALUES (:lane, :delivery_id)"), row)
    time.sleep(TELLING_S)


def main(url: str, port: str, lease_s: str, file: str) -> None:
    settings = Settings(webhook_secrets=(SECRET,), public_url="https://mergemeter.example")
    world = World(settings, Database(url), NOBODY, NOBODY, lambda: datetime.now(UTC))
    story = to_table if file == "-" else to_file(file)
    worker = Worker(world, {"delivery": story}, lease=timedelta(seconds=float(lease_s)), poll_s=0.1)
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    if port == "0":
        signal.sigwait([signal.SIGTERM])
    else:
        uvicorn.run(build_app(world), port=int(port), log_level="error", access_log=False)
    worker.stop()
    thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])

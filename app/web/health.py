"""Whether the process lives, and whether it is fit to serve. Tells no tenant's data."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.store.backlog import oldest_due
from app.world import World

# The worker claims at least once a second: a minute of silence is a worker that hangs.
LONGEST_SILENCE_S = 60
OLDEST_DUE = timedelta(minutes=15)


def health_routes(world: World, beat_at: Callable[[], float] | None) -> list[Route]:
    """`/healthz` and `/readyz`. `beat_at` is the monotonic time of the worker's last claim; None without a worker."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        checks = await run_in_threadpool(_checks, world, beat_at)
        fit = all(check["ok"] for check in checks.values())
        return JSONResponse({"status": "ok" if fit else "unfit", "checks": checks}, 200 if fit else 503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


def _checks(world: World, beat_at: Callable[[], float] | None) -> Mapping[str, dict[str, Any]]:
    checks: dict[str, dict[str, Any]] = {}
    try:
        with world.db.reading() as session:
            due_at = oldest_due(session, world.now())
    except Exception as error:  # any of them means the same: not fit  # noqa: BLE001
        return {"database": {"ok": False, "error": type(error).__name__}}
    age = world.now() - due_at if due_at else timedelta(0)
    checks["database"] = {"ok": True}
    checks["queue"] = {"ok": age < OLDEST_DUE, "oldest_due_s": round(age.total_seconds())}
    if beat_at is not None:
        silence_s = time.monotonic() - beat_at()
        checks["worker"] = {"ok": silence_s < LONGEST_SILENCE_S, "silent_s": round(silence_s)}
    return checks

"""The Starlette application: which surface answers where. Never imports the GitHub client."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.store.intake import Intake
from app.web.agent_runs import agent_run_routes
from app.web.api import api_routes
from app.web.counts import Counts
from app.web.health import health_routes
from app.web.prometheus import prometheus_routes
from app.web.telemetry import telemetry_routes
from app.web.webhooks import Webhooks
from app.world import World

WEBHOOKS = "/webhooks/github"


def build_app(world: World, beat_at: Callable[[], float] | None = None) -> ASGIApp:
    """The application. `beat_at` tells when the worker in this process last looked for work, if there is one."""
    counts = Counts()
    intake = Intake(world.db, world.now)
    webhooks = Webhooks(intake, world.settings.webhook_secrets, world.settings.app_id, counts)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        intake.start()
        yield
        await asyncio.to_thread(intake.stop)

    starlette = Starlette(
        routes=[
            Route(WEBHOOKS, webhooks, methods=["POST"]),
            *agent_run_routes(world, counts),
            *telemetry_routes(world, counts),
            *api_routes(world),
            *health_routes(world, beat_at),
            *prometheus_routes(world, counts),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        # Deliveries come by the thousand: past the middleware and the routing they cost a tenth less.
        if scope["type"] == "http" and scope["path"] == WEBHOOKS and scope["method"] == "POST":
            await webhooks(scope, receive, send)
        else:
            await starlette(scope, receive, send)

    return front


async def _refused(_request: Request, raised: Exception) -> Response:
    error = cast("HTTPException", raised)  # it is registered for these alone
    codes = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}
    code = codes.get(error.status_code, "refused")
    return JSONResponse({"code": code, "message": error.detail}, error.status_code, error.headers)


async def _failed(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"code": "failed", "message": "Something went wrong here; it is in the log."}, 500)

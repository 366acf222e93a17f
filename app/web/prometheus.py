"""`GET /metrics`: how the work goes, for anybody; with a token of scope `metrics` also its account's cost."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.core.exposition import CONTENT_TYPE, exposition
from app.store.access_tokens import TokenScope
from app.stories.monitor import cost, operation
from app.stories.reading import ReadRefusedError, admitted
from app.web.bearer import CHALLENGE, bearer
from app.web.counts import DELIVERIES, RECORDS, TELEMETRY, Counts
from app.world import World

UNREADABLE = "Send an access token once, as Authorization: Bearer …, or none."


def prometheus_routes(world: World, counts: Counts) -> list[Route]:
    """The route of this surface. `counts` are of this process."""

    async def metrics(request: Request) -> Response:
        counted = {name: counts.of(name) for name in (DELIVERIES, RECORDS, TELEMETRY)}
        try:
            account_id = await run_in_threadpool(_account, world, request)
        except ReadRefusedError as no:
            headers = CHALLENGE if no.status == 401 else None
            return JSONResponse({"code": no.code, "message": no.sentence}, no.status, headers)
        found = await run_in_threadpool(operation, world, counted)
        if account_id is not None:
            found += await run_in_threadpool(cost, world, account_id)
        return Response(exposition(found), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "private, no-store"})

    return [Route("/metrics", metrics, methods=["GET"])]


def _account(world: World, request: Request) -> int | None:
    """Whose cost may be told; None without a token. Raises ReadRefusedError for one that is not good for it."""
    if "authorization" not in request.headers:
        return None
    unverified_token = bearer(request)
    if unverified_token is None:
        raise ReadRefusedError(401, "token-missing", UNREADABLE)
    return admitted(world, unverified_token, TokenScope.METRICS).account_id

"""The one table of the API's routes: what is served and what is described come from it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.web.api import metrics, months, pulls, repositories, runs, shares
from app.web.api.description import description
from app.web.api.door import route_of
from app.world import World

OPERATIONS = (
    *months.OPERATIONS, *metrics.OPERATIONS, *repositories.OPERATIONS, *pulls.OPERATIONS,
    *runs.OPERATIONS, *shares.OPERATIONS,
)  # fmt: skip
DESCRIPTION = "/v1/openapi.json"


def api_routes(world: World) -> list[Route]:
    """The routes of this surface, and its description, which anybody may read."""
    body = description(OPERATIONS)

    async def openapi(_request: Request) -> Response:
        return Response(body, media_type="application/json", headers={"Cache-Control": "max-age=3600"})

    return [Route(DESCRIPTION, openapi, methods=["GET"]), *(route_of(world, each) for each in OPERATIONS)]

"""All addresses of the sandbox as one ASGI application: REST, identity tokens, control and pages."""

import re
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.sandbox import control, pages
from app.sandbox.observer import Observer
from app.sandbox.rest import routes as rest
from app.sandbox.rest.door import Door
from app.sandbox.state import Hub
from app.sandbox.steer.desk import Desk


def application(desk: Desk, door: Door, observer: Observer | None, log: Callable[[str, str, int], None]) -> Starlette:
    """`log` hears of every REST request: method, path and status (0 when the answer was lost)."""

    async def unknown(request: Request, _mistake: Exception) -> Response:
        response = rest.unknown()
        log(request.method, request.url.path, 404)
        if observer is not None:
            observer.saw(rest.exchange(request, None, b"", response))
        return response

    every = [*_identity(desk), *control.routes(desk), *rest.routes(door, observer, log), *pages.routes(door.hub)]
    middleware = [Middleware(ById, hub=door.hub)]
    return Starlette(routes=every, middleware=middleware, exception_handlers={404: unknown, 405: unknown})


class ById:
    """/repositories/{id}… is another name for /repos/{owner}/{repo}…; renamed repositories are redirected there."""

    def __init__(self, app: ASGIApp, hub: Hub) -> None:
        self._app = app
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = re.match(r"/repositories/(\d+)(/.*)?$", scope["path"]) if scope["type"] == "http" else None
        if found:
            repository = self._hub.repositories.get(int(found[1]))
            if repository is not None and not repository.deleted:
                path = f"/repos/{repository.full_name}{found[2] or ''}"
                scope = dict(scope) | {"path": path, "raw_path": path.encode(), "asked_path": scope["path"]}
        await self._app(scope, receive, send)


def _identity(desk: Desk) -> list[Route]:
    async def jwks(_request: Request) -> JSONResponse:
        return JSONResponse(desk.issuer.jwks())

    async def discovery(_request: Request) -> JSONResponse:
        return JSONResponse(desk.issuer.discovery())

    def token(request: Request) -> JSONResponse:
        """What a job asks its runner for."""
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        with desk.hub.lock:
            for run in desk.hub.runs.values():
                for job in run.jobs.values():
                    if kind.lower() == "bearer" and job.request_token == secret and run.with_id_token:
                        place = desk.hub.repositories[run.repository_id]
                        audience = request.query_params.get("audience", f"{desk.hub.url}/{place.owner.login}")
                        signed = desk.issuer.sign(desk.issuer.claims(place, run, job, audience))
                        return JSONResponse({"count": len(signed), "value": signed})
        return JSONResponse({"message": "Unauthorized"}, 401)

    return [
        Route("/_oidc/.well-known/jwks", jwks),
        Route("/_oidc/.well-known/openid-configuration", discovery),
        Route("/_actions/token", token),
    ]

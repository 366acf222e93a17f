"""Pages for people: the sandbox's pulls, checks, comments, issues and files, to look at. They change nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from app.sandbox import commits, diffs
from app.sandbox.markdown import rendered
from app.sandbox.state import CheckRun, Comment, Hub, Pull, Repository

CONTEXT_LINES = 2
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Pages:
    """Renders what the hub knows. Its methods hold the hub's lock."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        folder = Path(__file__).parent / "templates"
        self._templates = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["day"] = lambda instant: f"{instant.day} {instant:%b %Y, %H:%M} UTC"

    def _page(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(hub=self._hub, **values)

    def _markdown(self, repository: Repository) -> Callable[[str | None], Markup]:
        return lambda text: Markup(rendered(text, self._hub.url, repository.full_name))  # noqa: S704 - sanitised

    def home(self) -> str:
        with self._hub.lock:
            live = [one for one in self._hub.repositories.values() if not one.deleted]
            return self._page("home.html", repositories=live)

    def repository(self, owner: str, repo: str) -> str:
        with self._hub.lock:
            return self._page("home.html", repositories=[self._hub.repository(f"{owner}/{repo}")])

    def pull(self, owner: str, repo: str, number: int) -> str:
        with self._hub.lock:
            place, pull = self._hub.pull(f"{owner}/{repo}", number)
            return self._page(
                "pull.html",
                repository=place,
                pull=pull,
                commits=[self._hub.commits[sha] for sha in diffs.pull_commits(self._hub, place, pull)],
                changes=diffs.pull_changes(self._hub, place, pull),
                comments=_comments(place, pull.number),
                checks=self._checks(place, pull),
                markdown=self._markdown(place),
            )

    def _checks(self, place: Repository, pull: Pull) -> list[dict[str, Any]]:
        """The checks on the head: Apps' first, then jobs; with the lines that their annotations stand at."""
        own = [
            check
            for check in self._hub.checks.values()
            if (check.repository_id, check.head_sha) == (place.repository_id, pull.head_sha)
        ]
        own.sort(key=lambda check: not self._hub.apps[check.app_id].public_key)
        changed = {change.path for change in diffs.pull_changes(self._hub, place, pull)}
        return [
            {
                "check": check,
                "app": self._hub.apps[check.app_id],
                "annotations": [self._annotated(check, given, changed) for given in check.annotations],
            }
            for check in own
        ]

    def _annotated(self, check: CheckRun, given: dict[str, Any], changed: set[str]) -> dict[str, Any]:
        text = commits.tree_of(self._hub, check.head_sha).get(given["path"])
        lines = (text or "").splitlines()
        first, last = max(given["start_line"] - CONTEXT_LINES, 1), given["end_line"] + CONTEXT_LINES
        near = [(number, lines[number - 1]) for number in range(first, min(last, len(lines)) + 1)]
        return {
            **given,
            "near": near,
            "missing": text is None or given["end_line"] > len(lines),
            "in_diff": given["path"] in changed,
        }

    def issue(self, owner: str, repo: str, number: int) -> str:
        with self._hub.lock:
            place = self._hub.repository(f"{owner}/{repo}")
            if number in place.pulls:
                return self.pull(owner, repo, number)
            issue = place.issues[number]
            return self._page(
                "issue.html",
                repository=place,
                issue=issue,
                comments=_comments(place, issue.number),
                markdown=self._markdown(place),
            )

    def file(self, owner: str, repo: str, ref: str, path: str) -> str:
        with self._hub.lock:
            place = self._hub.repository(f"{owner}/{repo}")
            text = self._hub.commits[place.branches.get(ref, ref)].tree[path]
            return self._page("file.html", repository=place, ref=ref, path=path, text=text)

    def run(self, owner: str, repo: str, run_id: int) -> str:
        with self._hub.lock:
            place = self._hub.repository(f"{owner}/{repo}")
            return self._page("run.html", repository=place, run=self._hub.runs[run_id])


def _comments(place: Repository, number: int) -> list[Comment]:
    return [comment for comment in place.comments.values() if comment.number == number]


def routes(hub: Hub) -> list[Route]:
    """The pages' addresses, as on GitHub."""
    pages = Pages(hub)

    def served(render: Callable[..., str]) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            try:
                page, status = render(**request.path_params), 200
            except (LookupError, ValueError):
                page, status = "<!doctype html><title>404</title><p>Nothing is here.", 404
            return HTMLResponse(page, status, {"content-security-policy": POLICY})

        return endpoint

    def nothing(_request: Request) -> Response:
        return Response(status_code=204)

    place = "/{owner}/{repo}"
    return [
        Route("/favicon.ico", nothing),
        Route("/", served(pages.home)),
        Route(f"{place}/pull/{{number:int}}", served(pages.pull)),
        Route(f"{place}/issues/{{number:int}}", served(pages.issue)),
        Route(f"{place}/actions/runs/{{run_id:int}}", served(pages.run)),
        Route(f"{place}/blob/{{ref}}/{{path:path}}", served(pages.file)),
        Route(place, served(pages.repository)),
    ]

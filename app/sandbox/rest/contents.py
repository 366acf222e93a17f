"""/repos/{owner}/{repo} and its files."""

from app.sandbox import refusals
from app.sandbox.refusals import Refusal
from app.sandbox.rest.door import Answer, Call, Operation
from app.sandbox.shapes import repositories


def get_repository(call: Call) -> Answer:
    return Answer(body=repositories.own_page(call.hub, call.repository))


def resolved(call: Call, ref: str) -> str:
    """The commit that a branch name, a full ref or a sha means here. 404 when there is none."""
    branches = call.repository.branches
    name = ref.removeprefix("refs/").removeprefix("heads/")
    if name in branches:
        return branches[name]
    if ref in call.hub.commits:
        return ref
    raise Refusal(404, f"No commit found for the ref {ref}")


def get_contents(call: Call) -> Answer:
    path = call.arguments["path"].strip("/")
    ref = call.query.get("ref", call.repository.default_branch)
    if not call.repository.branches:
        raise Refusal(404, "This repository is empty.")
    tree = call.hub.commits[resolved(call, ref)].tree
    if path in tree:
        return _file(call, path, ref, tree[path])
    inside = {name.removeprefix(f"{path}/" if path else "").partition("/")[0] for name in tree if _below(name, path)}
    if not inside:
        raise refusals.not_found()
    full = [f"{path}/{name}".lstrip("/") for name in sorted(inside)]
    return Answer(
        body=[repositories.content_entry(call.hub, call.repository, name, ref, tree.get(name)) for name in full]
    )


def _below(name: str, path: str) -> bool:
    return not path or name.startswith(f"{path}/")


def _file(call: Call, path: str, ref: str, text: str) -> Answer:
    if "raw" in call.headers.get("accept", ""):
        return Answer(body=text.encode(), headers={"content-type": "application/vnd.github.raw+json; charset=utf-8"})
    return Answer(body=repositories.content_file(call.hub, call.repository, path, ref, text))


OPERATIONS = (
    Operation("GET", "/repos/{owner}/{repo}", ("any:read",), get_repository),
    Operation("GET", "/repos/{owner}/{repo}/contents/{path:path}", ("contents:read",), get_contents),
)

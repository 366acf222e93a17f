"""Cut GitHub's published API description down to the operations that the App calls.

Source: the npm package @octokit/openapi (MIT), pinned in tests/openapi/package-lock.json. What is left holds shapes
only: prose, examples and extensions are stripped. `--check` writes nothing and fails when the slice is not current.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "tests" / "openapi"
SLICE = PINS / "github-slice.json"
CACHE = ROOT / ".cache" / "openapi"
SOURCE = CACHE / "node_modules" / "@octokit" / "openapi" / "generated" / "api.github.com.json"

OPERATIONS = (
    "get /agents/repos/{owner}/{repo}/tasks",
    "get /agents/repos/{owner}/{repo}/tasks/{task_id}",
    "get /app",
    "get /app/hook/config",
    "get /app/hook/deliveries",
    "get /app/hook/deliveries/{delivery_id}",
    "post /app/hook/deliveries/{delivery_id}/attempts",
    "get /app/installations",
    "get /app/installations/{installation_id}",
    "post /app/installations/{installation_id}/access_tokens",
    "get /installation/repositories",
    "get /meta",
    "get /orgs/{org}/properties/schema/{custom_property_name}",
    "get /orgs/{org}/properties/values",
    "get /orgs/{org}/teams",
    "get /orgs/{org}/teams/{team_slug}/repos",
    "get /rate_limit",
    "get /repos/{owner}/{repo}",
    "get /repos/{owner}/{repo}/actions/jobs/{job_id}",
    "get /repos/{owner}/{repo}/actions/runs/{run_id}",
    "get /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}",
    "get /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs",
    "get /repos/{owner}/{repo}/actions/runs/{run_id}/jobs",
    "get /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs",
    "post /repos/{owner}/{repo}/check-runs",
    "get /repos/{owner}/{repo}/check-runs/{check_run_id}",
    "patch /repos/{owner}/{repo}/check-runs/{check_run_id}",
    "get /repos/{owner}/{repo}/check-runs/{check_run_id}/annotations",
    "get /repos/{owner}/{repo}/collaborators/{username}/permission",
    "get /repos/{owner}/{repo}/commits/{ref}/check-runs",
    "get /repos/{owner}/{repo}/contents/{path}",
    "get /repos/{owner}/{repo}/installation",
    "get /repos/{owner}/{repo}/issues",
    "post /repos/{owner}/{repo}/issues",
    "get /repos/{owner}/{repo}/issues/{issue_number}",
    "patch /repos/{owner}/{repo}/issues/{issue_number}",
    "get /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "post /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "get /repos/{owner}/{repo}/issues/comments/{comment_id}",
    "patch /repos/{owner}/{repo}/issues/comments/{comment_id}",
    "delete /repos/{owner}/{repo}/issues/comments/{comment_id}",
    "post /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
    "get /repos/{owner}/{repo}/pulls",
    "get /repos/{owner}/{repo}/pulls/{pull_number}",
    "get /repos/{owner}/{repo}/pulls/{pull_number}/commits",
    "get /repos/{owner}/{repo}/pulls/{pull_number}/files",
    "get /users/{username}",
)
PROSE = {"description", "summary", "example", "examples", "externalDocs", "tags", "title"}
NAMED = {
    "properties",
    "schemas",
    "parameters",
    "responses",
    "headers",
    "paths",
}  # keys below these are names, not words


def stripped(node: Any, *, names: bool = False) -> Any:
    """The node without prose and extensions; below a map of names every key is kept."""
    if isinstance(node, list):
        return [stripped(item) for item in node]
    if not isinstance(node, dict):
        return node
    if names:
        return {key: stripped(value) for key, value in node.items()}
    kept = {key: value for key, value in node.items() if key not in PROSE and not key.startswith("x-")}
    return {key: stripped(value, names=key in NAMED and isinstance(value, dict)) for key, value in kept.items()}


def references(node: Any) -> set[str]:
    """Every `$ref` below the node."""
    if isinstance(node, list):
        return set().union(*map(references, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(references, node.values()))


def cut(description: dict[str, Any]) -> dict[str, Any]:
    """The slice: our operations and the components that they reach."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        method, path = operation.split(" ")
        paths.setdefault(path, {})[method] = stripped(description["paths"][path][method])
    components: dict[str, dict[str, Any]] = {}
    waiting, seen = sorted(references(paths)), set[str]()
    while waiting:
        pointer = waiting.pop()
        if pointer in seen:
            continue
        seen.add(pointer)
        _, _, kind, name = pointer.split("/")
        components.setdefault(kind, {})[name] = part = stripped(description["components"][kind][name])
        waiting += sorted(references(part))
    info = {
        "title": "Part of GitHub's REST API description",
        "version": description["info"]["version"],
        "license": {"name": "MIT", "url": "https://spdx.org/licenses/MIT"},
        "x-source": f"npm:@octokit/openapi@{description['info']['version']} generated/api.github.com.json",
    }
    return {"openapi": description["openapi"], "info": info, "paths": paths, "components": components}


def install() -> None:
    """Put the pinned npm packages under .cache/, unless the same lock file is installed already."""
    CACHE.mkdir(parents=True, exist_ok=True)
    lock = (PINS / "package-lock.json").read_bytes()
    done = CACHE / "installed-lock.json"
    if SOURCE.exists() and done.exists() and done.read_bytes() == lock:
        return
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is needed to fetch @octokit/openapi: install Node.js 18 or newer")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINS / name, CACHE / name)
    subprocess.run(  # noqa: S603 - a fixed command
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=CACHE, check=True
    )
    done.write_bytes(lock)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--check", action="store_true", help="write nothing; fail when the slice is not current")
    checking = arguments.parse_args().check
    install()
    text = json.dumps(cut(json.loads(SOURCE.read_bytes())), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if not checking:
        SLICE.write_text(text, encoding="utf-8")
    elif not SLICE.exists() or SLICE.read_text(encoding="utf-8") != text:
        sys.exit("tests/openapi/github-slice.json is not current: run python scripts/github_openapi_slice.py")


if __name__ == "__main__":
    main()

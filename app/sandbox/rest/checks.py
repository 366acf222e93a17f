"""/repos/…/check-runs: only Apps make them, only the App that made one may change it."""

from datetime import datetime
from typing import Any

from app.sandbox import refusals
from app.sandbox.refusals import Refusal, invalid_request
from app.sandbox.rest.contents import resolved
from app.sandbox.rest.door import Answer, Call, Operation
from app.sandbox.rest.fields import each, instant, integer, one_of, shape, text
from app.sandbox.shapes import checks
from app.sandbox.state import CheckRun

CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out")
LONG, ANNOTATION_BYTES = 65_535, 65_536


def _annotation(name: str, value: Any) -> None:
    fields = {
        "path": text(),
        "start_line": integer,
        "end_line": integer,
        "start_column": integer,
        "end_column": integer,
        "annotation_level": one_of("notice", "warning", "failure"),
        "message": text(ANNOTATION_BYTES),
        "title": text(255),
        "raw_details": text(ANNOTATION_BYTES),
    }
    shape(fields, ("path", "start_line", "end_line", "annotation_level", "message"))(name, value)
    _place(value)


def _place(annotation: dict[str, Any]) -> None:
    start, end = annotation["start_line"], annotation["end_line"]
    if start < 1 or end < start:
        raise invalid_request(f"For 'end_line', {end} is before start_line {start}, or a line is below 1.")
    if start != end and ("start_column" in annotation or "end_column" in annotation):
        raise invalid_request("Annotations only support start_column and end_column on the same line.")
    path = annotation["path"]
    if not path or path.startswith(("/", "./")) or ".." in path.split("/"):
        raise invalid_request(f"For 'path', {path!r} is not a path inside the repository.")


_IMAGE = shape({"alt": text(), "image_url": text(), "caption": text()}, ("alt", "image_url"))
_BUTTON = shape(
    {"label": text(20), "description": text(40), "identifier": text(20)}, ("label", "description", "identifier")
)


def _output(*required: str) -> Any:
    fields = {
        "title": text(),
        "summary": text(LONG),
        "text": text(LONG),
        "annotations": each(_annotation, 50),
        "images": each(_IMAGE),
    }
    return shape(fields, required)


_FIELDS = {
    "name": text(),
    "details_url": text(),
    "external_id": text(),
    "status": one_of("queued", "in_progress", "completed"),
    "started_at": instant,
    "conclusion": one_of(*CONCLUSIONS),
    "completed_at": instant,
    "actions": each(_BUTTON, 3),
}
CREATE_BODY = shape(_FIELDS | {"head_sha": text(), "output": _output("title", "summary")}, ("name", "head_sha"))
UPDATE_BODY = shape(_FIELDS | {"output": _output("summary")})


def create_check(call: Call) -> Answer:
    sha = call.body["head_sha"]
    if sha not in call.hub.commits:
        raise Refusal(422, f"No commit found for SHA: {sha}")
    check = CheckRun(
        check_run_id=call.hub.next_id("check"),
        suite_id=_suite(call, sha),
        app_id=call.app.app_id,
        repository_id=call.repository.repository_id,
        head_sha=sha,
        name=call.body["name"],
        started_at=call.hub.now(),
    )
    _apply(call, check)
    call.hub.checks[check.check_run_id] = check
    return Answer(201, checks.check_run(call.hub, call.repository, check))


def _suite(call: Call, sha: str) -> int:
    """One suite for each App and commit."""
    for check in call.hub.checks.values():
        if (check.app_id, check.repository_id, check.head_sha) == (call.app.app_id, call.repository.repository_id, sha):
            return check.suite_id
    return call.hub.next_id("suite")


def update_check(call: Call) -> Answer:
    check = _check(call)
    if check.app_id != call.app.app_id:
        raise Refusal(
            403, f"Invalid app_id `{check.app_id}` - check run can only be modified by the GitHub App that created it."
        )
    check.name = call.body.get("name", check.name)
    _apply(call, check)
    return Answer(body=checks.check_run(call.hub, call.repository, check))


def _apply(call: Call, check: CheckRun) -> None:
    """Write the body's fields to the check; annotations are added to those it has."""
    body, now = call.body, call.hub.now()
    status = body.get("status", check.status)
    if "conclusion" in body:
        status = "completed"
    elif (status == "completed" or "completed_at" in body) and check.conclusion is None:
        raise invalid_request('"conclusion" wasn\'t supplied.')
    check.external_id = body.get("external_id", check.external_id)
    check.details_url = body.get("details_url", check.details_url)
    if "started_at" in body:
        check.started_at = datetime.fromisoformat(body["started_at"])
    if status == "completed":
        check.conclusion = body.get("conclusion", check.conclusion)
        completed = body.get("completed_at")
        check.completed_at = datetime.fromisoformat(completed) if completed else check.completed_at or now
    else:
        check.conclusion = check.completed_at = None
    check.status = status
    output = body.get("output", {})
    check.title = output.get("title", check.title)
    check.summary = output.get("summary", check.summary)
    check.text = output.get("text", check.text)
    check.annotations = [*check.annotations, *output.get("annotations", ())]


def _check(call: Call) -> CheckRun:
    check = call.hub.checks.get(call.number("check_run_id"))
    if check is None or check.repository_id != call.repository.repository_id:
        raise refusals.not_found()
    return check


def get_check(call: Call) -> Answer:
    return Answer(body=checks.check_run(call.hub, call.repository, _check(call)))


def get_annotations(call: Call) -> Answer:
    check = _check(call)
    page, headers = call.paged(check.annotations)
    return Answer(body=[checks.annotation(call.hub, call.repository, check, given) for given in page], headers=headers)


def get_checks_of_ref(call: Call) -> Answer:
    """Newest first. `filter=latest` (the default) gives the newest of each App and name."""
    sha, query = resolved(call, call.arguments["ref"]), call.query
    place = (call.repository.repository_id, sha)
    found = [check for check in call.hub.checks.values() if (check.repository_id, check.head_sha) == place]
    found = [check for check in found if query.get("check_name", check.name) == check.name]
    found = [check for check in found if query.get("app_id", str(check.app_id)) == str(check.app_id)]
    found = [check for check in found if query.get("status", check.status) == check.status]
    found.sort(key=lambda check: -check.check_run_id)
    if query.get("filter", "latest") == "latest":
        newest: dict[tuple[int, int, str], CheckRun] = {}
        for check in found:
            newest.setdefault((check.app_id, check.suite_id, check.name), check)
        found = list(newest.values())
    page, headers = call.paged(found)
    listed = [checks.check_run(call.hub, call.repository, check) for check in page]
    return Answer(body={"total_count": len(found), "check_runs": listed}, headers=headers)


_ONE = "/repos/{owner}/{repo}/check-runs/{check_run_id}"
OPERATIONS = (
    Operation("POST", "/repos/{owner}/{repo}/check-runs", ("checks:write",), create_check, CREATE_BODY),
    Operation("GET", _ONE, ("checks:read",), get_check),
    Operation("PATCH", _ONE, ("checks:write",), update_check, UPDATE_BODY),
    Operation("GET", f"{_ONE}/annotations", ("checks:read",), get_annotations),
    Operation("GET", "/repos/{owner}/{repo}/commits/{ref:path}/check-runs", ("checks:read",), get_checks_of_ref),
)

"""Our check run on a commit: found by name, App and external id; written only when it differs.

Check runs cannot be deleted, and of several with one name people see the youngest. So where comments keep the
oldest copy, checks keep the youngest: it is the one that is compared and edited, and older ones are out of sight.

Annotations can be added but never changed or taken back. When one that stands is no longer wanted (its cost has
changed), the check run is made anew and takes the old one's place, as GitHub Actions does for a re-run.
"""

from typing import Any

from app.core.report.values import Annotation, CheckOutput
from app.github.connection import Place
from app.github.put import same_text

ANNOTATIONS_A_REQUEST = 50


def put_check(
    place: Place,
    app_id: int,
    head_sha: str,
    output: CheckOutput,
    external_id: str,
    known_id: int | None,
    *,
    force: bool = False,
) -> int:
    """Make the commit's check run say `output`; its id. `known_id` helps where GitHub's list lags behind.

    `force` writes even when nothing differs: after "rerequested" GitHub waits for an answer.
    """
    check = _Check(place, app_id, head_sha, external_id)
    runs = check.runs(output.name)
    standing = runs[-1] if runs else check.known(known_id)
    if standing is None:
        return check.create(output, seen=0)
    there = check.annotations(standing)
    missing = [annotation for annotation in output.annotations if _key(annotation) not in there]
    if there - {_key(annotation) for annotation in output.annotations}:
        return check.create(output, seen=standing["id"])
    if force or missing or not _says(standing, output, external_id):
        check.update(standing["id"], output, missing)
    return int(standing["id"])


class _Check:
    """The check runs of one commit that are about one thing of ours."""

    def __init__(self, place: Place, app_id: int, head_sha: str, external_id: str) -> None:
        self._github = place.github
        self._path = place.path
        self._app_id = app_id
        self._head_sha = head_sha
        self._external_id = external_id

    def runs(self, name: str) -> list[dict[str, Any]]:
        """Ours, oldest first. All of them: two pulls can have one head, and only the external id tells them apart."""
        question = {"check_name": name, "app_id": str(self._app_id), "filter": "all"}
        path = self._path("commits", self._head_sha, "check-runs")
        return sorted(
            (run for run in self._github.pages(path, question, inside="check_runs") if self._ours(run)),
            key=lambda run: int(run["id"]),
        )

    def known(self, known_id: int | None) -> dict[str, Any] | None:
        run = None if known_id is None else self._github.find(self._path("check-runs", known_id))
        return run if run is not None and self._ours(run) else None

    def _ours(self, run: dict[str, Any]) -> bool:
        return (
            run.get("external_id") == self._external_id
            and run["head_sha"] == self._head_sha
            and (run.get("app") or {}).get("id") == self._app_id
        )

    def annotations(self, run: dict[str, Any]) -> set[tuple[object, ...]]:
        if not run["output"].get("annotations_count"):
            return set()
        return set(map(_key_there, self._github.pages(self._path("check-runs", run["id"], "annotations"))))

    def create(self, output: CheckOutput, seen: int) -> int:
        """A new check run; `seen` is the youngest id that we knew of. Its own id, or of one still younger."""
        first = output.annotations[:ANNOTATIONS_A_REQUEST]
        body = {"head_sha": self._head_sha, **self._body(output, first)}
        created = self._github.write("POST", self._path("check-runs"), body)
        self._add(created["id"], output, output.annotations[ANNOTATIONS_A_REQUEST:])
        others = [run for run in self.runs(output.name) if run["id"] > seen and run["id"] != created["id"]]
        if not others:
            return int(created["id"])
        # Somebody wrote while we were not looking: whoever holds the work now, and knows better than we do.
        # What people see is the youngest, so that one takes over the other's words.
        youngest = max(int(created["id"]), int(others[-1]["id"]))
        if youngest == created["id"]:
            self._github.write("PATCH", self._path("check-runs", youngest), _words_of(others[-1]))
        return youngest

    def update(self, check_run_id: int, output: CheckOutput, missing: list[Annotation]) -> None:
        first = tuple(missing[:ANNOTATIONS_A_REQUEST])
        self._github.write("PATCH", self._path("check-runs", check_run_id), self._body(output, first))
        self._add(check_run_id, output, tuple(missing[ANNOTATIONS_A_REQUEST:]))

    def _add(self, check_run_id: int, output: CheckOutput, rest: tuple[Annotation, ...]) -> None:
        for start in range(0, len(rest), ANNOTATIONS_A_REQUEST):
            body = self._body(output, rest[start : start + ANNOTATIONS_A_REQUEST])
            self._github.write("PATCH", self._path("check-runs", check_run_id), body)

    def _body(self, output: CheckOutput, annotations: tuple[Annotation, ...]) -> dict[str, Any]:
        words: dict[str, Any] = {"title": output.title, "summary": output.summary, "text": output.text}
        if annotations:
            words["annotations"] = [_annotation_body(annotation) for annotation in annotations]
        return {
            "name": output.name,
            "external_id": self._external_id,
            "status": "completed",
            "conclusion": output.conclusion,
            "output": words,
        }


def _says(run: dict[str, Any], output: CheckOutput, external_id: str) -> bool:
    there = run["output"]
    return (
        run["status"] == "completed"
        and (run["name"], run["conclusion"], run["external_id"]) == (output.name, output.conclusion, external_id)
        and all(same_text(there.get(part), getattr(output, part)) for part in ("title", "summary", "text"))
    )


def _words_of(run: dict[str, Any]) -> dict[str, Any]:
    there = run["output"]
    words = {part: there.get(part) or "" for part in ("title", "summary", "text")}
    return {"status": "completed", "conclusion": run["conclusion"], "output": words}


def _annotation_body(annotation: Annotation) -> dict[str, Any]:
    return {
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": annotation.level,
        "title": annotation.title,
        "message": annotation.message,
    }


def _key(annotation: Annotation) -> tuple[object, ...]:
    return _key_there(_annotation_body(annotation))


def _key_there(there: dict[str, Any]) -> tuple[object, ...]:
    words = tuple((there.get(part) or "").replace("\r\n", "\n").strip() for part in ("title", "message"))
    return (there["path"], there["start_line"], there["annotation_level"], *words)

"""What stories may ask of GitHub and put there, as one installation. It only hands on: the doing is next door.

Every method may raise Later, Refused and GitHubFailed.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from app.core.facts import (
    CommentFact,
    CommitFact,
    FileFact,
    JobEnd,
    ListedPull,
    PullFact,
    RepositoryFact,
    TeamRole,
    WorkflowRunFact,
)
from app.core.month import Month
from app.core.outcomes import Refused
from app.core.report.values import CheckOutput
from app.github import read
from app.github.checks import put_check
from app.github.comments import put_comment
from app.github.connection import Connection, Place
from app.github.issues import assign, put_issue, set_open
from app.github.put import Authorship, Put

MOST_COMMITS = 250  # GitHub lists no more of a pull
MOST_FILES = 300
MOST_REPOSITORIES = 100_000
MOST_JOBS = 1000  # of one attempt; a matrix has at most 256
MOST_COUNTED = 1000  # GitHub finds no more workflow runs in one search


class GitHubClient:
    """Reads give core facts, or None for what is not there. Puts repeat without effect."""

    def __init__(self, connection: Connection, app_id: int, bots: set[int]) -> None:
        self._connection = connection
        self._app_id = app_id
        self._authorship = Authorship(app_id, bots)

    def read_repositories(self) -> list[RepositoryFact]:
        """Every repository that the installation covers."""
        pages = self._connection.pages("/installation/repositories", inside="repositories")
        return [read.repository(body) for body in pages]

    def read_repository(self, owner: str, name: str) -> RepositoryFact | None:
        body = self._connection.find(self._at(owner, name).path())
        return None if body is None else read.repository(body)

    def read_property_values(self, organisation: str, name: str) -> dict[int, str]:
        """A custom property's value in each repository of an organisation, by its id; "" for none."""
        path = f"/orgs/{quote(organisation, safe='')}/properties/values"
        pages = self._connection.pages(path, most=MOST_REPOSITORIES)
        return {body["repository_id"]: read.property_value(body, name) for body in pages}

    def read_property_editors(self, organisation: str, name: str) -> str | None:
        """Who may edit a custom property's values: "org_actors", "org_and_repo_actors"; None: there is no such one."""
        path = f"/orgs/{quote(organisation, safe='')}/properties/schema/{quote(name, safe='')}"
        body = self._connection.find(path)
        return None if body is None else body.get("values_editable_by") or "org_actors"

    def read_teams(self, organisation: str, most: int) -> tuple[list[str], bool]:
        """The slugs of an organisation's first teams, and whether there are more."""
        teams, more = self._first(f"/orgs/{quote(organisation, safe='')}/teams", most)
        return [body["slug"] for body in teams], more

    def read_team_roles(self, organisation: str, team: str, most: int) -> tuple[dict[int, TeamRole], bool]:
        """What a team may do with its first repositories, by id, and whether it has more; no role below write."""
        path = f"/orgs/{quote(organisation, safe='')}/teams/{quote(team, safe='')}/repos"
        repositories, more = self._first(path, most)
        return {body["id"]: role for body in repositories if (role := read.team_role(body)) is not None}, more

    def _first(self, path: str, most: int) -> tuple[list[dict[str, Any]], bool]:
        """The first items of a list, and whether there are more."""
        found = list(self._connection.pages(path, most=most + 1))
        return found[:most], len(found) > most

    def read_pull(self, owner: str, name: str, number: int) -> PullFact | None:
        """The pull as it stands now; merged when it has a merge time, whatever else it claims."""
        body = self._connection.find(self._at(owner, name).path("pulls", number))
        return None if body is None else read.pull(body)

    def list_pulls(
        self, owner: str, name: str, state: str, sort: str, page: int, size: int
    ) -> tuple[list[ListedPull], bool]:
        """A page (from 1, of at most 100) of the pulls in a state, the newest first, and whether there are more.

        `state` is "open" or "closed", `sort` "created" or "updated". Refused(404) without the repository.
        """
        question = {"state": state, "sort": sort, "direction": "desc", "per_page": str(size), "page": str(page)}
        found, more = self._connection.page(self._at(owner, name).path("pulls"), question)
        return [read.listed_pull(body) for body in found], more

    def read_pull_commits(self, owner: str, name: str, number: int) -> list[CommitFact]:
        """The pull's commits, oldest first, at most 250. Refused(404) without the pull."""
        path = self._at(owner, name).path("pulls", number, "commits")
        return [read.commit(body) for body in self._connection.pages(path, most=MOST_COMMITS)]

    def read_pull_files(self, owner: str, name: str, number: int) -> list[str]:
        """Paths in the pull's diff that stand at its head (removed ones cannot be annotated), at most 300 looked at."""
        path = self._at(owner, name).path("pulls", number, "files")
        files = self._connection.pages(path, most=MOST_FILES)
        return [body["filename"] for body in files if body.get("status") != "removed"]

    def read_workflow_run(self, owner: str, name: str, run_id: int, attempt: int) -> WorkflowRunFact | None:
        """GitHub's record of one attempt (from 1) of a run."""
        body = self._connection.find(self._at(owner, name).path("actions", "runs", run_id, "attempts", attempt))
        return None if body is None else read.workflow_run(body)

    def read_job_ends(self, owner: str, name: str, run_id: int, attempt: int) -> list[JobEnd]:
        """How the jobs of one attempt ended; none where GitHub does not tell."""
        path = self._at(owner, name).path("actions", "runs", run_id, "attempts", attempt, "jobs")
        try:
            return [read.job_end(body) for body in self._connection.pages(path, inside="jobs", most=MOST_JOBS)]
        except Refused as no:
            if no.status in (404, 410):
                return []
            raise

    def count_workflow_runs(self, owner: str, name: str, file: str, month: Month) -> int | None:
        """How many runs of a workflow (its file's name) were created in a month and not skipped as a whole.

        None where GitHub does not tell: it knows no such workflow, or it found so many that the rest is not certain.
        """
        try:
            path = self._at(owner, name).path("actions", "workflows", file, "runs")
        except ValueError:
            return None
        span = {"created": f"{month.start:%Y-%m-%d}..{month.end - timedelta(days=1):%Y-%m-%d}", "per_page": "1"}
        every = self._connection.find(path, span)
        if every is None or not every["total_count"]:
            return None if every is None else 0
        skipped = self._connection.find(path, {**span, "status": "skipped"})
        if skipped is None:
            return None
        others = int(every["total_count"]) - int(skipped["total_count"])
        return None if others <= 0 and skipped["total_count"] >= MOST_COUNTED else max(0, others)

    def read_folder(self, owner: str, name: str, path: str) -> list[FileFact]:
        """The files in a folder of the default branch; none where there is no such folder."""
        where = self._at(owner, name).path("contents", *path.split("/"))
        return read.folder(self._connection.find(where))

    def read_file(self, owner: str, name: str, path: str, ref: str) -> str | None:
        """A file's text at a ref ("" for the default branch); None for what is no readable file up to 1 MB."""
        try:
            where = self._at(owner, name).path("contents", *path.split("/"))
        except ValueError:
            return None
        return read.file_text(self._connection.find(where, {"ref": ref} if ref else None))

    def read_comment(self, owner: str, name: str, comment_id: int) -> CommentFact | None:
        """A comment on an issue or a pull as it stands now."""
        body = self._connection.find(self._at(owner, name).path("issues", "comments", comment_id))
        return None if body is None else read.comment(body)

    def may_write(self, owner: str, name: str, login: str, user_id: int) -> bool:
        """Whether a person may push to the repository, at this moment. False where GitHub does not tell."""
        body = self._connection.find(self._at(owner, name).path("collaborators", login, "permission"))
        return body is not None and read.may_write(body, user_id)

    def react(self, owner: str, name: str, comment_id: int, content: str) -> None:
        """Put our reaction ("+1", "confused") below a comment; the same one twice is one."""
        path = self._at(owner, name).path("issues", "comments", comment_id, "reactions")
        self._connection.write("POST", path, {"content": content})

    def put_check(
        self,
        owner: str,
        name: str,
        head_sha: str,
        output: CheckOutput,
        external_id: str,
        known_id: int | None,
        *,
        force: bool = False,
    ) -> int:
        """Make our check run on the commit say `output`; its id. See checks.py."""
        return put_check(self._at(owner, name), self._app_id, head_sha, output, external_id, known_id, force=force)

    def put_comment(
        self, owner: str, name: str, number: int, body: str, marker: str, known_id: int | None, *, anew: bool = False
    ) -> Put:
        """Make our comment on the pull say `body`. See comments.py."""
        return put_comment(self._at(owner, name), self._authorship, number, body, marker, known_id, anew=anew)

    def put_issue(
        self,
        owner: str,
        name: str,
        title: str,
        body: str,
        marker: str,
        known_id: int | None,
        label: str,
        *,
        anew: bool = False,
    ) -> Put:
        """Make our issue say `title` and `body`. See issues.py."""
        where = self._at(owner, name)
        return put_issue(where, self._authorship, title, body, marker, known_id, label, anew=anew)

    def set_issue_open(self, owner: str, name: str, number: int, is_open: bool) -> None:
        """Close our issue, or open it again. See issues.py."""
        set_open(self._at(owner, name), number, is_open)

    def assign(self, owner: str, name: str, number: int, logins: Sequence[str]) -> list[str]:
        """Assign our issue to those of the people who can be; who they are. See issues.py."""
        return assign(self._at(owner, name), number, logins)

    def _at(self, owner: str, name: str) -> Place:
        return Place(self._connection, owner, name)

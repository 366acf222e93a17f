"""Looks where agents run without leaving a record: reads a repository's workflow files and asks GitHub how often each
of those with agent steps ran in a month.

Nothing is guessed: a file that cannot be read, and runs that GitHub does not tell, are kept as unknown.
"""

import logging
import re
from typing import TYPE_CHECKING

from app.core.month import Month
from app.core.outcomes import Refused
from app.core.survey import SurveyedWorkflow
from app.core.workflow_agents import FileAgents, agents_of_files
from app.store.accounts import repository_of
from app.store.queue import Job
from app.store.surveys import recorded_jobs, save_survey
from app.store.tables import Repository
from app.world import World

if TYPE_CHECKING:
    from app.github.client import GitHubClient

FOLDER = ".github/workflows"
WORKFLOW_FILE = re.compile(r"[^/]+\.ya?ml")
MOST_FILES = 50
LARGEST_BYTES = 500_000
log = logging.getLogger(__name__)


def survey(job: Job, world: World) -> None:
    """Survey one repository (`repository_id`) for one month; a second survey takes the first one's place."""
    month = Month.parse(str(job.args["month"]))
    with world.db.reading() as session:
        repository = repository_of(session, job.account_id, int(job.args["repository_id"]))
    github = world.client(job.account_id)
    if github is None or repository is None or repository.state != "installed" or repository.archived:
        return
    present = github.read_repository(repository.owner, repository.name)
    if present is None or present.repository_id != repository.repository_id:
        return  # moved or gone: its event and the hourly refresh tell, and another may have its name
    agents = agents_of_files(_texts(github, repository))
    runs = {path: _runs(github, repository, path, month) for path, found in agents.items() if found and found.agents}
    with world.db.transaction() as session:
        recorded = recorded_jobs(session, repository, month)
        found = [_surveyed(path, of, runs.get(path), recorded[path]) for path, of in agents.items()]
        save_survey(session, repository, month, found, world.now())


def _surveyed(path: str, found: FileAgents | None, runs: int | None, recorded: int) -> SurveyedWorkflow:
    if found is None:
        return SurveyedWorkflow(path, None, own_step=False, runs=None, recorded_jobs=recorded)
    return SurveyedWorkflow(path, found.agents, found.own_step, runs, recorded)


def _texts(github: "GitHubClient", repository: Repository) -> dict[str, str | None]:
    """The workflow files of the default branch by path; None for what is too large, too many or refused.

    Where the folder itself is refused, it stands there alone and unread.
    """
    try:
        files = github.read_folder(repository.owner, repository.name, FOLDER)
    except Refused as no:
        log.warning("account %s: %s/%s: %s", repository.account_id, repository.name, FOLDER, no)
        return {FOLDER: None}
    workflows = sorted((file.name, file.size_bytes) for file in files if WORKFLOW_FILE.fullmatch(file.name))
    return {
        f"{FOLDER}/{name}": _text(github, repository, name) if number < MOST_FILES and size <= LARGEST_BYTES else None
        for number, (name, size) in enumerate(workflows)
    }


def _text(github: "GitHubClient", repository: Repository, name: str) -> str | None:
    try:
        return github.read_file(repository.owner, repository.name, f"{FOLDER}/{name}", "")
    except Refused as no:
        log.warning("account %s: %s/%s/%s: %s", repository.account_id, repository.name, FOLDER, name, no)
        return None


def _runs(github: "GitHubClient", repository: Repository, path: str, month: Month) -> int | None:
    try:
        return github.count_workflow_runs(repository.owner, repository.name, path.rpartition("/")[2], month)
    except Refused as no:
        log.warning("account %s: runs of %s/%s: %s", repository.account_id, repository.name, path, no)
        return None

"""Who the App is installed on, which repositories it sees there, and what their owners configured.

An installation's event is a hint: its present state is read from GitHub, so events in any order end the same.
"""

import json
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlmodel import Session

from app.core.config import in_force, read
from app.core.config_file import CONFIG_FILE, Problem
from app.core.events import InstallationEvent, RepositoryEvent
from app.core.facts import InstallationFact, RepositoryFact
from app.core.month import Month
from app.store.accounts import (
    active_accounts,
    installation_of,
    remove_repository,
    repositories_of,
    save_installation,
    save_repository,
)
from app.store.configs import config_of, problems_of, save_config
from app.store.effects import latest_summary
from app.store.jobs import run_job
from app.store.keys import us
from app.store.properties import properties_job
from app.store.pulls import unread_jobs
from app.store.queue import Job, NewJob, enqueue, enqueue_all, resettle_job
from app.store.readings import ask_for_readings, never_read
from app.store.surveys import survey_job
from app.store.tables import Installation
from app.world import World

if TYPE_CHECKING:
    from app.github.client import GitHubClient

CONFIG_REPOSITORIES = (".github-private", ".github")
FIRST_SURVEY = timedelta(hours=1)
SURVEY_SPACING = timedelta(seconds=10)
log = logging.getLogger(__name__)


def on_installation(event: InstallationEvent, world: World) -> None:
    """`installation` and `installation_repositories`: keep the installation's present state, then read around it."""
    present = world.github.installation(event.installation_id)
    with world.db.transaction() as session:
        if present is not None:
            _keep_installation(world, session, present)
            ask_to_refresh(world, session, present.account_id)
            enqueue(session, properties_job(present.account_id, world.now()), world.now())
            return
        # Gone. A later installation of the same account is another one, and stays.
        known = installation_of(session, event.account_id)
        if known is not None and known.installation_id == event.installation_id:
            _mark_deleted(world, session, event.account_id)


def discover(_job: Job, world: World) -> None:
    """Learn of every installation there is: the App may have been installed while nobody heard its events."""
    found = list(world.github.present_installations())
    for present in found:
        with world.db.transaction() as session:
            known = installation_of(session, present.account_id)
            _keep_installation(world, session, present)
            if known is None or (known.state, known.installation_id) != ("active", present.installation_id):
                ask_to_refresh(world, session, present.account_id)
    with world.db.transaction() as session:
        for account_id in set(active_accounts(session)) - {present.account_id for present in found}:
            _mark_deleted(world, session, account_id)


def _mark_deleted(world: World, session: Session, account_id: int) -> None:
    known = installation_of(session, account_id)
    if known is not None:
        known.state = "deleted"
        known.updated_at_us = us(world.now())
        save_installation(session, known)


def _keep_installation(world: World, session: Session, present: InstallationFact) -> None:
    save_installation(
        session,
        Installation(
            account_id=present.account_id,
            installation_id=present.installation_id,
            account_login=present.account_login,
            account_type=present.account_type,
            state="suspended" if present.suspended else "active",
            permissions=json.dumps(present.permissions, sort_keys=True),
            updated_at_us=us(world.now()),
        ),
    )


def on_repository(event: RepositoryEvent, world: World) -> None:
    """`repository` (renamed, transferred, archived, made public …): keep it as GitHub tells it now."""
    repository_id = event.repository.repository_id
    if event.action == "deleted":
        with world.db.transaction() as session:
            remove_repository(session, event.account_id, repository_id, world.now())
        return
    github = world.client(event.account_id)
    present = github.read_repository(event.repository.owner, event.repository.name) if github else None
    if present is not None and present.repository_id != repository_id:
        present = None  # another repository took the name; the refresh brings them both
    with world.db.transaction() as session:
        if present is not None:
            save_repository(session, event.account_id, present, world.now())
        ask_to_refresh(world, session, event.account_id)


def ask_to_refresh(world: World, session: Session, account_id: int) -> None:
    """Have the account's repositories and configuration read soon."""
    new = NewJob(account_id, f"{account_id}/installation", "refresh", "refresh", {}, world.now())
    enqueue(session, new, world.now())


def refresh(job: Job, world: World) -> None:
    """Read an account's repositories and its configuration file, and look again at what could not be read before."""
    github = world.client(job.account_id)
    if github is None:
        return
    repositories = github.read_repositories()
    with world.db.transaction() as session:
        _keep_repositories(session, job.account_id, repositories, world.now())
        for unread in unread_jobs(session, job.account_id):
            where = job.account_id, unread.repository_id, unread.run_id
            enqueue(session, run_job(*where, "place", unread.id, world.now()), world.now())
        installation = installation_of(session, job.account_id)
    if installation is not None:
        _read_config(world, github, installation)


def _keep_repositories(session: Session, account_id: int, facts: list[RepositoryFact], now: datetime) -> None:
    present = {fact.repository_id for fact in facts}
    before = repositories_of(session, account_id)
    for fact in facts:
        save_repository(session, account_id, fact, now)
    _ask_to_survey(session, account_id, present - {known.repository_id for known in before}, now)
    back = present & {known.repository_id for known in before if known.state != "installed"}
    ask_for_readings(session, account_id, [*never_read(session, account_id), *back], now)
    for known in before:
        if known.repository_id not in present and known.state == "installed":
            remove_repository(session, account_id, known.repository_id, now)


def _ask_to_survey(session: Session, account_id: int, repository_ids: Iterable[int], now: datetime) -> None:
    """Have new repositories surveyed for the present month, once their first jobs have had the time to report."""
    first, month = now + FIRST_SURVEY, Month.of(now)
    jobs = [
        survey_job(account_id, repository_id, month, first + SURVEY_SPACING * number)
        for number, repository_id in enumerate(sorted(repository_ids))
    ]
    enqueue_all(session, jobs, now)


def _read_config(world: World, github: "GitHubClient", installation: Installation) -> None:
    account_id, owner = installation.account_id, installation.account_login
    for name in CONFIG_REPOSITORIES:
        repository = github.read_repository(owner, name)
        text = github.read_file(owner, name, CONFIG_FILE, "") if repository else None
        if repository is not None and text is not None:
            return _keep_config(world, account_id, f"{owner}/{name}", repository.public, text)
    return _keep_config(world, account_id, "", False, "")


def _keep_config(world: World, account_id: int, source: str, public: bool, text: str) -> None:
    _, found = read(text, public)
    problems = [_sentence(source, problem) for problem in found]
    with world.db.transaction() as session:
        version = config_of(session, account_id)
        told_before, before = problems_of(version), in_force(version.good_text, version.public)
        version.source, version.public = source, public
        save_config(session, version, text, problems, world.now())
        after = in_force(version.good_text, version.public)
        if after.evidence_rules != before.evidence_rules:
            enqueue(session, resettle_job(account_id, "", world.now()), world.now())
        if after.chargeback.property_name != before.chargeback.property_name:
            enqueue(session, properties_job(account_id, world.now()), world.now())
        if tuple(problems) != told_before:
            # People look at the summary issue: a mistake, or its end, is told there now and not in a month.
            ask_to_summarize(world, session, account_id)
    for problem in problems:
        log.warning("account %s: %s; the last good configuration stays in force", account_id, problem)


def _sentence(source: str, problem: Problem) -> str:
    return f"{source}/{CONFIG_FILE}, line {problem.line}: {problem.sentence}"


def ask_to_summarize(world: World, session: Session, account_id: int) -> None:
    """Have the summary that people have before them made again; without one, that of the present month."""
    month = latest_summary(session, account_id) or Month.of(world.now())
    lane = f"{account_id}/summary"
    new = NewJob(account_id, lane, "summary", f"summary/{month}", {"month": str(month)}, world.now())
    enqueue(session, new, world.now())

"""Reads the pulls of a repository by listing them: what no event told, because there was nobody to hear it.

A page is the unit: what it brings, how far it came and the job for the next one are one transaction, so that a process
may end anywhere. What we do not hold is written from the list; what agent runs could concern, or what differs from what
we hold, is then read in the pull's own lane. It rests while what is left of the account's requests is for others.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlmodel import Session

from app.core.facts import CommitFact, ListedPull, PullFact, PullState
from app.core.outcomes import Refused
from app.store.accounts import repository_of
from app.store.jobs import pull_job
from app.store.keys import instant, us
from app.store.listed import (
    add_pull,
    closed_issues,
    differs,
    held_pulls,
    seen_again,
    touched,
    unseen_open,
    without_commits,
)
from app.store.pulls import Linked, PullKey
from app.store.queue import Job, enqueue_all
from app.store.reading_tables import PullReading
from app.store.readings import (
    ask_for_readings,
    first_job_at,
    place_of,
    readable,
    reading_job,
    reading_of,
    still_at,
)
from app.store.spare import Spare
from app.store.tables import Pull, Repository
from app.world import World

if TYPE_CHECKING:
    from app.github.client import GitHubClient

PAGE = 50  # of which the commits of each may have to be asked for: so long a thread is taken
# So far apart are those that are to be read again: what happens meanwhile finds its turn between them.
READ_AGAIN_SPACING = timedelta(milliseconds=250)
AT_ONCE = 20
SORTED_BY = {"open": "created", "closed": "updated"}
log = logging.getLogger(__name__)

Links = Callable[[Repository, PullFact, Sequence[CommitFact]], Linked]


@dataclass(slots=True)
class Page:
    """What a page of the list says beside what we hold."""

    facts: list[PullFact]
    more: bool
    held: dict[int, Pull]
    commits: dict[int, list[CommitFact]] = field(default_factory=dict)  # of those that we do not hold
    closes: dict[int, frozenset[int]] = field(default_factory=dict)  # the issues that each closes
    read_again: set[int] = field(default_factory=set)


def pulls_of(links: Links) -> Callable[[Job, World], None]:
    """The story of a page; `links` tells what a pull says of other pulls and of issues."""

    def pulls(job: Job, world: World) -> None:
        repository_id = int(job.args["repository_id"])
        with world.db.reading() as session:
            repository = repository_of(session, job.account_id, repository_id)
            reading = reading_of(session, job.account_id, repository_id)
        spare = Spare(world.allowance(job.account_id))
        github = world.client(job.account_id, spare)
        if github is None or repository is None or reading is None or not reading.part:
            return
        if repository.state != "installed":
            return  # when it comes back it is read from here on
        place = place_of(reading)
        try:
            page = _page(world, github, spare, repository, reading, links)
        except Refused as no:
            # The next sweep asks again, from where the last whole reading began.
            log.warning("account %s: pulls of %s/%s: %s", job.account_id, repository.owner, repository.name, no)
            reading.part = ""
            page = None
        with world.db.transaction() as session:
            if still_at(session, reading, place):  # else it was begun anew, to go further back: that has its own job
                _keep(session, page, repository, reading, links, world.now())

    return pulls


def sweep(job: Job, world: World) -> None:
    """Have the pulls of all of an account's repositories read, each since its last reading."""
    with world.db.transaction() as session:
        ask_for_readings(session, job.account_id, readable(session, job.account_id), world.now())


def _page(
    world: World, github: "GitHubClient", spare: Spare, repository: Repository, reading: PullReading, links: Links
) -> Page | None:
    where = repository.owner, repository.name
    listed, more = github.list_pulls(*where, reading.part, SORTED_BY[reading.part], reading.page, PAGE)
    if any(each.repository_id != repository.repository_id for each in listed):
        log.warning("account %s: another repository has the name %s/%s", reading.account_id, *where)
        return None  # the hourly refresh brings them both, and the next sweep goes on from this page
    wanted = [each for each in listed if reading.part == "open" or us(each.updated_at) >= reading.since_us]
    _note(reading, wanted)
    numbers = [each.pull.number for each in wanted]
    with world.db.reading() as session:
        page = Page(
            facts=[each.pull for each in wanted],
            more=more and len(wanted) == len(listed),
            held=held_pulls(session, reading, numbers),
        )
        page.closes = {fact.number: links(repository, fact, ()).closes for fact in page.facts}
        known_closes = closed_issues(session, reading, numbers)
        lacking = without_commits(session, reading, numbers)
        first_job = first_job_at(session, reading.account_id, reading.repository_id)
        page.read_again = touched(session, reading, page.facts, {}, page.closes) - page.held.keys()
    for fact in page.facts:
        held, commits_matter = page.held.get(fact.number), _commits_matter(fact, first_job)
        if held is not None:
            new = differs(held, fact, links(repository, fact, ())) or (fact.number in lacking and commits_matter)
            if new or page.closes[fact.number] != known_closes.get(fact.number, set()):
                page.read_again.add(fact.number)
        elif commits_matter and fact.number not in page.read_again:
            spare.check()
            page.commits[fact.number] = github.read_pull_commits(*where, fact.number)
    return page


def _commits_matter(fact: PullFact, first_job: datetime | None) -> bool:
    """Whether an agent run that is recorded, or will be, can be known by a commit of the pull alone."""
    if fact.state is PullState.OPEN or fact.closed_at is None:
        return True
    return first_job is not None and first_job <= fact.closed_at


def _note(reading: PullReading, wanted: Sequence[ListedPull]) -> None:
    reading.listed += len(wanted)
    if reading.part == "closed" and wanted:
        reading.back_to_us = us(wanted[-1].updated_at)


def _keep(
    session: Session, page: Page | None, repository: Repository, reading: PullReading, links: Links, now: datetime
) -> None:
    """Write what the page brought, where the reading is now, and what is to be done next."""
    reading.updated_at_us = us(now)
    if page is None:
        session.merge(reading)
        return
    again = page.read_again | touched(session, reading, page.facts, page.commits, page.closes) - page.held.keys()
    for fact in page.facts:
        if fact.number in page.held:
            continue
        key, commits = _key(reading, fact.number), page.commits.get(fact.number, ())
        linked = links(repository, fact, commits)
        if add_pull(session, key, fact, linked, commits, now):
            reading.added += 1
            if linked.reverts is not None or linked.reverts_shas:
                again.add(fact.number)
    seen_again(session, reading, page.held.keys() - again, now)
    if not page.more and reading.part == "closed":
        again |= set(unseen_open(session, reading))
    reading.read_again += len(again)
    jobs = [pull_job(_key(reading, number), "read", _due(now, place)) for place, number in enumerate(sorted(again))]
    _turn(reading, page)
    if reading.part:
        jobs.append(reading_job(reading.account_id, reading.repository_id, now))
    session.merge(reading)
    enqueue_all(session, jobs, now)
    _tell(repository, reading)


def _due(now: datetime, place: int) -> datetime:
    return now + READ_AGAIN_SPACING * max(0, place - AT_ONCE)


def _turn(reading: PullReading, page: Page) -> None:
    """To the next page, from the open pulls to the closed ones, or to the end."""
    if page.more:
        reading.page += 1
    elif reading.part == "open":
        reading.part, reading.page = "closed", 1
    else:
        reading.part, reading.page, reading.read_until_us = "", 1, reading.started_at_us


def _tell(repository: Repository, reading: PullReading) -> None:
    whole = not reading.part
    if whole and not (reading.added or reading.read_again):
        return
    back = f", back to {instant(reading.back_to_us):%Y-%m-%d}" if reading.back_to_us else ""
    log.log(
        logging.INFO if whole or reading.page % 10 == 0 else logging.DEBUG,
        "account %s: pulls of %s/%s %s: %d listed%s, %d new, %d to be read again",
        reading.account_id, repository.owner, repository.name, "read" if whole else f"({reading.part}) being read",
        reading.listed, back, reading.added, reading.read_again,
    )  # fmt: skip


def _key(reading: PullReading, number: int) -> PullKey:
    return PullKey(reading.account_id, reading.repository_id, number)

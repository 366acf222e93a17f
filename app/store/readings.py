"""Readings of a repository's pulls by listing them: how far each one came, and the job that goes on with it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from app.store.keys import instant, us
from app.store.queue import NewJob, behind, enqueue_all
from app.store.queue_tables import Bucket
from app.store.reading_tables import PullReading
from app.store.tables import Repository, WorkflowJob

# GitHub's lists may lag behind, and its clock is not ours.
OVERLAP = timedelta(hours=1)
FIRST_DAYS = timedelta(days=90)
# An agent may have worked so long before its pull was touched last: later it is abandoned.
BEFORE_AGENTS = timedelta(days=14)


def reading_job(account_id: int, repository_id: int, due: datetime) -> NewJob:
    """The job that reads the next page of a repository's pulls, behind whatever else is due."""
    args = {"repository_id": repository_id}
    return NewJob(account_id, behind(account_id), "pulls", f"pulls/{repository_id}", args, due)


def readable(session: Session, account_id: int) -> list[int]:
    """The repositories of an account that the App can see."""
    query = select(Repository.repository_id).where(Repository.account_id == account_id, Repository.state == "installed")
    return list(session.exec(query.order_by(col(Repository.repository_id))))


def never_read(session: Session, account_id: int) -> list[int]:
    """Those of them of which no reading was ever begun."""
    begun = set(session.exec(select(PullReading.repository_id).where(PullReading.account_id == account_id)))
    return [repository_id for repository_id in readable(session, account_id) if repository_id not in begun]


def reading_of(session: Session, account_id: int, repository_id: int) -> PullReading | None:
    return session.get(PullReading, (account_id, repository_id))


def place_of(reading: PullReading) -> tuple[str, int, int, int]:
    """Where a reading is, and which one it is."""
    return reading.part, reading.page, reading.since_us, reading.started_at_us


def still_at(session: Session, reading: PullReading, place: tuple[str, int, int, int]) -> bool:
    """Whether a reading is where it was; it stays there until the transaction ends."""
    key = reading.account_id, reading.repository_id
    row = session.get(PullReading, key, with_for_update=True)
    return row is not None and place_of(row) == place


def ask_for_readings(
    session: Session,
    account_id: int,
    repository_ids: Iterable[int],
    now: datetime,
    since: datetime | None = None,
    due: datetime | None = None,
) -> int:
    """Have each repository's pulls read, since `since` or from where the last reading began; how many there are.

    A reading that is under way goes on, and only starts anew to go further back.
    """
    chosen = list(repository_ids)
    for repository_id in chosen:
        reading = reading_of(session, account_id, repository_id)
        reading = reading or PullReading(account_id=account_id, repository_id=repository_id)
        wanted = us(since or _since(session, reading, now))
        if not reading.part or (since is not None and wanted < reading.since_us):
            session.add(_begun(reading, wanted, now))
    session.flush()
    enqueue_all(session, [reading_job(account_id, each, due or now) for each in chosen], now)
    return len(chosen)


def _since(session: Session, reading: PullReading, now: datetime) -> datetime:
    """Where a reading of its own accord stops: where the last one began, or as far back as agent runs can matter."""
    if reading.read_until_us is not None:
        return instant(reading.read_until_us) - OVERLAP
    return _history(session, reading.account_id, reading.repository_id, now)


def _history(session: Session, account_id: int, repository_id: int, now: datetime) -> datetime:
    first = first_job_at(session, account_id, repository_id)
    return min(now - FIRST_DAYS, first - BEFORE_AGENTS if first else now)


def ask_for_history(session: Session, account_id: int, since: datetime | None, now: datetime) -> None:
    """Have all of an account's pulls read, back to `since`, or as far as agent runs can matter."""
    for repository_id in readable(session, account_id):
        back_to = since or _history(session, account_id, repository_id, now)
        ask_for_readings(session, account_id, [repository_id], now, back_to)


def first_job_at(session: Session, account_id: int, repository_id: int) -> datetime | None:
    """When the first job of a repository that reported began; None where none did."""
    query = select(func.min(WorkflowJob.started_at_us), func.min(WorkflowJob.opened_at_us)).where(
        WorkflowJob.account_id == account_id, WorkflowJob.repository_id == repository_id
    )
    times = [at_us for at_us in session.exec(query).one() if at_us is not None]
    return instant(min(times)) if times else None


def _begun(reading: PullReading, since_us: int, now: datetime) -> PullReading:
    reading.part, reading.page, reading.since_us = "open", 1, since_us
    reading.started_at_us = reading.updated_at_us = us(now)
    reading.back_to_us, reading.listed, reading.added, reading.read_again = None, 0, 0, 0
    return reading


@dataclass(frozen=True, slots=True)
class Progress:
    """The readings of an account together: repositories, those that are done, and pulls."""

    repositories: int
    done: int
    listed: int
    added: int
    read_again: int
    back_to: datetime | None
    due: datetime | None  # the next page; None when there is none to come

    @property
    def over(self) -> bool:
        return self.due is None

    def text(self) -> str:
        """One line for people."""
        back = f", back to {self.back_to:%Y-%m-%d}" if self.back_to else ""
        counts = f"{self.listed} pulls listed{back}: {self.added} new, {self.read_again} to be read again"
        return f"{self.done} of {self.repositories} repositories read, {counts}"


def progress(session: Session, account_id: int) -> Progress:
    """How far the readings of an account are."""
    wanted = set(readable(session, account_id))
    query = select(PullReading).where(PullReading.account_id == account_id)
    found = [reading for reading in session.exec(query) if reading.repository_id in wanted]
    back = [reading.back_to_us for reading in found if reading.back_to_us is not None]
    bucket = session.get(Bucket, account_id)
    due_us = session.connection().execute(NEXT_PAGE, {"lane": behind(account_id)}).scalar()
    if due_us is not None and bucket is not None:
        due_us = max(due_us, bucket.blocked_until_us, bucket.rests_until_us)
    return Progress(
        repositories=len(wanted),
        done=sum(not reading.part and reading.read_until_us == reading.started_at_us for reading in found),
        listed=sum(reading.listed for reading in found),
        added=sum(reading.added for reading in found),
        read_again=sum(reading.read_again for reading in found),
        back_to=instant(min(back)) if back else None,
        due=instant(due_us) if due_us is not None else None,
    )


NEXT_PAGE = text("SELECT min(run_at_us) FROM job WHERE lane = :lane AND kind = 'pulls' AND state < 2")

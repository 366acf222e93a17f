"""The tables of the queue: what came in, what is to be done, and what GitHub lets us do."""

from sqlalchemy import Column, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from app.store.columns import integer, key_integer, long_text

WAITING = text("state = 0")
UNFINISHED = text("state < 2")
BUSY = text("next_at_us IS NOT NULL")


class Inbox(SQLModel, table=True):
    """A delivery, durable before it is acknowledged. The key is kept after the payload is dropped."""

    delivery_id: str = Field(primary_key=True)
    event: str
    action: str
    installation_id: int = integer(default=0)
    account_id: int = integer(default=0)
    repository_id: int = integer(default=0)
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # zlib
    state: str = "waiting"  # "waiting", "done", "dead", "ignored"
    received_at_us: int = integer(index=True)


class Job(SQLModel, table=True):
    """One thing to do. At most one job with the same `dedupe` waits at a time; a running one does not count."""

    __table_args__ = (
        Index("ix_job_lane", "lane", "run_at_us", "id", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
        Index("uq_job_waiting", "dedupe", unique=True, sqlite_where=WAITING, postgresql_where=WAITING),
        Index("ix_job_state", "state", "created_at_us"),
    )  # fmt: skip
    id: str = Field(primary_key=True)
    account_id: int = integer()
    lane: str
    kind: str
    dedupe: str
    args: str = long_text("{}")  # JSON
    run_at_us: int = integer()
    attempts: int = integer(default=0)
    state: int = integer(default=0)  # 0 waiting, 1 running, 2 done, 3 dead
    error: str = long_text()
    created_at_us: int = integer()


class Lane(SQLModel, table=True):
    """One thing at a time for each key. Claimed with a lease and a fencing token that only grows."""

    __table_args__ = (Index("ix_lane_next", "next_at_us", sqlite_where=BUSY, postgresql_where=BUSY),)
    key: str = Field(primary_key=True)
    account_id: int = integer()
    next_at_us: int | None = integer(default=None, nullable=True)  # None: nothing waits
    lease_until_us: int = integer(default=0)
    fence: int = integer(default=0)


class Bucket(SQLModel, table=True):
    """What GitHub lets us do for one account, and when."""

    account_id: int = key_integer()
    blocked_until_us: int = integer(default=0)  # rate limits, primary or secondary
    next_write_at_us: int = integer(default=0)
    next_create_at_us: int = integer(default=0)
    offered_until_us: int = integer(default=0)  # those who must wait are told distinct times, up to this one
    minute_us: int = integer(default=0)
    creates_in_minute: int = integer(default=0)
    hour_us: int = integer(default=0)
    creates_in_hour: int = integer(default=0)
    remaining: int = integer(default=-1)
    rests_until_us: int = integer(default=0)  # until then what may wait leaves the hour's requests to the rest


class DeliverySweep(SQLModel, table=True):
    """How far GitHub's list of deliveries was read. One row: the list is the App's, not an account's."""

    __tablename__ = "delivery_sweep"
    app_id: int = key_integer()
    swept_until_us: int = integer(default=0)  # every delivery before was looked at
    newest_us: int = integer(default=0)  # of the reading under way
    cursor: str = ""  # its next page; "" when none is under way
    arriving: bool = True  # whether the newest attempt arrived: else there is no use in asking for many
    read_at_us: int = integer(default=0)


class Undelivered(SQLModel, table=True):
    """A delivery that GitHub could not bring us, by its guid; when it was asked for again, and how often."""

    __table_args__ = (Index("ix_undelivered_due", "state", "due_at_us"),)
    guid: str = Field(primary_key=True)
    delivery_id: int = integer()  # of its latest attempt
    event: str
    delivered_at_us: int = integer()
    state: str = "lost"  # "lost", "arrived", "gone" (GitHub keeps it no more)
    asked: int = integer(default=0)
    asked_at_us: int = integer(default=0)
    due_at_us: int = integer()


class Schedule(SQLModel, table=True):
    """A recurring thing. Whoever moves `next_at_us` forward first has the slot: no leader needed."""

    name: str = Field(primary_key=True)
    next_at_us: int = integer()

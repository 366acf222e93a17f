"""The tables of the roll-ups: sums that metrics are made of. All of it can be computed again from the books."""

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from app.store.columns import integer, key_integer, long_text


class Rollup(SQLModel, table=True):
    """A repository's sums in a month, of every scope of one dimension. No row: nothing."""

    __table_args__ = (Index("ix_rollup_repository", "account_id", "repository_id"),)
    account_id: int = key_integer()
    month: int = key_integer()  # yyyymm
    dimension: str = Field(primary_key=True)  # Dimension; "month": what is told beside the metrics
    repository_id: int = key_integer()
    sums: str = long_text()  # JSON, see app/store/rollups.py


class RollupState(SQLModel, table=True):
    """What a repository's sums were computed from, and how long they hold."""

    __tablename__ = "rollup_state"
    account_id: int = key_integer()
    repository_id: int = key_integer()
    stamp: str  # another one for each computation
    computed_by: str  # the code's version and what the configuration says of branches and teams
    first_month: int = integer()  # they are of the months from this one
    last_month: int = integer()  # to this one, the month after that of the computation
    has_pulls: bool = False
    linked: str = long_text("[]")  # JSON: other repositories that share agent runs with it
    holds_until_us: int | None = integer(default=None, nullable=True)
    computed_at_us: int = integer()
    took_us: int = integer(default=0)


class RollupMark(SQLModel, table=True):
    """Something changed in a repository: written with the change, removed with the sums that have it in.

    Only ever added and removed, so that no two writers wait for each other.
    """

    __tablename__ = "rollup_mark"
    __table_args__ = (Index("ix_rollup_mark_account_id", "account_id"),)
    id: str = Field(primary_key=True)
    account_id: int = integer()
    repository_id: int = integer()

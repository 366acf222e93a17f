"""The tables of what vendors tell of agent sessions: which pulls, and how far it was read."""

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from app.store.columns import integer, key_integer


class PullTold(SQLModel, table=True):
    """A pull, by GitHub's id, that GitHub's task names of an agent session; the pull itself may not be known yet."""

    __tablename__ = "pull_told"
    __table_args__ = (Index("ix_pull_told_job", "workflow_job_id"),)
    account_id: int = key_integer()
    repository_id: int = key_integer()
    github_id: int = key_integer()
    workflow_job_id: str = Field(primary_key=True)


class AgentTaskReading(SQLModel, table=True):
    """How far the tasks of a repository's cloud agents were read."""

    __tablename__ = "agent_task_reading"
    account_id: int = key_integer()
    repository_id: int = key_integer()
    read_until_us: int = integer()  # GitHub's own time of the newest task's change

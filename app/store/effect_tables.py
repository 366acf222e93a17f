"""The table of what stands on GitHub through us."""

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from app.store.columns import integer, key_integer, long_text

HAS_PLACE = text("repository_id <> 0")


class Effect(SQLModel, table=True):
    """Something of ours on GitHub: written as an intent first, then with its id and what it says."""

    __table_args__ = (
        Index(
            "ix_effect_place",
            "account_id", "repository_id", "github_id",
            sqlite_where=HAS_PLACE, postgresql_where=HAS_PLACE,
        ),
    )  # fmt: skip
    account_id: int = key_integer()
    key: str = Field(primary_key=True)  # "check:<repo>:<n>:<sha>", "comment:<repo>:<n>", "answer:<repo>:<comment>" …
    github_id: int | None = integer(default=None, nullable=True)
    repository_id: int = integer(default=0)  # where it stands, of what is asked for by its place: a statement's issue
    location: str = ""  # "owner/name#5", for people
    body_sha256: str = ""
    # "intent", "written", "refused" (see note), "removed" (by a person), "overtaken" (an intent for a former head)
    state: str
    note: str = long_text()
    updated_at_us: int = integer()

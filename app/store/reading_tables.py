"""The tables of what was looked for by listing: how far, and what was found."""

from sqlmodel import Field, SQLModel

from app.store.columns import integer, key_integer, long_text


class PullReading(SQLModel, table=True):
    """How far the pulls of a repository were read by listing them, apart from what events told of them."""

    __tablename__ = "pull_reading"
    account_id: int = key_integer()
    repository_id: int = key_integer()
    read_until_us: int | None = integer(default=None, nullable=True)  # what GitHub changed before is known; NULL: none
    part: str = ""  # of the reading under way: "open", "closed"; "" when there is none
    page: int = integer(default=1)  # its next one
    since_us: int = integer(default=0)  # it reads closed pulls that were updated since
    started_at_us: int = integer(default=0)
    back_to_us: int | None = integer(default=None, nullable=True)  # how far it came
    listed: int = integer(default=0)
    added: int = integer(default=0)
    read_again: int = integer(default=0)
    updated_at_us: int = integer(default=0)


class SurveyedFile(SQLModel, table=True):
    """A workflow file of a repository as the last survey of a month found it."""

    __tablename__ = "surveyed_workflow"
    account_id: int = key_integer()
    repository_id: int = key_integer()
    month: int = key_integer()  # yyyymm
    path: str = Field(primary_key=True)
    agents: str = long_text("[]")  # JSON list; "null" where the file could not be read
    own_step: bool = False
    runs: int | None = integer(default=None, nullable=True)  # None: not asked, or GitHub did not tell
    recorded_jobs: int = integer(default=0)
    surveyed_at_us: int = integer()

"""The tables. Every row belongs to an account (`account_id`): the organisation or user the App is installed on.

The account is the tenant key, not GitHub's installation id, because a re-installation gets a new id and must
keep its history; it is also exactly the `repository_owner_id` of a signed token.

Instants are integer microseconds since the epoch (`_us`), amounts integer nano-USD: the same bytes on SQLite
and PostgreSQL, and fast through raw statements. Own keys are UUIDv7 as 32 hex digits: they arrive in time order.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Text, text
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention


def _int(**options: Any) -> Any:
    """A 64-bit integer column; GitHub's ids and our amounts overflow 32 bits."""
    return Field(sa_type=BigInteger, **options)


def _key() -> Any:
    return Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})


def _long(default: str = "") -> Any:
    return Field(default=default, sa_type=Text)


# ---- who ---------------------------------------------------------------------------------------------------


class Installation(SQLModel, table=True):
    """The App on one account. `installation_id` is GitHub's present one, used to mint tokens."""

    account_id: int = _key()
    installation_id: int = _int(index=True)
    account_login: str
    account_type: str  # "Organization" or "User"
    state: str  # "active", "suspended", "deleted"
    permissions: str = _long("{}")  # JSON, as granted
    updated_at_us: int = _int()


class Repository(SQLModel, table=True):
    account_id: int = _key()
    repository_id: int = _key()
    owner: str
    name: str
    default_branch: str
    visibility: str
    archived: bool = False
    has_issues: bool = True
    state: str = "installed"  # or "removed"
    updated_at_us: int = _int()


# ---- pulls -------------------------------------------------------------------------------------------------


class Pull(SQLModel, table=True):
    """A pull as last read from GitHub."""

    __table_args__ = (Index("ix_pull_branch", "account_id", "repository_id", "head_ref"),)
    account_id: int = _key()
    repository_id: int = _key()
    number: int = _key()
    title: str = _long()
    state: str  # PullState
    draft: bool = False
    locked: bool = False
    head_ref: str
    head_sha: str
    head_repository_id: int | None = _int(default=None, nullable=True)
    base_ref: str
    author_id: int = _int()
    created_at_us: int = _int()
    closed_at_us: int | None = _int(default=None, nullable=True)
    merged_at_us: int | None = _int(default=None, nullable=True)
    merge_commit_sha: str | None = None
    reverts_number: int | None = _int(default=None, nullable=True)  # the pull that this one reverts
    read_at_us: int = _int()


class PullHead(SQLModel, table=True):
    """A sha that was the pull's head at some time. Never deleted: force-pushes hide nothing."""

    __tablename__ = "pull_head"
    __table_args__ = (Index("ix_pull_head_sha", "account_id", "repository_id", "sha"),)
    account_id: int = _key()
    repository_id: int = _key()
    number: int = _key()
    sha: str = Field(primary_key=True)


class PullCommit(SQLModel, table=True):
    """The pull's commits as last read; replaced as a whole at each reading."""

    __tablename__ = "pull_commit"
    __table_args__ = (Index("ix_pull_commit_sha", "account_id", "repository_id", "sha"),)
    account_id: int = _key()
    repository_id: int = _key()
    number: int = _key()
    sha: str = Field(primary_key=True)
    committed_at_us: int = _int()


# ---- agent runs --------------------------------------------------------------------------------------------


class WorkflowJob(SQLModel, table=True):
    """One attempt of one job, as its signed token tells it, completed by GitHub's record of the run (`run_…`)."""

    __tablename__ = "workflow_job"
    __table_args__ = (
        Index(
            "uq_workflow_job_identity",
            "account_id", "issuer", "repository_id", "run_id", "run_attempt", "job_key",
            unique=True,
        ),
        Index("ix_workflow_job_sha", "account_id", "repository_id", "run_head_sha"),
        Index("ix_workflow_job_ref", "account_id", "repository_id", "ref"),
        Index("ix_workflow_job_pull", "account_id", "repository_id", "pull_number"),
    )  # fmt: skip
    id: str = Field(primary_key=True)
    account_id: int = _int()
    issuer: str
    repository_id: int = _int()
    run_id: int = _int()
    run_attempt: int = _int()
    # "check_run:<id>" from the token, else "job:…" or "relayed:<name>:<matrix>" as claimed. For a session that an access
    # token alone told of, "telemetry:<agent>:<session>": there is no workflow run then
    job_key: str
    check_run_id: int | None = _int(default=None, nullable=True)
    event_name: str
    ref: str
    head_ref: str
    base_ref: str
    actor_id: int = _int()
    workflow: str
    workflow_ref: str
    job_workflow_ref: str
    repository_properties: str = _long("{}")
    job_name: str = ""  # claimed
    matrix: str = ""  # claimed
    pull_number: int | None = _int(default=None, nullable=True)  # claimed: the pull that the event names
    commits_made: str = _long("[]")  # claimed, JSON list of shas
    started_at_us: int = _int()  # claimed
    run_head_sha: str | None = None
    run_head_branch: str | None = None
    run_event: str | None = None
    run_actor_id: int | None = _int(default=None, nullable=True)
    run_path: str | None = None
    run_created_at_us: int | None = _int(default=None, nullable=True)
    run_started_at_us: int | None = _int(default=None, nullable=True)
    run_state: str = "unread"  # "unread", "read", "gone" (GitHub answered 404)
    state: str  # "opened", "closed", "missing"
    opened_at_us: int = _int()
    closed_at_us: int | None = _int(default=None, nullable=True)


class CommitMade(SQLModel, table=True):
    """A commit that a job claims to have made; it counts once GitHub lists it in a pull."""

    __tablename__ = "commit_made"
    account_id: int = _key()
    repository_id: int = _key()
    sha: str = Field(primary_key=True)
    workflow_job_id: str = Field(primary_key=True)


class SurveyedFile(SQLModel, table=True):
    """A workflow file of a repository as the last survey of a month found it."""

    __tablename__ = "surveyed_workflow"
    account_id: int = _key()
    repository_id: int = _key()
    month: int = _key()  # yyyymm
    path: str = Field(primary_key=True)
    agents: str = _long("[]")  # JSON list; "null" where the file could not be read
    own_step: bool = False
    runs: int | None = _int(default=None, nullable=True)  # None: not asked, or GitHub did not tell
    recorded_jobs: int = _int(default=0)
    surveyed_at_us: int = _int()


class AgentRun(SQLModel, table=True):
    """One agent session inside one job attempt: what its record says, priced. Revisions are kept beside it."""

    __tablename__ = "agent_run"
    __table_args__ = (
        Index("uq_agent_run_identity", "account_id", "workflow_job_id", "agent", "session", unique=True),
        Index("ix_agent_run_repository", "account_id", "repository_id", "started_at_us"),
        Index("ix_agent_run_ended", "account_id", "agent", "ended_at_us"),
    )
    id: str = Field(primary_key=True)
    account_id: int = _int()
    repository_id: int = _int()
    workflow_job_id: str
    record_id: str
    agent: str
    agent_version: str = ""
    provenance: str  # Provenance
    session: str
    team: str = ""
    purpose: str = "other"
    labels: str = _long("{}")
    completeness: str  # Completeness
    completeness_reason: str = ""
    started_at_us: int = _int()
    ended_at_us: int = _int()
    model_calls: int = _int()  # counted here
    calls_counted_elsewhere: int = _int(default=0)  # sent again by a resumed session or a second sender
    unpriced_calls: int = _int(default=0)
    models: str = _long("[]")  # JSON list, most calls first
    input_tokens: int = _int()
    cache_read_tokens: int = _int()
    cache_write_5m_tokens: int = _int()
    cache_write_1h_tokens: int = _int()
    cache_write_other_tokens: int = _int()
    output_tokens: int = _int()
    reasoning_tokens: int = _int()
    cost_nano_usd: int = _int()  # of the priced calls, contracted
    list_cost_nano_usd: int = _int()  # of the calls that have a list price
    unlisted_calls: int = _int()  # those that have none
    reported_cost_nano_usd: int | None = _int(default=None, nullable=True)
    price_list: str  # e.g. "genai-prices 0.2.3"
    body_sha256: str  # of this agent run's canonical JSON
    shape: str | None = Field(default=None, sa_type=Text)  # JSON counts of what the agent did; NULL: unknown
    revisions: int = _int(default=0)  # other bodies under the same key: kept in `record`, flagged, not counted
    evidence: str = ""  # "E1" … or "" without a pull
    evidence_note: str = _long()  # one sentence, ours
    tied_pulls: str = _long("[]")  # JSON: candidates of an unresolved tie


class ModelCallRow(SQLModel, table=True):
    """One model call, counted once in an account whoever sends it."""

    __tablename__ = "model_call"
    __table_args__ = (Index("uq_model_call_identity", "identity", unique=True),)
    agent_run_id: str = Field(primary_key=True)
    position: int = _key()  # in the agent run as it was reported, from 0; calls counted elsewhere leave gaps
    account_id: int = _int()
    identity: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # run_rows.call_identity
    provider: str
    response_id: str
    model: str
    at_us: int = _int()
    input_tokens: int = _int()
    cache_read_tokens: int = _int()
    cache_write_5m_tokens: int = _int()
    cache_write_1h_tokens: int = _int()
    cache_write_other_tokens: int = _int()
    output_tokens: int = _int()
    reasoning_tokens: int = _int()
    web_searches: int = _int()
    service_tier: str
    speed: str
    subagent: bool
    cost_nano_usd: int | None = _int(nullable=True)  # contracted, which is booked. None: unpriced, never 0
    list_cost_nano_usd: int | None = _int(nullable=True)  # at list prices. None: the list has no price
    price_list: str  # that the contracted cost is from: "genai-prices 0.2.3", "mergemeter.yml 3f2a9c1b"


class Record(SQLModel, table=True):
    """What was sent, compressed and whole, with the claims: everything else can be derived from it again."""

    id: str = Field(primary_key=True)
    account_id: int = _int(index=True)
    workflow_job_id: str = Field(index=True)
    phase: str
    state: str  # "accepted", "repeat" is never stored, "revision" differs from what is counted
    claims: str = _long("{}")
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # zlib
    body_sha256: str
    received_at_us: int = _int()


class UsedToken(SQLModel, table=True):
    """A token id seen before; kept until the token has expired for good."""

    __tablename__ = "used_token"
    issuer: str = Field(primary_key=True)
    jti: str = Field(primary_key=True)
    account_id: int = _int()
    body_sha256: str
    expires_at_us: int = _int(index=True)


class AccessToken(SQLModel, table=True):
    """A token made on the command line. It is shown once; what is kept is its hash."""

    __tablename__ = "access_token"
    __table_args__ = (Index("uq_access_token_sha256", "sha256", unique=True),)
    id: str = Field(primary_key=True)
    account_id: int = _int()
    scope: str  # "ingest": may send telemetry
    name: str
    sha256: str
    created_at_us: int = _int()
    revoked_at_us: int | None = _int(default=None, nullable=True)
    used_at_us: int | None = _int(default=None, nullable=True)  # to the hour


class TelemetryTotal(SQLModel, table=True):
    """How many tokens a metric counted for a session: never booked, it only tells whether events are missing.

    A delta has a start of its own for each point, a cumulative one keeps it until its process ends: summing the largest
    value of each start is right for both, and repeats change nothing.
    """

    __tablename__ = "telemetry_total"
    account_id: int = _key()
    agent: str = Field(primary_key=True)
    session: str = Field(primary_key=True)
    series: str = Field(primary_key=True)  # hash of the metric's name and attributes
    start_us: int = _key()
    kind: str  # core.telemetry Total.kind
    value: int = _int()


class Tie(SQLModel, table=True):
    """An agent run's present share in a pull. In `ledger_entry` is how it came to be."""

    __table_args__ = (Index("ix_tie_pull", "account_id", "repository_id", "number"),)
    account_id: int = _key()
    agent_run_id: str = Field(primary_key=True)
    repository_id: int = _key()
    number: int = _key()
    evidence: str
    note: str = _long()
    weight: int = _int(default=1)


# ---- books -------------------------------------------------------------------------------------------------


class LedgerEntry(SQLModel, table=True):
    """Append-only. The entries of one transaction sum to zero; cost sits in exactly one account at a time."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        Index("ix_ledger_entry_agent_run", "account_id", "agent_run_id"),
        Index("ix_ledger_entry_book", "account_id", "repository_id", "month", "book"),
    )
    id: str = Field(primary_key=True)
    account_id: int = _int()
    transaction_id: str
    book: str  # "usage" (where it comes from, negative), "unattributed", "pull", "abandoned", "overhead"
    repository_id: int = _int()
    number: int = _int(default=0)  # of the pull; 0 in the other books
    agent_run_id: str
    month: int = _int()  # charge month as yyyymm, UTC
    amount_nano_usd: int = _int()
    reason: str
    posted_at_us: int = _int()


class Balance(SQLModel, table=True):
    """Roll-up of ledger_entry, kept in the same database transaction; can be rebuilt from it."""

    __table_args__ = (Index("ix_balance_month", "account_id", "month"),)
    account_id: int = _key()
    repository_id: int = _key()
    book: str = Field(primary_key=True)
    number: int = _key()
    month: int = _key()
    amount_nano_usd: int = _int()


class Correction(SQLModel, table=True):
    """An agent run that was priced anew: what it was, what it is. In `ledger_entry` is how the books followed."""

    __table_args__ = (Index("ix_correction_agent_run", "account_id", "agent_run_id"),)
    id: str = Field(primary_key=True)
    account_id: int = _int()
    agent_run_id: str
    before_cost_nano_usd: int = _int()
    after_cost_nano_usd: int = _int()
    before_list_cost_nano_usd: int = _int()
    after_list_cost_nano_usd: int = _int()
    before_price_list: str
    after_price_list: str
    # zlib of JSON: of each changed call its position, and the cost, list cost and price list that were overwritten
    before_calls: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    reason: str
    corrected_at_us: int = _int()


# ---- what stands on GitHub -----------------------------------------------------------------------------------


class Effect(SQLModel, table=True):
    """Something of ours on GitHub: written as an intent first, then with its id and what it says."""

    account_id: int = _key()
    key: str = Field(primary_key=True)  # "check:<repo>:<n>:<sha>", "comment:<repo>:<n>", "summary:<yyyymm>" …
    github_id: int | None = _int(default=None, nullable=True)
    location: str = ""  # "owner/name#5", for people
    body_sha256: str = ""
    # "intent", "written", "refused" (see note), "removed" (by a person), "overtaken" (an intent for a former head)
    state: str
    note: str = _long()
    updated_at_us: int = _int()


class ConfigVersion(SQLModel, table=True):
    """mergemeter.yml as last read, and the last good one."""

    __tablename__ = "config_version"
    account_id: int = _key()
    source: str = ""  # "acme/.github-private"
    public: bool = False
    good_text: str = _long()  # empty: the defaults
    read_text: str = _long()
    problems: str = _long("[]")  # JSON list of sentences about read_text
    read_at_us: int = _int()


# ---- the queue ---------------------------------------------------------------------------------------------


WAITING = text("state = 0")
UNFINISHED = text("state < 2")
BUSY = text("next_at_us IS NOT NULL")


class Inbox(SQLModel, table=True):
    """A delivery, durable before it is acknowledged. The key is kept after the payload is dropped."""

    delivery_id: str = Field(primary_key=True)
    event: str
    action: str
    installation_id: int = _int(default=0)
    account_id: int = _int(default=0)
    repository_id: int = _int(default=0)
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # zlib
    state: str = "waiting"  # "waiting", "done", "dead", "ignored"
    received_at_us: int = _int(index=True)


class Job(SQLModel, table=True):
    """One thing to do. At most one job with the same `dedupe` waits at a time; a running one does not count."""

    __table_args__ = (
        Index("ix_job_lane", "lane", "run_at_us", "id", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
        Index("uq_job_waiting", "dedupe", unique=True, sqlite_where=WAITING, postgresql_where=WAITING),
        Index("ix_job_state", "state", "created_at_us"),
    )  # fmt: skip
    id: str = Field(primary_key=True)
    account_id: int = _int()
    lane: str
    kind: str
    dedupe: str
    args: str = _long("{}")  # JSON
    run_at_us: int = _int()
    attempts: int = _int(default=0)
    state: int = _int(default=0)  # 0 waiting, 1 running, 2 done, 3 dead
    error: str = _long()
    created_at_us: int = _int()


class Lane(SQLModel, table=True):
    """One thing at a time for each key. Claimed with a lease and a fencing token that only grows."""

    __table_args__ = (Index("ix_lane_next", "next_at_us", sqlite_where=BUSY, postgresql_where=BUSY),)
    key: str = Field(primary_key=True)
    account_id: int = _int()
    next_at_us: int | None = _int(default=None, nullable=True)  # None: nothing waits
    lease_until_us: int = _int(default=0)
    fence: int = _int(default=0)


class Bucket(SQLModel, table=True):
    """What GitHub lets us do for one account, and when."""

    account_id: int = _key()
    blocked_until_us: int = _int(default=0)  # rate limits, primary or secondary
    next_write_at_us: int = _int(default=0)
    next_create_at_us: int = _int(default=0)
    offered_until_us: int = _int(default=0)  # those who must wait are told distinct times, up to this one
    minute_us: int = _int(default=0)
    creates_in_minute: int = _int(default=0)
    hour_us: int = _int(default=0)
    creates_in_hour: int = _int(default=0)
    remaining: int = _int(default=-1)


class Schedule(SQLModel, table=True):
    """A recurring thing. Whoever moves `next_at_us` forward first has the slot: no leader needed."""

    name: str = Field(primary_key=True)
    next_at_us: int = _int()

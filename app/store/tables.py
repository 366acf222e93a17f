"""The tables. Every row belongs to an account (`account_id`): the organisation or user the App is installed on.

The account is the tenant key, not GitHub's installation id, because a re-installation gets a new id and must
keep its history; it is also exactly the `repository_owner_id` of a signed token.

Instants are integer microseconds since the epoch (`_us`), amounts integer nano-USD: the same bytes on SQLite
and PostgreSQL, and fast through raw statements. Own keys are UUIDv7 as 32 hex digits: they arrive in time order.
"""

from sqlalchemy import Column, Index, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

from app.store.columns import integer, key_integer, long_text, sequence

# Parts of a table with an index of their own; a query must say them as the index does.
TIED = text("tied_pulls <> '[]'")
REVERTS = text("(reverts_number IS NOT NULL OR reverts_shas <> '[]')")

# ---- who ---------------------------------------------------------------------------------------------------


class Installation(SQLModel, table=True):
    """The App on one account. `installation_id` is GitHub's present one, used to mint tokens."""

    account_id: int = key_integer()
    installation_id: int = integer(index=True)
    account_login: str
    account_type: str  # "Organization" or "User"
    state: str  # "active", "suspended", "deleted"
    permissions: str = long_text("{}")  # JSON, as granted
    updated_at_us: int = integer()


class Repository(SQLModel, table=True):
    account_id: int = key_integer()
    repository_id: int = key_integer()
    owner: str
    name: str
    default_branch: str
    visibility: str
    archived: bool = False
    has_issues: bool = True
    state: str = "installed"  # or "removed"
    updated_at_us: int = integer()


# ---- pulls -------------------------------------------------------------------------------------------------


class Pull(SQLModel, table=True):
    """A pull as last read from GitHub."""

    __table_args__ = (
        Index("ix_pull_branch", "account_id", "repository_id", "head_ref"),
        Index("ix_pull_merge_commit", "account_id", "repository_id", "merge_commit_sha"),
        Index("ix_pull_github_id", "account_id", "repository_id", "github_id"),
        Index("ix_pull_reverting", "account_id", "repository_id", sqlite_where=REVERTS, postgresql_where=REVERTS),
    )
    account_id: int = key_integer()
    repository_id: int = key_integer()
    number: int = key_integer()
    title: str = long_text()
    state: str  # PullState
    draft: bool = False
    locked: bool = False
    head_ref: str
    head_sha: str
    head_repository_id: int | None = integer(default=None, nullable=True)
    base_ref: str
    author_id: int = integer()
    created_at_us: int = integer()
    closed_at_us: int | None = integer(default=None, nullable=True)
    merged_at_us: int | None = integer(default=None, nullable=True)
    merge_commit_sha: str | None = None
    reverts_number: int | None = integer(default=None, nullable=True)  # the pull that this one reverts
    reverts_shas: str = long_text("[]")  # JSON: pairs of its commit, and the one that this says to revert
    reverts_only: bool = False  # it has no other commits
    lines_changed: int | None = integer(default=None, nullable=True)  # additions and deletions
    github_id: int | None = integer(default=None, nullable=True)  # of the pull itself, over all repositories
    read_at_us: int = integer()


class PullIssue(SQLModel, table=True):
    """An issue that a pull's description closes; replaced as a whole at each reading."""

    __tablename__ = "pull_issue"
    __table_args__ = (Index("ix_pull_issue_issue", "account_id", "repository_id", "issue", "number"),)
    account_id: int = key_integer()
    repository_id: int = key_integer()
    number: int = key_integer()
    issue: int = key_integer()


class PullHead(SQLModel, table=True):
    """A sha that was the pull's head at some time. Never deleted: force-pushes hide nothing."""

    __tablename__ = "pull_head"
    __table_args__ = (Index("ix_pull_head_sha", "account_id", "repository_id", "sha", "number"),)
    account_id: int = key_integer()
    repository_id: int = key_integer()
    number: int = key_integer()
    sha: str = Field(primary_key=True)


class PullCommit(SQLModel, table=True):
    """The pull's commits as last read; replaced as a whole at each reading."""

    __tablename__ = "pull_commit"
    __table_args__ = (Index("ix_pull_commit_sha", "account_id", "repository_id", "sha", "number"),)
    account_id: int = key_integer()
    repository_id: int = key_integer()
    number: int = key_integer()
    sha: str = Field(primary_key=True)
    committed_at_us: int = integer()


NAMES_ISSUE = text("issue_number IS NOT NULL")


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
        Index(
            "ix_workflow_job_issue",
            "account_id", "repository_id", "issue_number",
            sqlite_where=NAMES_ISSUE, postgresql_where=NAMES_ISSUE,
        ),
    )  # fmt: skip
    id: str = Field(primary_key=True)
    account_id: int = integer()
    issuer: str
    repository_id: int = integer()
    run_id: int = integer()
    run_attempt: int = integer()
    # "check_run:<id>" from the token, else "job:…" or "relayed:<name>:<matrix>" as claimed; of a session that an access
    # token alone told of, "telemetry:<agent>:<session>", of one that GitHub tells the cost of,
    # "vendor:github:<session>", both without a workflow run
    job_key: str
    check_run_id: int | None = integer(default=None, nullable=True)
    event_name: str
    ref: str
    head_ref: str
    base_ref: str
    actor_id: int = integer()
    workflow: str
    workflow_ref: str
    job_workflow_ref: str
    repository_properties: str = long_text("{}")
    job_name: str = ""  # claimed
    matrix: str = ""  # claimed
    pull_number: int | None = integer(default=None, nullable=True)  # claimed: the pull that the event names
    issue_number: int | None = integer(default=None, nullable=True)  # claimed: the issue that the event names
    named_read: int | None = integer(default=None, nullable=True)  # readings of pulls asked for its logs' word
    commits_made: str = long_text("[]")  # claimed, JSON list of shas
    started_at_us: int = integer()  # claimed
    run_head_sha: str | None = None
    run_head_branch: str | None = None
    run_event: str | None = None
    run_actor_id: int | None = integer(default=None, nullable=True)
    run_path: str | None = None
    run_created_at_us: int | None = integer(default=None, nullable=True)
    run_started_at_us: int | None = integer(default=None, nullable=True)
    run_state: str = "unread"  # "unread", "read", "gone" (GitHub answered 404)
    # Of this very job where its token tells its check run, else of the attempt. NULL: not ended, or GitHub did not tell
    run_conclusion: str | None = None
    run_ended_at_us: int | None = integer(default=None, nullable=True)  # when the attempt ended
    state: str  # "opened", "closed", "missing"
    opened_at_us: int = integer()
    closed_at_us: int | None = integer(default=None, nullable=True)


class CommitMade(SQLModel, table=True):
    """A commit that a job claims to have made; it counts once GitHub lists it in a pull."""

    __tablename__ = "commit_made"
    account_id: int = key_integer()
    repository_id: int = key_integer()
    sha: str = Field(primary_key=True)
    workflow_job_id: str = Field(primary_key=True)


class PullNamed(SQLModel, table=True):
    """A pull that an agent run of a job names, by its log; it counts once GitHub confirms it."""

    __tablename__ = "pull_named"
    account_id: int = key_integer()
    repository_id: int = key_integer()
    number: int = key_integer()
    workflow_job_id: str = Field(primary_key=True)


class AgentRun(SQLModel, table=True):
    """One agent session inside one job attempt: what its record says, priced. Revisions are kept beside it."""

    __tablename__ = "agent_run"
    __table_args__ = (
        Index("uq_agent_run_identity", "account_id", "workflow_job_id", "agent", "session", unique=True),
        Index("ix_agent_run_repository", "account_id", "repository_id", "started_at_us"),
        Index("ix_agent_run_ended", "account_id", "agent", "ended_at_us"),
        Index("ix_agent_run_tied", "account_id", "repository_id", sqlite_where=TIED, postgresql_where=TIED),
    )
    id: str = Field(primary_key=True)
    account_id: int = integer()
    repository_id: int = integer()
    workflow_job_id: str
    record_id: str
    agent: str
    agent_version: str = ""
    provenance: str  # Provenance
    session: str
    team: str = ""
    purpose: str = "other"
    labels: str = long_text("{}")
    completeness: str  # Completeness
    completeness_reason: str = ""
    started_at_us: int = integer()
    ended_at_us: int = integer()
    model_calls: int = integer()  # counted here
    calls_counted_elsewhere: int = integer(default=0)  # sent again by a resumed session or a second sender
    unpriced_calls: int = integer(default=0)
    models: str = long_text("{}")  # JSON: what the priced calls of each cost in nano-USD; most calls first, at most 50
    input_tokens: int = integer()
    cache_read_tokens: int = integer()
    cache_write_5m_tokens: int = integer()
    cache_write_1h_tokens: int = integer()
    cache_write_other_tokens: int = integer()
    output_tokens: int = integer()
    reasoning_tokens: int = integer()
    cost_nano_usd: int = integer()  # of the priced calls, contracted
    list_cost_nano_usd: int = integer()  # of the calls that have a list price
    unlisted_calls: int = integer()  # those that have none
    reported_cost_nano_usd: int | None = integer(default=None, nullable=True)
    price_list: str  # e.g. "genai-prices 0.2.3"
    body_sha256: str  # of this agent run's canonical JSON
    shape: str | None = Field(default=None, sa_type=Text)  # JSON counts of what the agent did; NULL: unknown
    revisions: int = integer(default=0)  # other bodies under the same key: kept in `record`, flagged, not counted
    pulls_named: str = long_text("{}")  # claimed, JSON: core.named_pulls.Named
    evidence: str = ""  # "E1" … or "" without a pull
    evidence_note: str = long_text()  # one sentence, ours
    tied_pulls: str = long_text("[]")  # JSON: candidates of an unresolved tie


class ModelCallRow(SQLModel, table=True):
    """One model call, counted once in an account whoever sends it."""

    __tablename__ = "model_call"
    __table_args__ = (Index("uq_model_call_identity", "identity", unique=True),)
    agent_run_id: str = Field(primary_key=True)
    position: int = key_integer()  # in the agent run as it was reported, from 0; calls counted elsewhere leave gaps
    account_id: int = integer()
    identity: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # run_rows.call_identity
    provider: str
    response_id: str
    model: str
    at_us: int = integer()
    input_tokens: int = integer()
    cache_read_tokens: int = integer()
    cache_write_5m_tokens: int = integer()
    cache_write_1h_tokens: int = integer()
    cache_write_other_tokens: int = integer()
    output_tokens: int = integer()
    reasoning_tokens: int = integer()
    web_searches: int = integer()
    service_tier: str
    speed: str
    subagent: bool
    cost_nano_usd: int | None = integer(nullable=True)  # contracted, which is booked. None: unpriced, never 0
    list_cost_nano_usd: int | None = integer(nullable=True)  # at list prices. None: the list has no price
    price_list: str  # that the contracted cost is from: "genai-prices 0.2.3", "mergemeter.yml 3f2a9c1b"


class Record(SQLModel, table=True):
    """What was sent, compressed and whole, with the claims: everything else can be derived from it again."""

    id: str = Field(primary_key=True)
    account_id: int = integer(index=True)
    workflow_job_id: str = Field(index=True)
    phase: str
    state: str  # "accepted", "repeat" is never stored, "revision" differs from what is counted
    claims: str = long_text("{}")
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # zlib
    body_sha256: str
    received_at_us: int = integer()


class UsedToken(SQLModel, table=True):
    """A token id seen before; kept until the token has expired for good."""

    __tablename__ = "used_token"
    issuer: str = Field(primary_key=True)
    jti: str = Field(primary_key=True)
    account_id: int = integer()
    body_sha256: str
    expires_at_us: int = integer(index=True)


class AccessToken(SQLModel, table=True):
    """A token made on the command line. It is shown once; what is kept is its hash."""

    __tablename__ = "access_token"
    __table_args__ = (Index("uq_access_token_sha256", "sha256", unique=True),)
    id: str = Field(primary_key=True)
    account_id: int = integer()
    scope: str  # TokenScope
    name: str
    sha256: str
    created_at_us: int = integer()
    revoked_at_us: int | None = integer(default=None, nullable=True)
    used_at_us: int | None = integer(default=None, nullable=True)  # to the hour


class TelemetryTotal(SQLModel, table=True):
    """How many tokens a metric counted for a session: never booked, it only tells whether events are missing.

    A delta has a start of its own for each point, a cumulative one keeps it until its process ends: summing the largest
    value of each start is right for both, and repeats change nothing.
    """

    __tablename__ = "telemetry_total"
    account_id: int = key_integer()
    agent: str = Field(primary_key=True)
    session: str = Field(primary_key=True)
    series: str = Field(primary_key=True)  # hash of the metric's name and attributes
    start_us: int = key_integer()
    kind: str  # core.telemetry Total.kind
    value: int = integer()


class Tie(SQLModel, table=True):
    """An agent run's present share in a pull. In `ledger_entry` is how it came to be."""

    __table_args__ = (Index("ix_tie_pull", "account_id", "repository_id", "number"),)
    account_id: int = key_integer()
    agent_run_id: str = Field(primary_key=True)
    repository_id: int = key_integer()
    number: int = key_integer()
    evidence: str
    note: str = long_text()
    weight: int = integer(default=1)  # beside those of its other pulls; 0: its calls name the others alone


class ManualLinkRow(SQLModel, table=True):
    """What a person decided of one agent run, and why. Append-only: the newest one is in force."""

    __tablename__ = "manual_link"
    __table_args__ = (Index("ix_manual_link_agent_run", "account_id", "agent_run_id"),)
    id: str = Field(primary_key=True)
    account_id: int = integer()
    agent_run_id: str
    repository_id: int = integer()  # the pull's
    number: int | None = integer(default=None, nullable=True)  # of the pull; NULL: tied to none
    reason: str = long_text()
    user_id: int = integer(default=0)  # GitHub's; 0 on the command line
    login: str  # as it was then
    source: str  # "comment:<id>" or "command line"
    at_us: int = integer()  # when it was said


# ---- books -------------------------------------------------------------------------------------------------


class LedgerEntry(SQLModel, table=True):
    """Append-only. The entries of one transaction sum to zero; cost sits in exactly one account at a time."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        Index("ix_ledger_entry_agent_run", "account_id", "agent_run_id"),
        Index("ix_ledger_entry_book", "account_id", "repository_id", "month", "book"),
    )
    id: int | None = sequence()  # in the order in which they were committed: which of them a closed month knows
    account_id: int = integer()
    transaction_id: str
    book: str  # "usage" (where it comes from, negative), "unattributed", "pull", "abandoned", "overhead"
    repository_id: int = integer()
    number: int = integer(default=0)  # of the pull; 0 in the other books
    agent_run_id: str
    month: int = integer()  # charge month as yyyymm, UTC
    amount_nano_usd: int = integer()
    reason: str
    posted_at_us: int = integer()


class Balance(SQLModel, table=True):
    """Roll-up of ledger_entry, kept in the same database transaction; can be rebuilt from it."""

    __table_args__ = (Index("ix_balance_month", "account_id", "month"),)
    account_id: int = key_integer()
    repository_id: int = key_integer()
    book: str = Field(primary_key=True)
    number: int = key_integer()
    month: int = key_integer()
    amount_nano_usd: int = integer()


class Correction(SQLModel, table=True):
    """An agent run that was priced anew: what it was, what it is. In `ledger_entry` is how the books followed."""

    __table_args__ = (Index("ix_correction_agent_run", "account_id", "agent_run_id"),)
    id: str = Field(primary_key=True)
    account_id: int = integer()
    agent_run_id: str
    before_cost_nano_usd: int = integer()
    after_cost_nano_usd: int = integer()
    before_list_cost_nano_usd: int = integer()
    after_list_cost_nano_usd: int = integer()
    before_price_list: str
    after_price_list: str
    # zlib of JSON: of each changed call its position, and the cost, list cost and price list that were overwritten
    before_calls: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    reason: str
    corrected_at_us: int = integer()


# ---- what stands on GitHub -----------------------------------------------------------------------------------


class ConfigVersion(SQLModel, table=True):
    """mergemeter.yml as last read, and the last good one."""

    __tablename__ = "config_version"
    account_id: int = key_integer()
    source: str = ""  # "acme/.github-private"
    public: bool = False
    good_text: str = long_text()  # empty: the defaults
    read_text: str = long_text()
    problems: str = long_text("[]")  # JSON list of sentences about read_text
    read_at_us: int = integer()

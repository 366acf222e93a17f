"""Facts as GitHub and the signed token tell them, in our own few fields. Stories carry them; matching reads them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

AccountId = NewType("AccountId", int)  # the organisation or user the App is installed on: the tenant key
RepositoryId = NewType("RepositoryId", int)
PullNumber = NewType("PullNumber", int)


@dataclass(frozen=True, slots=True)
class AgentRunKey:
    """Whose agent run it is, where, and which."""

    account_id: int
    repository_id: int
    agent_run_id: str


class PullState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"  # closed without a merge
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class InstallationFact:
    """The App on an account as GitHub tells it now."""

    installation_id: int
    account_id: AccountId
    account_login: str
    account_type: str  # "Organization" or "User"
    suspended: bool
    permissions: dict[str, str]


@dataclass(frozen=True, slots=True)
class RepositoryFact:
    """A repository that the App can see."""

    repository_id: RepositoryId
    owner: str
    name: str
    default_branch: str
    visibility: str  # "public", "private", "internal"
    archived: bool = False
    has_issues: bool = True

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def public(self) -> bool:
        return self.visibility == "public"


@dataclass(frozen=True, slots=True)
class PullFact:
    """A pull as it stands now. `head_repository_id` is None once a fork was deleted."""

    number: PullNumber
    title: str
    body: str
    state: PullState
    draft: bool
    locked: bool
    head_ref: str
    head_sha: str
    head_repository_id: RepositoryId | None
    base_ref: str
    author_id: int
    created_at: datetime
    closed_at: datetime | None
    merged_at: datetime | None
    merge_commit_sha: str | None
    lines_changed: int | None = None  # additions and deletions; None: GitHub did not tell
    github_id: int | None = None  # of the pull itself, over all repositories


@dataclass(frozen=True, slots=True)
class ListedPull:
    """A pull as a list of its repository tells it: all but its commits."""

    pull: PullFact
    repository_id: RepositoryId
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AgentSession:
    """A session of GitHub's cloud agent. `nano_credits`: AI credits used so far; None: GitHub does not tell them."""

    session_id: str
    state: str  # "queued", "in_progress", "completed", …
    model: str
    head_ref: str
    created_at: datetime
    nano_credits: int | None

    @property
    def has_ended(self) -> bool:
        """Whether it rests, for good or until somebody goes on with it."""
        return self.state not in ("queued", "in_progress")


@dataclass(frozen=True, slots=True)
class AgentTask:
    """A task of GitHub's cloud agent; its sessions where it was read alone. `pull_ids` are GitHub's own ids."""

    task_id: str
    repository_id: int  # 0: not told
    updated_at: datetime
    session_count: int | None
    pull_ids: frozenset[int] = frozenset()
    sessions: tuple[AgentSession, ...] = ()


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One attempt of GitHub's to deliver an event. Attempts of the same event share its `guid`."""

    delivery_id: int
    guid: str
    delivered_at: datetime
    ok: bool
    event: str
    action: str


@dataclass(frozen=True, slots=True)
class CommitFact:
    sha: str
    committed_at: datetime
    reverts: tuple[str, ...] = ()  # commits that its message says to revert


@dataclass(frozen=True, slots=True)
class CommentFact:
    """A comment as it stands now. `by_person`: a person's account wrote it, no bot and no App in its name."""

    comment_id: int
    body: str
    user_id: int
    login: str
    by_person: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WorkflowRunFact:
    """GitHub's own record of one attempt of a workflow run."""

    run_id: int
    run_attempt: int
    head_sha: str
    head_branch: str | None
    event: str
    status: str  # "queued", "in_progress", "completed", …
    conclusion: str | None
    actor_id: int | None
    created_at: datetime
    started_at: datetime
    updated_at: datetime  # of an attempt that is over, not before its end
    path: str  # ".github/workflows/agent.yml"; with "owner/repo/…@ref" for a required workflow
    triggering_actor_id: int | None = None  # who started this attempt, where it is not the first one


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job of one attempt ended; None of what still goes on. `check_run_id`: as its signed token has it."""

    check_run_id: int
    conclusion: str | None
    ended_at: datetime | None


class TeamRole(StrEnum):
    """What a team may do with a repository, from writing on. A custom role is the one that it is based on."""

    ADMIN = "admin"
    MAINTAIN = "maintain"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file in a folder of a repository, by its name there."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Claims:
    """The verified claims of a GitHub Actions OIDC token that we use. *Who and where* come from here alone."""

    issuer: str
    jti: str
    expires_at: datetime
    account_id: AccountId  # repository_owner_id
    repository_id: RepositoryId
    repository: str  # for reading only; never an identity
    visibility: str
    run_id: int
    run_attempt: int
    event_name: str
    ref: str
    sha: str  # on pull_request events the test-merge commit, not the head
    head_ref: str
    base_ref: str
    actor_id: int
    workflow: str
    workflow_ref: str
    job_workflow_ref: str
    check_run_id: int | None
    environment: str
    repository_properties: dict[str, str] = field(default_factory=dict)

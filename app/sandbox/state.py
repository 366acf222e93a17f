"""What the sandbox remembers: plain records in memory behind one lock. It decides nothing."""

import hashlib
import itertools
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.sandbox.clock import Clock

# GitHub's ids passed 2^31 long ago: start high, so that a 32-bit column fails at once.
FIRST_IDS = {
    "account": 214_000_000,
    "app": 1_900_000,
    "installation": 91_000_000,
    "repository": 1_180_000_000,
    "pull": 2_900_000_000,
    "issue": 3_500_000_000,
    "comment": 3_410_000_000,
    "reaction": 330_000_000,
    "check": 53_000_000_000,
    "suite": 48_000_000_000,
    "run": 19_000_000_000,
    "workflow": 201_000_000,
    "label": 9_300_000_000,
    "delivery": 180_000_000_000,
    "hook": 571_000_000,
    "team": 13_000_000,
}


# Bots that GitHub knows by these ids; the others get ids of their own.
KNOWN_BOTS = {"copilot-swe-agent[bot]": 198982749, "devin-ai-integration[bot]": 158243242}


@dataclass(eq=False)
class Account:
    account_id: int
    login: str
    kind: str  # "Organization", "User", "Bot"
    properties: dict[str, str] = field(default_factory=dict)  # custom ones of its repositories: who may edit values
    teams: dict[str, "Team"] = field(default_factory=dict)  # by slug


@dataclass(eq=False)
class Team:
    """Of an organisation."""

    team_id: int
    name: str
    slug: str
    roles: dict[int, str]  # by repository id: "read", "triage", "write", "maintain", "admin"


@dataclass(frozen=True, eq=False)
class Commit:
    sha: str
    parents: tuple[str, ...]
    tree: Mapping[str, str]
    message: str
    author: Account
    committed_at: datetime


@dataclass(eq=False)
class Comment:
    comment_id: int
    number: int
    author: Account
    app_id: int | None
    body: str
    created_at: datetime
    updated_at: datetime
    reactions: list["Reaction"] = field(default_factory=list)


@dataclass(eq=False)
class Reaction:
    reaction_id: int
    author: Account
    content: str
    created_at: datetime


@dataclass(eq=False)
class Issue:
    """An issue, or the conversation of a pull: both share their numbers, labels and comments."""

    issue_id: int
    number: int
    title: str
    body: str | None
    author: Account
    app_id: int | None
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    state_reason: str | None = None
    locked: bool = False
    lock_reason: str | None = None
    closed_at: datetime | None = None
    closed_by: Account | None = None
    labels: list[str] = field(default_factory=list)
    assignees: list[Account] = field(default_factory=list)


@dataclass(eq=False)
class Pull:
    pull_id: int
    issue: Issue
    head_repository_id: int
    head_label: str  # "owner:branch", kept when the fork is gone
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    draft: bool = False
    merged_at: datetime | None = None
    merged_by: Account | None = None
    merge_commit_sha: str | None = None
    commits_at_merge: tuple[str, ...] | None = None
    test_merges: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def number(self) -> int:
        return self.issue.number


@dataclass(eq=False)
class Repository:
    repository_id: int
    owner: Account
    name: str
    visibility: str
    created_at: datetime
    default_branch: str = "main"
    archived: bool = False
    has_issues: bool = True
    deleted: bool = False
    fork_of: int | None = None
    branches: dict[str, str] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)  # pulls' conversations too
    pulls: dict[int, Pull] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    run_numbers: dict[str, int] = field(default_factory=dict)
    roles: dict[int, str] = field(default_factory=dict)  # by account id: "read", "triage", "write", "maintain", "admin"

    def role(self, account: Account) -> str:
        """What an account may do here; "none" for a stranger to a repository that is not public."""
        if account is self.owner:
            return "admin"
        return self.roles.get(account.account_id, "none" if self.private else "read")

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    @property
    def private(self) -> bool:
        return self.visibility != "public"


@dataclass(eq=False)
class CheckRun:
    check_run_id: int
    suite_id: int
    app_id: int
    repository_id: int
    head_sha: str
    name: str
    started_at: datetime
    status: str = "queued"
    conclusion: str | None = None
    completed_at: datetime | None = None
    external_id: str = ""
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)


@dataclass(eq=False)
class Job:
    """One job of one attempt. Its id is also the id of its check run."""

    job_id: int
    name: str
    run_attempt: int
    request_token: str
    started_at: datetime
    environment: str | None = None
    conclusion: str | None = None
    completed_at: datetime | None = None


@dataclass(eq=False)
class Attempt:
    number: int
    started_at: datetime
    actor: Account
    status: str = "in_progress"
    conclusion: str | None = None
    updated_at: datetime | None = None


@dataclass(eq=False)
class WorkflowRun:
    run_id: int
    run_number: int
    repository_id: int
    event: str
    path: str
    name: str
    head_sha: str
    head_branch: str | None
    head_repository_id: int
    actor: Account
    created_at: datetime
    ref: str
    sha: str
    head_ref: str
    base_ref: str
    pull_number: int | None
    with_id_token: bool
    attempts: list[Attempt] = field(default_factory=list)
    jobs: dict[int, Job] = field(default_factory=dict)


@dataclass(eq=False)
class App:
    app_id: int
    slug: str
    name: str
    owner: Account
    bot: Account
    public_key: str
    webhook_secret: str
    hook_url: str | None
    hook_id: int
    permissions: dict[str, str]
    events: list[str]
    created_at: datetime


@dataclass(eq=False)
class Installation:
    installation_id: int
    app: App
    account: Account
    permissions: dict[str, str]
    selected: set[int] | None  # None: all repositories of the account
    created_at: datetime
    suspended_at: datetime | None = None
    deleted: bool = False

    def covers(self, repository: Repository) -> bool:
        if repository.owner is not self.account or repository.deleted:
            return False
        return self.selected is None or repository.repository_id in self.selected


@dataclass(eq=False)
class InstallationToken:
    token: str
    installation: Installation
    permissions: dict[str, str]
    repository_ids: set[int] | None
    expires_at: float  # real time, Unix seconds


@dataclass(eq=False)
class UserToken:
    """A person's token; it reads the agent tasks of these accounts' repositories."""

    token: str
    owner: Account
    reads: frozenset[str]  # logins in lower case
    revoked: bool = False


@dataclass(eq=False)
class AgentSession:
    session_id: str
    created_at: datetime
    updated_at: datetime
    state: str
    model: str | None
    head_ref: str | None
    usage: dict[str, Any] | None


@dataclass(eq=False)
class AgentTask:
    task_id: str
    repository_id: int
    creator: Account
    created_at: datetime
    updated_at: datetime
    pull_ids: list[int]
    sessions: list[AgentSession]
    archived_at: datetime | None = None


@dataclass(eq=False)
class Delivery:
    """One attempt to deliver one event."""

    delivery_id: int
    guid: str
    app: App
    event: str
    action: str | None
    installation_id: int | None
    repository_id: int | None
    body: bytes
    created_at: datetime
    redelivery: bool = False
    status: str = "waiting"  # afterwards "OK", or what went wrong, in GitHub's words
    status_code: int = 0
    duration_s: float = 0.0
    answer: str = ""
    answer_headers: dict[str, str] = field(default_factory=dict)


class Hub:
    """Everything that this GitHub knows. Hold `lock` while reading or writing."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.seed = seed
        self.url = ""
        self.deliver: Callable[[Delivery], None] = lambda _delivery: None
        self.lock = threading.RLock()
        self.accounts: dict[str, Account] = {}
        self.repositories: dict[int, Repository] = {}
        self.former_names: dict[str, int] = {}
        self.commits: dict[str, Commit] = {}
        self.checks: dict[int, CheckRun] = {}
        self.runs: dict[int, WorkflowRun] = {}
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.tokens: dict[str, InstallationToken] = {}
        self.user_tokens: dict[str, UserToken] = {}
        self.agent_tasks: dict[str, AgentTask] = {}
        self.workflows: dict[tuple[int, str], int] = {}
        self._ids: dict[str, Iterator[int]] = {kind: itertools.count(first + 1) for kind, first in FIRST_IDS.items()}
        self._draws: dict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))

    def now(self) -> datetime:
        return self.clock.now()

    def next_id(self, kind: str) -> int:
        return next(self._ids[kind])

    def next_hex(self, kind: str) -> str:
        """40 hexadecimal digits, the same for the same seed and order."""
        name = f"{self.seed}/{kind}/{next(self._draws[kind])}"
        return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()

    def next_uuid(self, kind: str) -> str:
        """A UUID, the same for the same seed and order."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, self.next_hex(kind)))

    def account(self, login: str) -> Account:
        """The account of that login, made as a user at first sight."""
        found = self.accounts.get(login.lower())
        if found is None:
            kind = "Bot" if login.endswith("[bot]") else "User"
            number = KNOWN_BOTS.get(login.lower()) or self.next_id("account")
            found = self.accounts[login.lower()] = Account(number, login, kind)
        return found

    def repository(self, full_name: str) -> Repository:
        """The repository of that name now. LookupError when there is none."""
        wanted = full_name.lower()
        for repository in self.repositories.values():
            if not repository.deleted and repository.full_name.lower() == wanted:
                return repository
        raise LookupError(f"no repository {full_name}")

    def pull(self, full_name: str, number: int) -> tuple[Repository, Pull]:
        repository = self.repository(full_name)
        if number not in repository.pulls:
            raise LookupError(f"no pull {full_name}#{number}")
        return repository, repository.pulls[number]

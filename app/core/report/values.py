"""What the reports are made from, and what they become. Frozen values; no text is escaped here yet."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from app.core.facts import PullState
from app.core.money import ZERO, NanoUsd
from app.core.month import Month
from app.core.scope_metrics import Metrics
from app.core.usage import Completeness, Purpose, Tokens

# ---- what is put on GitHub -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark on one line (from 1) of one file, as the Checks API takes it."""

    path: str
    line: int
    title: str
    message: str
    level: str = "notice"


@dataclass(frozen=True, slots=True)
class CheckOutput:
    """A completed check run. `conclusion` is "success" or "neutral", never red."""

    name: str
    title: str
    summary: str
    text: str
    conclusion: str
    annotations: tuple[Annotation, ...] = ()


# ---- a pull --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentRunLine:
    """One agent run's part in one pull.

    `cost` is this pull's share of the priced calls, contracted; calls and tokens are the whole agent run's.
    A job that opened and never reported is a line with completeness MISSING, no calls and perhaps no agent.
    """

    agent: str  # "" when nobody could tell
    purpose: Purpose
    run_id: int
    run_attempt: int
    started_at: datetime
    model_calls: int
    tokens: Tokens
    cost: NanoUsd
    evidence: str  # "E1" … as in definitions
    completeness: Completeness
    completeness_reason: str = ""
    agent_version: str = ""
    models: tuple[str, ...] = ()  # most calls first
    team: str = ""
    workflow: str = ""  # its name
    job_name: str = ""  # the job's id in the workflow file
    workflow_path: str = ""  # ".github/workflows/x.yml" of this repository; "" when it lives in another one
    run_url: str = ""  # the workflow run's page
    relayed: bool = False  # another job of the workflow run sent the record
    told: bool = False  # telemetry with an access token told of it; nothing is signed
    by_vendor: bool = False  # GitHub's own record of its cloud agent tells of it, in AI credits
    unpriced_calls: int = 0
    unpriced_models: tuple[str, ...] = ()
    calls_counted_elsewhere: int = 0
    evidence_note: str = ""
    revisions: int = 0  # later records with other numbers under the same key: kept, not counted
    pulls_served: int = 1
    reported_cost: NanoUsd | None = None  # the agent's own figure, whole agent run
    list_cost: NanoUsd | None = None  # at list prices, whole agent run; None where a call has no list price

    @property
    def cost_known(self) -> bool:
        """Whether any figure can be given: something is priced, or the record is whole and holds no call."""
        if self.model_calls:
            return self.unpriced_calls < self.model_calls
        return self.completeness is Completeness.COMPLETE

    @property
    def cost_complete(self) -> bool:
        """Whether the figure is all there is: nothing unpriced, lost or estimated."""
        return self.completeness is Completeness.COMPLETE and not self.unpriced_calls


@dataclass(frozen=True, slots=True)
class PullCost:
    """A pull and the agent runs that are tied to it. `money` is False where no amount may appear."""

    repository: str  # "owner/name"
    number: int
    state: PullState
    head_sha: str
    lines: tuple[AgentRunLine, ...]
    price_lists: tuple[str, ...]  # "genai-prices 0.2.3"
    money: bool
    title: str = ""
    merged_at: datetime | None = None
    discounted: bool = False  # discounts are configured
    own_prices: bool = False  # so are own prices
    tied_candidates: int = 0  # agent runs of which this pull is only one candidate: in no figure
    open_jobs: int = 0  # jobs that opened for this pull and have not reported yet
    unattributed_month: Month | None = None  # None: not told
    unattributed_agent_runs: int = 0  # of this repository in that month, tied to no pull
    unattributed_in_repository: NanoUsd = ZERO

    @property
    def cost(self) -> NanoUsd:
        """Σ priced shares."""
        return NanoUsd(sum(line.cost for line in self.lines))

    @property
    def cost_known(self) -> bool:
        return any(line.cost_known for line in self.lines)

    @property
    def cost_complete(self) -> bool:
        """Whether every tied agent run is whole and priced, and none is still out."""
        return not self.open_jobs and all(line.cost_complete for line in self.lines)

    @property
    def tokens(self) -> Tokens:
        return sum((line.tokens for line in self.lines), Tokens())


# ---- a month -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """The figures of one scope (a repository or the account) in one month, as definitions §4."""

    spend: NanoUsd  # priced charges of the month
    released: NanoUsd
    period: NanoUsd | None  # the three per merged PR; None: no merged PR
    cohort: NanoUsd | None
    direct: NanoUsd | None
    load_factor: Decimal | None
    merged_pulls: int  # all that merged, with and without agents
    agent_pulls_merged: int
    survived: int  # the denominator: agent pulls merged and not reverted since
    unattributed: NanoUsd
    abandoned: NanoUsd  # still without a pull after 14 days; no longer in `unattributed`
    agent_runs: int
    incomplete_agent_runs: int  # whose record is a lower bound, an estimate or missing
    model_calls: int
    unpriced_calls: int
    tokens: Tokens
    unpriced_models: tuple[str, ...] = ()
    unattributed_agent_runs: int = 0
    unrecorded_agent_pulls: int = 0  # merged, opened by an agent's own account, without any record
    unrecorded_agents: tuple[str, ...] = ()  # whose they are
    untagged_agent_runs: int = 0  # without a team, or with one that the repository may not use
    told_agent_runs: int = 0  # of which telemetry with an access token told
    told_cost: NanoUsd = ZERO  # of the month's calls of such agent runs

    @property
    def spend_known(self) -> bool:
        """Whether a spend of 0 would be an answer: some call is priced, or nothing lacks a price or a record."""
        return self.unpriced_calls < self.model_calls or (not self.unpriced_calls and not self.incomplete_agent_runs)


@dataclass(frozen=True, slots=True)
class RepositoryMonth:
    name: str  # without the owner
    public: bool
    figures: MonthFigures
    repository_id: int = 0


@dataclass(frozen=True, slots=True)
class PullInMonth:
    """A pull among the month's dearest. `cost` is its lifetime cost."""

    repository: str  # name, without the owner
    public: bool
    number: int
    title: str
    state: PullState
    agent_runs: int
    cost: NanoUsd
    cost_known: bool  # False: nothing of it has a price
    cost_complete: bool  # False: "at least"
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class SilentWorkflow:
    """A workflow with agent steps that ran in the month and of which no job was recorded."""

    repository: str  # name, without the owner
    public: bool
    path: str
    agents: tuple[str, ...]
    own_step: bool  # our step stands in each job that runs an agent
    runs: int


@dataclass(frozen=True, slots=True)
class MonthReport:
    """A month of one account.

    `public_issue`: the issue stands in a public repository, so private ones are not named there.
    `money` is False when the issue stands in a public repository and the configuration does not allow amounts.
    """

    account: str
    month: Month
    repositories: tuple[RepositoryMonth, ...]
    total: MonthFigures
    dearest: tuple[PullInMonth, ...]
    price_lists: tuple[str, ...]
    money: bool = True
    public_issue: bool = False
    discounted: bool = False
    own_prices: bool = False
    provisional_until: date | None = None  # None: final
    config_source: str = ""  # "acme/.github-private"
    config_problems: tuple[str, ...] = ()
    teams_configured: bool = False
    recorded_workflows: int = 0  # workflow files with agent steps of which a job was recorded
    silent_workflows: tuple[SilentWorkflow, ...] = ()  # most runs first
    unknown_workflows: int = 0  # without a record, and nobody can say whether agents ran
    metrics: Metrics | None = None  # of the whole account

    def names(self, public: bool) -> bool:
        """Whether a repository, public or not, may be named where the issue stands."""
        return public or not self.public_issue

"""Which pulls an agent run belongs to, and by which evidence. Pure: facts in, one answer out, never a guess.

The strongest evidence wins. A tie at that strength stays unattributed and names its candidates. The answer depends
only on the facts, not on the order in which they came to be known.

A finder gives groups of pulls: each group is what one piece of evidence fits equally well. A run whose commits lie in
several pulls has several groups: it served each of these pulls, and its cost is split.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from app.core.agent_accounts import AGENT_ACCOUNTS
from app.core.facts import PullNumber

# The clocks of a runner and of the person who commits may differ a little.
CLOCK_SKEW = timedelta(minutes=5)
TELEMETRY = "telemetry"  # stands for an event where no workflow ran: whatever it names is claimed
VENDOR = "vendor"  # stands for an event where the vendor's own record tells of the run
CLAIMED_BRANCH = "claimed:"  # in place of a ref, where no token has one
# Events whose token carries the default or base branch and whose payload names a pull.
NAMES_A_PULL = frozenset({"issue_comment", "pull_request_target"})
# Events whose token carries a pull's test merge, and whose run has that pull's head.
RUNS_ON_A_HEAD = frozenset({"pull_request", "pull_request_review", "pull_request_review_comment"})
# Events whose payload names an issue.
NAMES_AN_ISSUE = frozenset({"issues", "issue_comment"})
# Events whose token carries a branch that is not the one worked on.
CARRIES_ANOTHER_BRANCH = NAMES_A_PULL | {"schedule", "workflow_run", "issues", "repository_dispatch", "discussion"}

TOLD_PULL = "GitHub's task names this pull"
OWN_PULL = "GitHub's session was on the branch of this pull, which the agent's own account opened"
NO_OWN_PULL = "GitHub's task names no pull, and the agent's own account has none on the session's branch"
NOT_YET_KNOWN = "GitHub's task names a pull that is not known here"


class Evidence(StrEnum):
    SIGNED_REF = "E1"
    MANUAL = "E2"
    COMMIT = "E3"
    BRANCH = "E4"
    EVENT = "E5"
    ISSUE = "E6"
    CLAIM = "E7"
    ALLOCATED = "E8"

    @property
    def label(self) -> str:
        return LABELS.get(self.value, "derived")


LABELS = {"E1": "direct", "E2": "manual", "E3": "direct", "E7": "claimed", "E8": "allocated"}


@dataclass(frozen=True, slots=True)
class ManualLink:
    """What a person last decided of one agent run. `number` None: it is tied to no pull. `note`: who, and why.

    `repository_id`: the pull's; 0 for the agent run's own repository.
    """

    number: PullNumber | None
    note: str
    repository_id: int = 0


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of the workflow run that an agent ran in. `head_…`, `event`, `actor_id`: GitHub's own record."""

    ref: str  # signed
    event_name: str  # signed
    actor_id: int  # signed
    default_branch: str
    event_at: datetime  # when GitHub created the run; where it is not known, the claimed start
    at: datetime  # when this attempt started; where it is not known, the claimed start
    recorded_by_github: bool
    head_sha: str | None = None
    event: str | None = None
    run_actor_id: int | None = None
    ended_at: datetime | None = None  # when GitHub says that this attempt ended; None: it goes on, or nobody knows yet
    named_pull: PullNumber | None = None  # claimed: of the event
    linked_pulls: frozenset[PullNumber] = frozenset()  # claimed: by the agent's log
    named_issue: int | None = None  # claimed
    commits_made: frozenset[str] = frozenset()  # claimed
    claims_count: bool = False  # the configuration lets claims count
    told_pulls: frozenset[PullNumber] | None = None  # that the vendor's record names; None: it names none
    manual: ManualLink | None = None


@dataclass(frozen=True, slots=True)
class PullFacts:
    """What matching needs of a pull. `heads`: every sha that was its head at any time; `commits`: sha → made at."""

    number: PullNumber
    head_ref: str
    base_ref: str
    same_repository: bool  # its head branch lies in the repository that it merges into
    created_at: datetime
    closed_at: datetime | None
    heads: frozenset[str] = frozenset()
    commits: Mapping[str, datetime] = field(default_factory=dict)
    closes: frozenset[int] = frozenset()  # the issues that its description closes
    author_id: int = 0  # 0: nobody any more


@dataclass(frozen=True, slots=True)
class Match:
    """`pulls`: whom the run served. None: unattributed, `note` says why; `tied` names candidates.

    `repository_id`: the pulls', where it is not the agent run's own (0).
    """

    pulls: tuple[PullNumber, ...]
    evidence: Evidence | None
    note: str
    tied: tuple[PullNumber, ...] = ()
    repository_id: int = 0

    @property
    def number(self) -> PullNumber | None:
        """The pull, where it is one."""
        return self.pulls[0] if len(self.pulls) == 1 else None


Group = Sequence[PullFacts]


def match(run: RunFacts, pulls: Sequence[PullFacts]) -> Match:
    """The pulls of an agent run. `pulls`: all of the repository's that share a ref, sha, branch or issue with it."""
    if run.manual is not None and not any(_by_signed_ref(run, pulls)):
        return _by_hand(run.manual)
    if run.event_name == VENDOR:
        return _by_vendor(run, pulls)
    for evidence, find, note in LADDER:
        groups = [_child_most(run, group) for group in find(run, pulls) if group]
        if groups:
            return _resolved(evidence, groups, note)
    return Match((), None, _why_none(run))


def _resolved(evidence: Evidence, groups: Sequence[Group], note: str) -> Match:
    """The pulls of all groups that name one alone; a group that could be several of them is settled by the others."""
    sure = {group[0].number for group in groups if len(group) == 1}
    doubtful = [group for group in groups if not sure & {pull.number for pull in group}]
    if doubtful:
        tied = tuple(sorted({pull.number for group in groups for pull in group}))
        return Match((), None, f"tie at {evidence}: " + " and ".join(f"#{n}" for n in tied), tied)
    return Match(tuple(sorted(sure)), evidence, note)


def signed_pull(ref: str) -> PullNumber | None:
    """The pull that a token's ref names: `refs/pull/N/merge` or `refs/pull/N/head`."""
    found = re.fullmatch(r"refs/pull/([1-9][0-9]{0,9})/(?:merge|head)", ref)
    return PullNumber(int(found[1])) if found else None


def pull_of_head(ref: str, event_name: str, event: str | None) -> PullNumber | None:
    """The pull whose head GitHub's record of a run tells: by the signed ref, where both agree on an event of a pull."""
    return signed_pull(ref) if event_name == event and event in RUNS_ON_A_HEAD else None


def queued_pull(ref: str) -> PullNumber | None:
    """The pull at whose turn a merge queue made the branch of a signed ref. Only GitHub makes such branches."""
    found = re.fullmatch(r"refs/heads/gh-readonly-queue/.+/pr-([1-9][0-9]{0,9})-[0-9a-f]{40,64}", ref)
    return PullNumber(int(found[1])) if found else None


def claimed_branch(ref: str) -> str | None:
    """The branch that a run claims to have been on, where it has no signed ref."""
    return ref.removeprefix(CLAIMED_BRANCH) if ref.startswith(CLAIMED_BRANCH) else None


def branch_of(run: RunFacts) -> str | None:
    """The signed head branch of a run, or None where the token carries the default or base branch."""
    branch = run.ref.removeprefix("refs/heads/")
    if branch in (run.ref, run.default_branch) or run.event_name in CARRIES_ANOTHER_BRANCH:
        return None
    return branch


def _by_signed_ref(run: RunFacts, pulls: Sequence[PullFacts]) -> list[Group]:
    number = signed_pull(run.ref)
    return [[pull for pull in pulls if pull.number == number]]


def _by_hand(link: ManualLink) -> Match:
    """E2: below what GitHub signed, above all that is found out. It asks nothing of the pull, nor of its life."""
    if link.number is None:
        return Match((), None, link.note)
    return Match((link.number,), Evidence.MANUAL, link.note, repository_id=link.repository_id)


def _by_vendor(run: RunFacts, pulls: Sequence[PullFacts]) -> Match:
    """The pulls that GitHub's task names; without a name the agent's own pull on the session's branch.

    A task can name several: its session's branch tells which, or nothing does.
    """
    branch = branch_of(run)
    if run.told_pulls is None:
        own = [pull for pull in _alive_on(branch, run, pulls) if pull.author_id in AGENT_ACCOUNTS]
        return _resolved(Evidence.BRANCH, [own], OWN_PULL) if own else Match((), None, NO_OWN_PULL)
    named = [pull for pull in pulls if pull.number in run.told_pulls]
    if len(named) > 1:
        on_branch = [pull for pull in named if pull.head_ref == branch]
        named = [pull for pull in on_branch if _lives(pull, on_branch, run.at)] or on_branch or named
    return _resolved(Evidence.COMMIT, [named], TOLD_PULL) if named else Match((), None, NOT_YET_KNOWN)


def _by_commit(run: RunFacts, pulls: Sequence[PullFacts]) -> list[Group]:
    """The pulls of the run's head, and those of each commit that it made."""
    head = run.head_sha if branch_of(run) and run.recorded_by_github else None
    of_head = [pull for pull in pulls if head and (head in pull.heads or head in pull.commits)]
    # A branch that the job only checked out is new on the runner too, but its commits are older than the run.
    earliest = run.at - CLOCK_SKEW
    made = [
        [pull for pull in pulls if sha in pull.commits and pull.commits[sha] >= earliest]
        for sha in sorted(run.commits_made)
    ]
    return [of_head, *made]


def _by_confirmed_claim(run: RunFacts, pulls: Sequence[PullFacts]) -> list[Group]:
    """The pulls that the run names and that GitHub says its actor opened while it went on. Each stands for itself."""
    claimed = run.linked_pulls | ({run.named_pull} if run.named_pull else set())
    return [[pull] for pull in pulls if pull.number in claimed and _opened_by(run, pull)]


def _opened_by(run: RunFacts, pull: PullFacts) -> bool:
    """By GitHub's record alone. A release pull from the default branch is nobody's work: it would swallow the run."""
    if not _confirmed(run) or not run.run_actor_id or pull.author_id != run.run_actor_id:
        return False
    release = pull.same_repository and pull.head_ref == run.default_branch
    # In the very second in which the attempt began nothing of it can have opened a pull: then the pull came first.
    return not release and run.at < pull.created_at and (run.ended_at is None or pull.created_at <= run.ended_at)


def _by_branch(run: RunFacts, pulls: Sequence[PullFacts]) -> list[Group]:
    queued = queued_pull(run.ref)
    if queued is not None:
        return [[pull for pull in pulls if pull.number == queued]]
    return [_alive_on(branch_of(run), run, pulls)]


def _alive_on(branch: str | None, run: RunFacts, pulls: Sequence[PullFacts]) -> Group:
    on_branch = [pull for pull in pulls if pull.same_repository and pull.head_ref == branch]
    return [pull for pull in on_branch if _lives(pull, on_branch, run.at)]


def _lives(pull: PullFacts, on_branch: Sequence[PullFacts], at: datetime) -> bool:
    """A pull's life on its branch starts when the branch's previous pull ended: recycled branches stay apart."""
    ended = (other.closed_at for other in on_branch if other.closed_at and other.closed_at <= pull.created_at)
    start = max(ended, default=None)
    return (start is None or start <= at) and (pull.closed_at is None or at < pull.closed_at)


def _confirmed(run: RunFacts) -> bool:
    """Whether GitHub's record of the workflow run agrees with the token on the event and on who caused it."""
    agrees = run.event == run.event_name and run.run_actor_id in (None, run.actor_id)
    return run.recorded_by_github and agrees


def _by_event(run: RunFacts, pulls: Sequence[PullFacts]) -> list[Group]:
    if run.event_name not in NAMES_A_PULL or not _confirmed(run):
        return []
    found = [
        pull
        for pull in pulls
        if pull.number == run.named_pull
        and pull.created_at <= run.event_at
        and (pull.closed_at is None or run.event_at < pull.closed_at)
    ]
    return [found]


def _by_issue(run: RunFacts, pulls: Sequence[PullFacts]) -> list[Group]:
    """A pull that closes the issue on which the run was started, opened after that."""
    if run.event_name not in NAMES_AN_ISSUE or not _confirmed(run):
        return []
    return [[pull for pull in pulls if run.named_issue in pull.closes and pull.created_at >= run.event_at]]


def _by_claim(run: RunFacts, pulls: Sequence[PullFacts]) -> list[Group]:
    """What nobody confirms, where the configuration lets it count: the pull that a run names, or its branch.

    A log that names several pulls may only have looked at them: that is a tie.
    """
    if not run.claims_count:
        return []
    named = [pull for pull in pulls if pull.number == run.named_pull]
    linked = [pull for pull in pulls if pull.number in run.linked_pulls]
    branch = claimed_branch(run.ref)
    return [named or linked or (_alive_on(branch, run, pulls) if branch else [])]


def _child_most(run: RunFacts, found: Group) -> Group:
    """Of several pulls with the same commits: the one whose head branch is the run's, then the child-most."""
    branch = branch_of(run)
    own = [pull for pull in found if pull.same_repository and pull.head_ref == branch]
    # A branch that is used again carries the former pull's commits on: whose life it was in decides.
    found = [pull for pull in own if _lives(pull, own, run.at)] or own or found
    parents = {pull.base_ref for pull in found}
    children = [pull for pull in found if not (pull.same_repository and pull.head_ref in parents)]
    return children or found


def _why_none(run: RunFacts) -> str:
    if run.event_name == TELEMETRY:
        return "an access token told of it, which is no evidence of a pull"
    number = signed_pull(run.ref) or queued_pull(run.ref) or run.named_pull
    if number:
        return f"the event names #{number}, which GitHub does not confirm as an open pull of this repository"
    if run.linked_pulls:
        named = " and ".join(f"#{number}" for number in sorted(run.linked_pulls))
        return f"the agent's log names {named}, of which GitHub does not confirm that the run's actor opened it then"
    if run.named_issue:
        return f"no pull that was opened after it closes #{run.named_issue}"
    if branch_of(run) is None:
        return f"a {run.event_name} run on the default or base branch names no pull"
    return "no pull has this branch or commit"


Finder = Callable[[RunFacts, Sequence[PullFacts]], Sequence[Group]]
LADDER: tuple[tuple[Evidence, Finder, str], ...] = (
    (Evidence.SIGNED_REF, _by_signed_ref, "the signed token names the pull"),
    (Evidence.COMMIT, _by_commit, "a commit of this run is in the pull"),
    (
        Evidence.COMMIT,
        _by_confirmed_claim,
        "the run itself names the pull, and GitHub confirms that the run's actor opened it during the run",
    ),
    (Evidence.BRANCH, _by_branch, "the run was on the pull's branch while it lived"),
    (Evidence.EVENT, _by_event, "the event that started the run names the pull"),
    (Evidence.ISSUE, _by_issue, "the pull closes the issue on which the run was started"),
    (Evidence.CLAIM, _by_claim, "the run itself names the pull; nobody confirms it"),
)

"""Cases: ordinary pulls, and every event that starts an agent."""

from collections.abc import Iterator

from tests.simulate.cases import case
from tests.simulate.scene import Scene, days, minutes
from tests.simulate.truth import NONE


def _authored(s: Scene, method: str) -> Iterator[float]:
    """An agent works on the pull twice and reviews it once; then it is merged."""
    branch, number = s.opened()
    yield minutes(s.random, 1, 30)
    s.agent("pull_request", pull=number, served={number}, level="E1")
    yield minutes(s.random, 5, 120)
    s.push(branch)
    s.agent("pull_request", pull=number, served={number}, level="E1")
    yield minutes(s.random, 5, 300)
    s.agent("pull_request_review", pull=number, served={number}, level="E1", purpose="review")
    yield minutes(s.random, 5, 600)
    s.merge(number, method)


@case(weight=10)
def squash(s: Scene) -> Iterator[float]:
    yield from _authored(s, "squash")


@case(weight=6)
def rebase(s: Scene) -> Iterator[float]:
    yield from _authored(s, "rebase")


@case(weight=6)
def merge_commit(s: Scene) -> Iterator[float]:
    yield from _authored(s, "merge")


@case()
def closed_unmerged(s: Scene) -> Iterator[float]:
    _, number = s.opened()
    s.agent("pull_request", pull=number, served={number}, level="E1")
    yield days(s.random, 0.1, 3)
    s.desk.close(s.name, number)


@case(weight=6)
def push_before_the_pull(s: Scene) -> Iterator[float]:
    """A push starts the agent on a branch; the pull comes a little later."""
    branch = s.branch()
    s.push(branch)
    run = s.agent("push", branch=branch, served=None)
    yield minutes(s.random, 5, 300)
    number = s.open(branch)
    s.later_known(run, {number}, "E3")
    yield minutes(s.random, 5, 600)
    s.merge(number)


@case(weight=6)
def dispatch_makes_a_branch(s: Scene) -> Iterator[float]:
    """Somebody starts the agent by hand on the default branch; it makes a branch and a pull."""
    run = s.start("workflow_dispatch")
    yield minutes(s.random, 2, 20)
    branch = s.branch("agent")
    sha = s.push(branch)
    number = s.open(branch)
    s.report(run, commits=[sha], served={number}, level="E3")
    yield minutes(s.random, 5, 600)
    s.merge(number)


@case(weight=4)
def schedule_makes_a_branch(s: Scene) -> Iterator[float]:
    run = s.start("schedule")
    yield minutes(s.random, 2, 20)
    branch = s.branch("nightly")
    first, sha = s.push(branch), s.push(branch)
    s.report(run, commits=[sha], served=None)
    yield minutes(s.random, 0, 60)
    number = s.open(branch)
    assert first != sha
    s.later_known(run, {number}, "E3")
    yield days(s.random, 0.1, 2)
    s.merge(number)


@case(weight=4)
def schedule_without_a_pull(s: Scene) -> Iterator[float]:
    s.agent("schedule", served=())
    yield minutes(s.random, 1, 60)
    s.agent("workflow_dispatch", served=())


@case(weight=6)
def comment_on_the_pull(s: Scene) -> Iterator[float]:
    _, number = s.opened()
    yield minutes(s.random, 1, 600)
    s.agent("issue_comment", pull=number, served={number}, level="E5", purpose="triage")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case(weight=3)
def comment_lets_an_agent_push(s: Scene) -> Iterator[float]:
    branch, number = s.opened()
    yield minutes(s.random, 10, 600)
    run = s.start("issue_comment", pull=number)
    yield minutes(s.random, 1, 20)
    sha = s.push(branch)
    s.report(run, commits=[sha], served={number}, level="E3")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def target_event(s: Scene) -> Iterator[float]:
    _, number = s.opened()
    yield minutes(s.random, 1, 10)
    s.agent("pull_request_target", pull=number, served={number}, level="E5", purpose="review")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case(weight=4)
def issue_to_pull_with_a_commit(s: Scene) -> Iterator[float]:
    issue = s.desk.create_issue(s.name, "Something is wrong")
    yield minutes(s.random, 1, 60)
    run = s.start("issues", pull=issue)
    yield minutes(s.random, 2, 20)
    branch = s.branch("issue")
    sha = s.push(branch)
    number = s.open(branch, body=f"Fixes #{issue}")
    s.report(run, issue=issue, commits=[sha], served={number}, level="E3")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case(weight=3)
def issue_to_pull_without_a_commit(s: Scene) -> Iterator[float]:
    """The agent commits over GitHub's API, so its job has no commit to tell of; the pull closes the issue."""
    issue = s.desk.create_issue(s.name, "Something is wrong")
    yield minutes(s.random, 1, 60)
    run = s.start(s.random.choice(["issues", "issue_comment"]), pull=issue)
    yield minutes(s.random, 2, 20)
    branch = s.branch("issue")
    s.push(branch)
    word = s.random.choice(["Closes", "fixes", "Resolved", "close"])
    number = s.open(branch, body=f"A repair.\n\n{word} #{issue}\n")
    s.report(run, issue=issue, served={number}, level="E6")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def issue_triaged_only(s: Scene) -> Iterator[float]:
    """A pull that is older than the triage closes the issue: the triage was no work for it."""
    issue = s.desk.create_issue(s.name, "Something is wrong")
    yield minutes(s.random, 1, 60)
    branch = s.branch()
    s.push(branch)
    number = s.open(branch, body=f"Closes #{issue}")
    yield minutes(s.random, 10, 60)
    s.agent("issues", issue=issue, served=(), purpose="triage")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case(weight=3)
def retried(s: Scene) -> Iterator[float]:
    """A job fails and runs again: two attempts, two agent runs."""
    branch, number = s.opened()
    run = s.agent("pull_request", pull=number, served={number}, level="E1")
    yield minutes(s.random, 10, 60)
    s.retry(run, served={number}, level="E1")
    push = s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 10, 60)
    s.retry(push, served={number}, level="E3")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case(weight=3)
def opened_long_after(s: Scene) -> Iterator[float]:
    """The work counted as abandoned by then, and comes back."""
    branch = s.branch()
    s.push(branch)
    run = s.agent("push", branch=branch, served=None)
    yield days(s.random, 14.5, 20)
    number = s.open(branch)
    s.later_known(run, {number}, "E3")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case(weight=3)
def draft(s: Scene) -> Iterator[float]:
    branch = s.branch()
    s.push(branch)
    number = s.open(branch, draft=True)
    s.agent("pull_request", pull=number, served={number}, level="E1")
    yield minutes(s.random, 10, 600)
    s.set_draft(number, draft=False)
    yield minutes(s.random, 10, 600)
    s.set_draft(number, draft=True)
    s.push(branch)
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 10, 600)
    s.set_draft(number, draft=False)
    yield minutes(s.random, 10, 600)
    s.merge(number)


@case(weight=3)
def reopened(s: Scene) -> Iterator[float]:
    """Work goes on while the pull is closed, and it is opened again."""
    branch, number = s.opened()
    s.agent("pull_request", pull=number, served={number}, level="E1")
    yield minutes(s.random, 10, 600)
    s.desk.close(s.name, number)
    yield minutes(s.random, 10, 600)
    sha = s.push(branch)
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 10, 600)
    s.pull(number).head_sha = sha
    s.desk.reopen(s.name, number)
    yield minutes(s.random, 10, 600)
    s.merge(number)


@case(weight=3)
def retargeted(s: Scene) -> Iterator[float]:
    line = s.branch("line")
    s.push(line)
    branch, number = s.opened(base=line)
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 10, 600)
    s.desk.edit_pull(s.name, number, base=s.repository.default_branch)
    yield minutes(s.random, 10, 600)
    s.agent("pull_request", pull=number, served={number}, level="E1")
    yield minutes(s.random, 10, 600)
    s.merge(number)


@case()
def lying_closed(s: Scene) -> Iterator[float]:
    """The webhook of a merge says that it was none, as some have been seen to."""
    _, number = s.opened()
    s.agent("pull_request", pull=number, served={number}, level="E1")
    yield minutes(s.random, 10, 600)
    s.merge(number)
    s.desk.announce(s.name, number, "closed", {"merged": False, "merged_at": None, "merge_commit_sha": None})


@case(weight=3)
def several_pulls_of_one_run(s: Scene) -> Iterator[float]:
    """One agent run makes two branches and two pulls: its cost is split."""
    run = s.start(s.random.choice(["workflow_dispatch", "schedule"]))
    yield minutes(s.random, 2, 20)
    shas, numbers = [], []
    for _ in range(s.random.randint(2, 3)):
        branch = s.branch("batch")
        shas.append(s.push(branch))
        numbers.append(s.open(branch))
    s.report(run, commits=shas, served=numbers, level="E3")
    yield minutes(s.random, 30, 600)
    for number in numbers:
        s.merge(number)
        yield minutes(s.random, 5, 60)


@case()
def only_checked_out(s: Scene) -> Iterator[float]:
    """The job looks at a pull's branch: its tip is new on the runner, but older than the job."""
    _, number = s.opened()
    yield minutes(s.random, 30, 600)
    sha = s.pull(number).head_sha
    s.agent("schedule", commits=[sha], served=(), also=(NONE,))
    yield minutes(s.random, 30, 600)
    s.merge(number)

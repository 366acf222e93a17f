"""Cases: evidence that looks like another pull's. None of it may be taken for what it is not."""

from collections.abc import Iterator

from tests.simulate.cases import case
from tests.simulate.scene import Scene, minutes


@case(weight=2)
def two_authors_on_one_branch(s: Scene) -> Iterator[float]:
    """A run on one branch pushes to another one, whose pull is served beside its own."""
    ours, first = s.opened()
    theirs, second = s.opened()
    yield minutes(s.random, 10, 60)
    run = s.start("workflow_dispatch", branch=ours)
    yield minutes(s.random, 1, 20)
    sha = s.push(theirs)
    s.report(run, commits=[sha], served={first, second}, level="E3")
    yield minutes(s.random, 10, 60)
    s.merge(first)
    s.merge(second)


@case(weight=2)
def closed_and_opened_anew(s: Scene) -> Iterator[float]:
    """The pull is closed; another one is opened from the same branch and the same commit, and merged.

    The first one's run ran while the first one lived; the second one's, on the same commit, while the second one did.
    """
    branch, first = s.opened()
    s.agent("workflow_dispatch", branch=branch, served={first}, level="E3")
    yield minutes(s.random, 10, 100)
    s.desk.close(s.name, first)
    yield minutes(s.random, 10, 100)
    second = s.open(branch)
    yield minutes(s.random, 10, 100)
    s.agent("workflow_dispatch", branch=branch, served={second}, level="E3")
    yield minutes(s.random, 10, 100)
    s.merge(second)


@case(weight=2)
def branch_from_a_merged_tip(s: Scene) -> Iterator[float]:
    """A new branch starts at another pull's squashed head: its first agent ran on a commit that is that pull's."""
    branch, first = s.opened()
    s.agent("push", branch=branch, served={first}, level="E3")
    yield minutes(s.random, 10, 100)
    s.merge(first, "squash")
    yield minutes(s.random, 10, 100)
    other = s.branch("again")
    s.commit_on(other, s.head(branch))
    run = s.agent("push", branch=other, served=None)
    yield minutes(s.random, 10, 100)
    second = s.open(other)
    s.later_known(run, {second}, "E3")
    yield minutes(s.random, 10, 100)
    s.merge(second, "squash")


@case(weight=2)
def late_record_of_an_early_job(s: Scene) -> Iterator[float]:
    """The pull is merged while an agent works on its branch: its commit is in no pull, its head was the pull's."""
    branch, number = s.opened()
    yield minutes(s.random, 10, 60)
    run = s.start("workflow_dispatch", branch=branch)
    yield minutes(s.random, 5, 20)
    s.merge(number)
    yield minutes(s.random, 5, 20)
    sha = s.push(branch)
    s.report(run, commits=[sha], served={number}, level="E3")


@case(weight=2)
def issue_with_two_pulls(s: Scene) -> Iterator[float]:
    """Two pulls close the issue on which the agent was started, both opened after it: a tie, and no guess."""
    issue = s.desk.create_issue(s.name, "Something is wrong")
    yield minutes(s.random, 1, 60)
    run = s.start("issues", pull=issue)
    numbers = yield from s.two_that_close(issue)
    s.report(run, issue=issue, served=numbers[:1])
    yield minutes(s.random, 30, 600)
    s.merge(numbers[0])
    s.desk.close(s.name, numbers[1])


@case(weight=2)
def issue_mentioned_only(s: Scene) -> Iterator[float]:
    """The description names the issue and does not close it."""
    issue = s.desk.create_issue(s.name, "Something is wrong")
    run = s.start("issues", pull=issue)
    yield minutes(s.random, 2, 60)
    branch = s.branch()
    s.push(branch)
    number = s.open(branch, body=f"See #{issue}; this does not close anything.\n\n`Fixes #{issue}` would.")
    s.report(run, issue=issue, served=())
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case(weight=2)
def default_branch_as_head(s: Scene) -> Iterator[float]:
    """A job on the default branch commits there; a release pull holds that commit. It was made: it counts."""
    line = s.branch("release")
    s.commit_on(line, s.head(s.repository.default_branch))
    run = s.start("schedule")
    yield minutes(s.random, 2, 20)
    sha = s.push(s.repository.default_branch)
    release = s.open(s.repository.default_branch, line)
    s.report(run, commits=[sha], served={release}, level="E3")
    yield minutes(s.random, 10, 60)
    s.merge(release, "merge")


@case(weight=2)
def pull_closed_while_the_agent_runs(s: Scene) -> Iterator[float]:
    """The signed ref names it, whatever became of it meanwhile."""
    branch, number = s.opened()
    run = s.start("pull_request", pull=number)
    yield minutes(s.random, 2, 10)
    s.desk.close(s.name, number)
    s.delete_branch(branch)
    yield minutes(s.random, 2, 10)
    s.report(run, served={number}, level="E1")

"""Cases: pulls on pulls, pulls inside pulls, and commits that travel."""

from collections.abc import Iterator

from tests.simulate.cases import case
from tests.simulate.scene import Scene, minutes


@case(weight=4)
def stacked(s: Scene) -> Iterator[float]:
    """Three pulls, each on the one before; merged from the bottom, each next one retargeted."""
    branches, numbers = [], []
    base = s.repository.default_branch
    for _ in range(3):
        branch = s.branch("stack")
        s.commit_on(branch, s.head(base))
        numbers.append(s.open(branch, base))
        branches.append(branch)
        s.agent("push", branch=branch, served={numbers[-1]}, level="E3")
        s.agent("pull_request", pull=numbers[-1], served={numbers[-1]}, level="E1", purpose="review")
        base = branch
        yield minutes(s.random, 5, 60)
    for place, number in enumerate(numbers):
        if place:
            s.desk.edit_pull(s.name, number, base=s.repository.default_branch)
        yield minutes(s.random, 5, 60)
        s.merge(number, "squash")


@case(weight=3)
def stacked_and_dispatched(s: Scene) -> Iterator[float]:
    """An agent that was started elsewhere commits to the lower of two stacked pulls."""
    lower, first = s.opened()
    yield minutes(s.random, 5, 60)
    run = s.start("issue_comment", pull=first)
    yield minutes(s.random, 1, 20)
    sha = s.push(lower)
    s.report(run, commits=[sha], served={first}, level="E3")
    upper = s.branch("upper")
    s.commit_on(upper, s.head(lower))
    second = s.open(upper, lower)
    yield minutes(s.random, 30, 300)
    s.merge(second, "merge")
    yield minutes(s.random, 30, 300)
    s.merge(first, "merge")


@case(weight=3)
def merged_into_another_pull(s: Scene) -> Iterator[float]:
    """The child lands in its parent's branch, the parent lands in the default branch."""
    parent, first = s.opened()
    s.agent("push", branch=parent, served={first}, level="E3")
    child = s.branch("child")
    s.commit_on(child, s.head(parent))
    second = s.open(child, parent)
    s.agent("push", branch=child, served={second}, level="E3")
    s.agent("pull_request", pull=second, served={second}, level="E1")
    yield minutes(s.random, 30, 300)
    s.merge(second, s.random.choice(["merge", "squash"]))
    yield minutes(s.random, 30, 300)
    s.agent("pull_request", pull=first, served={first}, level="E1")
    s.merge(first)


@case(weight=3)
def contained_in_another(s: Scene) -> Iterator[float]:
    """GitHub marks the smaller pull as merged when the larger one brings its commits to the base."""
    small, first = s.opened()
    s.agent("push", branch=small, served={first}, level="E3")
    large = s.branch("large")
    s.commit_on(large, s.head(small))
    second = s.open(large)
    s.agent("push", branch=large, served={second}, level="E3")
    yield minutes(s.random, 30, 300)
    s.merge(second, "merge")
    assert s.pull(first).merged_at is not None


@case(weight=2)
def release_pull_from_the_default_branch(s: Scene) -> Iterator[float]:
    """It contains everything, and nothing that ran on the default branch was work for it."""
    line = s.branch("release")
    s.commit_on(line, s.head(s.repository.default_branch))
    branch, number = s.opened()
    run = s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 30, 300)
    s.merge(number, "merge")
    release = s.open(s.repository.default_branch, line)
    yield minutes(s.random, 5, 60)
    s.agent("schedule", served=())
    s.agent("push", branch=s.repository.default_branch, served=())
    s.agent("workflow_dispatch", served=())
    s.retry(run, served={number}, level="E3")
    yield minutes(s.random, 30, 300)
    s.merge(release, "merge")


@case(weight=2)
def release_pull_from_a_line(s: Scene) -> Iterator[float]:
    """Features merge into a line, and the line's pull contains their commits too."""
    line = s.branch("next")
    s.commit_on(line, s.head(s.repository.default_branch))
    numbers = []
    for _ in range(2):
        branch = s.branch()
        s.commit_on(branch, s.head(line))
        number = s.open(branch, line)
        s.agent("push", branch=branch, served={number}, level="E3")
        yield minutes(s.random, 10, 100)
        s.merge(number, "merge")
        numbers.append(number)
    release = s.open(line)
    yield minutes(s.random, 10, 100)
    s.agent("pull_request", pull=release, served={release}, level="E1", purpose="review")
    yield minutes(s.random, 10, 100)
    s.merge(release, "merge")


@case(weight=2)
def dispatched_work_in_a_release(s: Scene) -> Iterator[float]:
    """Its commit is in the feature's pull and in the release pull that holds everything: the feature's is meant.

    The feature's branch was merged into the line, whose pull is the larger one: the child-most is the feature's.
    """
    line = s.branch("next")
    s.commit_on(line, s.head(s.repository.default_branch))
    run = s.start("workflow_dispatch")
    yield minutes(s.random, 2, 20)
    branch = s.branch("agent")
    sha = s.commit_on(branch, s.head(line))
    number = s.open(branch, line)
    s.report(run, commits=[sha], served={number}, level="E3")
    yield minutes(s.random, 10, 100)
    s.merge(number, "merge")
    release = s.open(line)
    yield minutes(s.random, 10, 100)
    s.merge(release, "merge")


@case(weight=3)
def backport(s: Scene) -> Iterator[float]:
    """The same change as a commit of its own, on a pull into another line; made by an agent."""
    line = s.branch("v1")
    s.commit_on(line, s.head(s.repository.default_branch))
    branch, number = s.opened()
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 30, 300)
    s.merge(number)
    yield minutes(s.random, 30, 300)
    run = s.start("workflow_dispatch")
    yield minutes(s.random, 2, 20)
    picked = s.branch("backport")
    sha = s.commit_on(picked, s.head(line), f"Change\n\n(cherry picked from commit {s.pull(number).head_sha})")
    second = s.open(picked, line)
    s.report(run, commits=[sha], served={second}, level="E3")
    yield minutes(s.random, 30, 300)
    s.merge(second)


@case(weight=3)
def reverted_by_the_button(s: Scene) -> Iterator[float]:
    branch, number = s.opened()
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 30, 300)
    s.merge(number)
    yield minutes(s.random, 30, 3000)
    undo = s.desk.revert(s.name, number)
    s.reverts(undo, number, known=True)
    s.agent("pull_request", pull=undo, served={undo}, level="E1", purpose="review")
    yield minutes(s.random, 10, 100)
    s.merge(undo)


@case(weight=2)
def reverted_by_git_revert(s: Scene) -> Iterator[float]:
    branch, number = s.opened()
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 30, 300)
    sha = s.merge(number, s.random.choice(["merge", "squash"]))
    yield minutes(s.random, 30, 3000)
    undo_branch = s.branch("undo")
    merge = s.hub.commits[sha]
    tail = f"This reverts commit {sha}"
    if len(merge.parents) > 1:
        tail += f", reversing\nchanges made to {merge.parents[0]}"
    message = f'Revert "{merge.message.partition(chr(10))[0]}"\n\n{tail}.\n'
    s.commit_on(undo_branch, s.head(s.repository.default_branch), message)
    undo = s.open(undo_branch)
    s.reverts(undo, number, known=True)
    yield minutes(s.random, 10, 100)
    s.merge(undo, "merge")


@case(weight=1)
def reverted_by_hand(s: Scene) -> Iterator[float]:
    """Nothing says so."""
    branch, number = s.opened()
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 30, 300)
    s.merge(number)
    yield minutes(s.random, 30, 3000)
    _, undo = s.opened()
    s.reverts(undo, number, known=False)
    yield minutes(s.random, 10, 100)
    s.merge(undo)


@case(weight=2)
def revert_of_a_revert(s: Scene) -> Iterator[float]:
    branch, number = s.opened()
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 30, 300)
    s.merge(number, "squash")
    yield minutes(s.random, 30, 300)
    undo = s.desk.revert(s.name, number)
    s.reverts(undo, number, known=True)
    s.merge(undo, "squash")
    yield minutes(s.random, 30, 300)
    redo = s.desk.revert(s.name, undo)
    s.reverts(redo, undo, known=True)
    s.agent("pull_request", pull=redo, served={redo}, level="E1")
    yield minutes(s.random, 10, 100)
    s.merge(redo, "squash")

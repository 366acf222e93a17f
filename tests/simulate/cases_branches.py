"""Cases: what happens to branches under an agent's feet."""

from collections.abc import Iterator

from app.sandbox.commits import merge_commit as commit_of_merge
from tests.simulate.cases import case
from tests.simulate.scene import Scene, minutes


@case(weight=4)
def force_push(s: Scene) -> Iterator[float]:
    """The commit that the agent worked on was the head once, and nobody can read it any more."""
    branch, number = s.opened()
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 10, 300)
    s.push(branch, force=True)
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 10, 300)
    s.push(branch, force=True)
    yield minutes(s.random, 10, 300)
    s.merge(number)


@case(weight=4)
def force_push_before_the_pull(s: Scene) -> Iterator[float]:
    """The commit never was a pull's head: only the branch tells."""
    branch = s.branch()
    s.push(branch)
    run = s.agent("push", branch=branch, served=None)
    yield minutes(s.random, 10, 300)
    s.push(branch, force=True)
    yield minutes(s.random, 1, 60)
    number = s.open(branch)
    s.later_known(run, {number}, "E4")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case(weight=4)
def recycled_branch(s: Scene) -> Iterator[float]:
    """One branch, two pulls: the first one's dropped commits are its own, the second one's are not."""
    branch, first = s.opened()
    s.agent("push", branch=branch, served={first}, level="E3")
    yield minutes(s.random, 10, 300)
    s.push(branch, force=True)
    s.agent("workflow_dispatch", branch=branch, served={first}, level="E3")
    yield minutes(s.random, 10, 300)
    s.merge(first, "squash")
    yield minutes(s.random, 10, 300)
    s.push(branch, force=True)
    dropped = s.agent("push", branch=branch, served=None)
    yield minutes(s.random, 10, 300)
    s.push(branch, force=True)
    run = s.agent("push", branch=branch, served=None)
    yield minutes(s.random, 1, 60)
    second = s.open(branch)
    s.later_known(dropped, {second}, "E4")
    s.later_known(run, {second}, "E3")
    yield minutes(s.random, 30, 600)
    s.merge(second)


@case(weight=3)
def recycled_branch_that_grew(s: Scene) -> Iterator[float]:
    """The next work starts where the merged pull ended, so its first agent ran on the old pull's head."""
    branch, first = s.opened()
    s.agent("push", branch=branch, served={first}, level="E3")
    yield minutes(s.random, 10, 300)
    s.merge(first, "squash")
    yield minutes(s.random, 10, 300)
    run = s.start("workflow_dispatch", branch=branch)
    yield minutes(s.random, 1, 20)
    sha = s.push(branch)
    second = s.open(branch)
    s.report(run, commits=[sha], served={second}, level="E3")
    yield minutes(s.random, 30, 600)
    s.merge(second, "squash")


@case(weight=3)
def renamed_branch(s: Scene) -> Iterator[float]:
    """Before the pull: the commits tell."""
    old = s.branch()
    s.push(old)
    run = s.agent("push", branch=old, served=None)
    yield minutes(s.random, 10, 300)
    new = s.branch("renamed")
    s.rename_branch(old, new)
    yield minutes(s.random, 1, 60)
    number = s.open(new)
    s.later_known(run, {number}, "E3")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case(weight=2)
def renamed_and_rewritten(s: Scene) -> Iterator[float]:
    """Neither commit nor branch are left: nothing tells."""
    old = s.branch()
    s.push(old)
    run = s.agent("push", branch=old, served=None)
    yield minutes(s.random, 10, 300)
    new = s.branch("renamed")
    s.rename_branch(old, new)
    s.push(new, force=True)
    number = s.open(new)
    s.later_known(run, {number}, "")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case(weight=2)
def renamed_under_an_open_pull(s: Scene) -> Iterator[float]:
    """GitHub closes the pull; another one is opened from the new name. What was done before is the first one's."""
    old, first = s.opened()
    s.agent("push", branch=old, served={first}, level="E3")
    s.agent("pull_request", pull=first, served={first}, level="E1")
    yield minutes(s.random, 10, 300)
    new = s.branch("renamed")
    s.rename_branch(old, new)
    yield minutes(s.random, 1, 60)
    second = s.open(new)
    s.push(new)
    s.agent("push", branch=new, served={second}, level="E3")
    yield minutes(s.random, 30, 600)
    s.merge(second)


@case(weight=2)
def base_branch_renamed(s: Scene) -> Iterator[float]:
    line = s.branch("line")
    s.push(line)
    branch, number = s.opened(base=line)
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 10, 300)
    s.rename_branch(line, s.branch("line"))
    yield minutes(s.random, 10, 300)
    s.merge(number)


@case(weight=2)
def two_pulls_of_one_branch(s: Scene) -> Iterator[float]:
    """Into two bases: a push on the branch is work for both, and nothing says for which one. A tie."""
    branch, numbers = s.into_two_bases()
    yield minutes(s.random, 1, 60)
    s.push(branch)
    s.agent("push", branch=branch, served=numbers)
    s.agent("pull_request", pull=numbers[0], served=numbers[:1], level="E1")
    yield minutes(s.random, 30, 600)
    for number in numbers:
        s.merge(number, "squash")


@case(weight=2)
def fork(s: Scene) -> Iterator[float]:
    """Its own jobs get no token; a comment on its pull starts an agent here. Its branch has a name of ours."""
    owner = f"outsider-{s.repository.repository_id}-{s.branch()}"
    s.desk.fork(s.name, owner)
    ours = s.branch()
    number = s.desk.open_pull(s.name, f"{owner}:{ours}", files=s.files(), author=owner)
    s.agent("issue_comment", pull=number, served={number}, level="E5", purpose="review")
    s.agent("pull_request_target", pull=number, served={number}, level="E5", purpose="review")
    yield minutes(s.random, 10, 300)
    s.push(ours)
    s.agent("push", branch=ours, served=())
    yield minutes(s.random, 10, 300)
    s.merge(number, "squash")


@case(weight=2)
def fork_deleted(s: Scene) -> Iterator[float]:
    owner = f"outsider-{s.repository.repository_id}-{s.branch()}"
    forked = s.desk.fork(s.name, owner)
    number = s.desk.open_pull(s.name, f"{owner}:{s.branch()}", files=s.files(), author=owner)
    s.agent("issue_comment", pull=number, served={number}, level="E5", purpose="review")
    yield minutes(s.random, 10, 300)
    s.desk.delete_repository(forked)
    yield minutes(s.random, 10, 300)
    s.agent("issue_comment", pull=number, served={number}, level="E5", purpose="triage")
    yield minutes(s.random, 10, 300)
    s.desk.close(s.name, number)


@case(weight=3)
def branch_deleted_after_the_merge(s: Scene) -> Iterator[float]:
    branch, number = s.opened()
    s.agent("push", branch=branch, served={number}, level="E3")
    yield minutes(s.random, 10, 300)
    s.merge(number)
    s.delete_branch(branch)
    yield minutes(s.random, 10, 300)
    s.commit_on(branch, s.head(s.repository.default_branch))
    s.agent("push", branch=branch, served=())


@case(weight=3)
def merge_queue(s: Scene) -> Iterator[float]:
    """One or several pulls land together; the group's branch names the last one of them."""
    numbers = []
    for _ in range(s.random.randint(1, 3)):
        branch, number = s.opened()
        s.agent("push", branch=branch, served={number}, level="E3")
        numbers.append(number)
    yield minutes(s.random, 10, 300)
    default = s.repository.default_branch
    tip = s.head(default)
    for place, number in enumerate(numbers):
        s.announce(number, "enqueued")
        queue = f"gh-readonly-queue/{default}/pr-{number}-{tip}"
        with s.hub.lock:
            tip = s.repository.branches[queue] = commit_of_merge(
                s.hub, tip, s.pull(number).head_sha, f"Merge pull request #{number}", s.pull(number).issue.author
            )
        group = numbers[: place + 1]
        s.agent("merge_group", branch=queue, served=group, level="E4 E5", expected={number}, also=(frozenset(group),))
    yield minutes(s.random, 5, 60)
    for number in numbers:
        s.merge(number, "merge")
        s.announce(number, "dequeued")

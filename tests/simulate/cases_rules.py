"""Cases: what depends on the account's configuration: claims (E7) and overhead (E8).

Each is played in accounts in which it is configured and in some in which it is not.
"""

from collections.abc import Iterator

from tests.simulate.cases import case
from tests.simulate.scene import OVERHEAD_PATH, Scene, days, minutes


def claimed(s: Scene) -> str:
    """The level of what a job only says itself."""
    return "E7" if s.rules.claims_count else ""


def overhead(s: Scene) -> str:
    """The level of what OVERHEAD_PATH spends without a pull."""
    return "E8" if s.rules.overhead else ""


@case(weight=4)
def checks_repaired(s: Scene) -> Iterator[float]:
    """A workflow that runs after another one, on the default branch, names the pull of that one: only the job does."""
    _, number = s.opened()
    yield minutes(s.random, 5, 60)
    s.agent("workflow_run", names=number, served={number}, level=claimed(s), purpose="ci-fix")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def checks_repaired_by_a_commit(s: Scene) -> Iterator[float]:
    """The commit says more than the job does."""
    branch, number = s.opened()
    _, other = s.opened()
    yield minutes(s.random, 5, 60)
    run = s.start("workflow_run")
    yield minutes(s.random, 1, 20)
    sha = s.push(branch)
    s.report(run, names=other, commits=[sha], served={number}, level="E3", purpose="ci-fix")
    yield minutes(s.random, 30, 600)
    s.merge(number)
    s.merge(other)


@case()
def a_pull_named_that_is_none(s: Scene) -> Iterator[float]:
    issue = s.desk.create_issue(s.name, "Something is wrong")
    s.agent("workflow_dispatch", names=s.random.choice([issue, 1_000_000 + issue]), served=())
    yield minutes(s.random, 5, 60)


@case()
def another_pull_named(s: Scene) -> Iterator[float]:
    """A job on a pull's branch says that it works for another pull: the head tells, and the signed ref does."""
    branch, number = s.opened()
    _, other = s.opened()
    yield minutes(s.random, 5, 60)
    s.agent("push", branch=branch, names=other, served={number}, level="E3")
    s.agent("pull_request", pull=number, names=other, served={number}, level="E1")
    yield minutes(s.random, 30, 600)
    s.merge(number)
    s.merge(other)


@case()
def comment_on_a_closed_pull(s: Scene) -> Iterator[float]:
    """It was not open then, so that the event names it is no evidence; it still is a claim."""
    _, number = s.opened()
    yield minutes(s.random, 30, 600)
    s.merge(number)
    yield minutes(s.random, 30, 600)
    s.agent("issue_comment", pull=number, served={number}, level=claimed(s), purpose="triage")


@case(weight=4)
def housekeeping(s: Scene) -> Iterator[float]:
    """No pull, and not even dead work: overhead."""
    s.agent("schedule", path=OVERHEAD_PATH, served=(), level=overhead(s))
    yield minutes(s.random, 5, 60)
    s.agent("workflow_dispatch", path=OVERHEAD_PATH, served=(), level=overhead(s))


@case(weight=3)
def housekeeping_with_a_pull(s: Scene) -> Iterator[float]:
    """What it spends on a pull is the pull's, as of any other workflow."""
    run = s.start("schedule", path=OVERHEAD_PATH)
    yield minutes(s.random, 2, 20)
    branch = s.branch("house")
    sha = s.push(branch)
    s.report(run, commits=[sha], served=(), level=overhead(s))
    yield days(s.random, 0.1, 2)
    number = s.open(branch)
    s.later_known(run, {number}, "E3")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def housekeeping_that_names_a_pull(s: Scene) -> Iterator[float]:
    _, number = s.opened()
    level = claimed(s) or overhead(s)
    served = {number} if level == "E7" else ()
    s.agent("workflow_dispatch", path=OVERHEAD_PATH, names=number, served=served, level=level)
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def housekeeping_and_a_person(s: Scene) -> Iterator[float]:
    """Attributed by hand, or detached: then it is no overhead either."""
    _, number = s.opened()
    first = s.agent("schedule", path=OVERHEAD_PATH, served=(), level=overhead(s))
    second = s.agent("schedule", path=OVERHEAD_PATH, served=(), level=overhead(s))
    yield days(s.random, 3.5, 5)
    s.say(number, f"/mergemeter attribute {s.address(first)}")
    s.say(number, f"/mergemeter detach {s.address(second)}")
    s.later_known(first, {number}, "E2")
    s.later_known(second, (), "")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def housekeeping_between_two_pulls(s: Scene) -> Iterator[float]:
    """A tie is a tie, and no overhead."""
    branch, numbers = s.into_two_bases()
    yield minutes(s.random, 1, 60)
    s.push(branch)
    s.agent("push", branch=branch, path=OVERHEAD_PATH, served=numbers)
    yield minutes(s.random, 30, 600)
    for number in numbers:
        s.merge(number, "squash")

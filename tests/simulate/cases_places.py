"""Cases: what happens to whole repositories and installations. Each has a repository of its own."""

from collections.abc import Iterator

from tests.simulate.cases import case
from tests.simulate.scene import Scene, days, minutes


def _worked_on(s: Scene, *, merge: bool = True) -> Iterator[float]:
    """A pull with evidence of three kinds."""
    branch = s.branch()
    s.push(branch)
    run = s.agent("push", branch=branch, served=None)
    yield minutes(s.random, 10, 100)
    number = s.open(branch)
    s.later_known(run, {number}, "E3")
    s.agent("pull_request", pull=number, served={number}, level="E1")
    s.agent("issue_comment", pull=number, served={number}, level="E5", purpose="triage")
    yield minutes(s.random, 30, 300)
    if merge:
        s.merge(number)


@case(alone=True)
def repository_renamed(s: Scene) -> Iterator[float]:
    """Twice, with work before, between and after, and another repository that takes the first name."""
    yield from _worked_on(s)
    for _ in range(2):
        branch = s.branch()
        s.push(branch)
        run = s.agent("push", branch=branch, served=None)
        s.desk.rename_repository(s.name, f"renamed-{s.repository.repository_id}-{s.branch()}")
        s.place.github.found_at(s.repository, s.hub)
        yield minutes(s.random, 1, 300)
        number = s.open(branch)
        s.later_known(run, {number}, "E3")
        yield minutes(s.random, 10, 300)
        s.merge(number)
    yield from _worked_on(s)


@case(alone=True)
def repository_archived(s: Scene) -> Iterator[float]:
    yield from _worked_on(s)
    s.desk.archive_repository(s.name)
    yield days(s.random, 0.5, 2)
    s.desk.archive_repository(s.name, archived=False)
    yield from _worked_on(s)


@case(alone=True)
def repository_made_public(s: Scene) -> Iterator[float]:
    yield from _worked_on(s)
    s.desk.set_visibility(s.name, "public")
    yield from _worked_on(s)


@case(alone=True)
def repository_transferred(s: Scene) -> Iterator[float]:
    """To an account without the App: what was known stays, nothing more comes."""
    yield from _worked_on(s)
    yield days(s.random, 2, 3)
    s.desk.transfer_repository(s.name, "elsewhere")
    s.place.github.found_at(s.repository, s.hub)
    yield days(s.random, 0.5, 1)


@case(alone=True)
def installation_suspended(s: Scene) -> Iterator[float]:
    """For some days nothing is heard and nothing can be read; a pull that was opened and merged then must be found."""
    yield from _worked_on(s)
    branch = s.branch()
    s.push(branch)
    run = s.agent("push", branch=branch, served=None)
    yield days(s.random, 1, 1.5)
    mine = next(one for one in s.hub.installations.values() if one.covers(s.repository))
    s.desk.suspend(mine.installation_id)
    yield days(s.random, 0.5, 1)
    number = s.open(branch)
    s.later_known(run, {number}, "E3")
    yield minutes(s.random, 30, 300)
    s.merge(number, more=False)
    yield days(s.random, 1, 2)
    s.desk.unsuspend(mine.installation_id)
    yield days(s.random, 0.1, 0.5)
    yield from _worked_on(s)

"""Cases: what people, bots and agents say in a pull's conversation (E2).

Whoever names an agent run has seen it, so its record has come by then: some days later, if it was sent again by hand.
"""

from collections.abc import Iterator
from typing import Any

from app.sandbox.actions import ACTIONS_APP_ID
from tests.simulate.cases import case
from tests.simulate.scene import Scene, days, minutes


def _seen(s: Scene) -> float:
    return days(s.random, 3.5, 5)


def _loose(s: Scene) -> dict[str, Any]:
    """An agent ran, and nothing tells for which pull."""
    return s.agent(s.random.choice(["schedule", "workflow_dispatch"]), served=None)


@case(weight=4)
def attributed_by_hand(s: Scene) -> Iterator[float]:
    _, number = s.opened()
    run = _loose(s)
    yield _seen(s)
    s.say(number, f"Thanks!\n\n/mergemeter attribute {s.address(run)} because it wrote the first version")
    s.later_known(run, {number}, "E2")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def attributed_after_the_merge(s: Scene) -> Iterator[float]:
    """Perhaps it was abandoned by then."""
    _, number = s.opened()
    run = _loose(s)
    yield minutes(s.random, 30, 600)
    s.merge(number)
    yield days(s.random, 3.5, 20)
    s.say(number, f"/mergemeter attribute {s.address(run)}")
    s.later_known(run, {number}, "E2")


@case(weight=3)
def detached_by_hand(s: Scene) -> Iterator[float]:
    """The commit says that it was for the pull, and a person knows better."""
    branch, number = s.opened()
    run = s.agent("push", branch=branch, served=None)
    s.later_known(run, {number}, "E3")
    yield _seen(s)
    s.say(number, f"/mergemeter detach {s.address(run)} because it only wrote release notes")
    s.later_known(run, (), "")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def moved_to_another_pull(s: Scene) -> Iterator[float]:
    branch, first = s.opened()
    _, second = s.opened()
    run = s.agent("push", branch=branch, served=None)
    yield _seen(s)
    s.say(first, f"/mergemeter attribute {s.address(run)} to #{second}")
    s.later_known(run, {second}, "E2")
    yield minutes(s.random, 30, 600)
    s.merge(first)
    s.merge(second)


@case(weight=3)
def people_disagree(s: Scene) -> Iterator[float]:
    """The newest word counts, in whatever order they are heard."""
    numbers = [s.opened()[1], s.opened()[1]]
    run = _loose(s)
    yield _seen(s)
    for _ in range(s.random.randint(2, 4)):
        number = s.random.choice(numbers)
        detach = s.random.random() < 0.3
        s.say(number, f"/mergemeter {'detach' if detach else 'attribute'} {s.address(run)}")
        s.later_known(run, () if detach else {number}, "" if detach else "E2")
        yield minutes(s.random, 0, 300)
    for number in numbers:
        s.merge(number)


@case()
def tie_untied_by_hand(s: Scene) -> Iterator[float]:
    issue = s.desk.create_issue(s.name, "Something is wrong")
    yield minutes(s.random, 1, 60)
    run = s.start("issues", pull=issue)
    numbers = yield from s.two_that_close(issue)
    s.report(run, issue=issue, served=None)
    yield _seen(s)
    s.say(numbers[1], f"/mergemeter attribute {s.address(run)}")
    s.later_known(run, numbers[1:], "E2")
    yield minutes(s.random, 30, 600)
    s.merge(numbers[1])
    s.desk.close(s.name, numbers[0])


@case()
def one_attempt_of_two_attributed(s: Scene) -> Iterator[float]:
    _, number = s.opened()
    first = _loose(s)
    yield minutes(s.random, 30, 60)
    second = s.retry(first, served=None)
    yield _seen(s)
    s.say(number, f"/mergemeter attribute {s.address(second, attempt=True)} because it worked")
    s.later_known(first, (), "")
    s.later_known(second, {number}, "E2")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def attributed_from_another_repository(s: Scene) -> Iterator[float]:
    """The agent ran where the tools are; its pull is elsewhere. (Another account's can never be named.)"""
    _, number = s.opened()
    tools = s.neighbour()
    run = _loose(tools)
    yield _seen(s)
    s.say(number, f"/mergemeter attribute {tools.address(run)}")
    tools.later_known(run, {number}, "E2", pulls_in=s.repository.repository_id)
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def signed_and_said_otherwise(s: Scene) -> Iterator[float]:
    """What GitHub signed stands."""
    _, number = s.opened()
    _, other = s.opened()
    run = s.agent("pull_request", pull=number, served={number}, level="E1")
    yield _seen(s)
    s.say(number, f"/mergemeter detach {s.address(run)}")
    s.say(other, f"/mergemeter attribute {s.address(run)}")
    yield minutes(s.random, 30, 600)
    s.merge(number)
    s.merge(other)


@case(weight=3)
def said_by_who_may_not_write(s: Scene) -> Iterator[float]:
    branch, number = s.opened()
    role = s.random.choice(["none", "read", "triage"])
    s.desk.permit(s.name, f"somebody-with-{role}", role)
    loose, known = _loose(s), s.agent("push", branch=branch, served={number}, level="E3")
    s.later_known(loose, (), "")
    yield _seen(s)
    s.say(number, f"/mergemeter attribute {s.address(loose)}", f"somebody-with-{role}")
    s.say(number, f"/mergemeter detach {s.address(known)}", f"somebody-with-{role}")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case(weight=3)
def said_by_a_bot_or_an_app(s: Scene) -> Iterator[float]:
    """However much it may write."""
    branch, number = s.opened()
    s.desk.permit(s.name, "helper[bot]", "admin")
    loose, known = _loose(s), s.agent("push", branch=branch, served={number}, level="E3")
    s.later_known(loose, (), "")
    yield _seen(s)
    s.say(number, f"/mergemeter attribute {s.address(loose)}", "helper[bot]")
    s.say(number, f"/mergemeter detach {s.address(known)}", via_app=ACTIONS_APP_ID)
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def edited_into_a_command(s: Scene) -> Iterator[float]:
    _, number = s.opened()
    run = _loose(s)
    s.later_known(run, (), "")
    yield _seen(s)
    comment_id = s.say(number, "What did this cost?")
    s.tick()
    s.desk.edit_comment(s.name, comment_id, f"/mergemeter attribute {s.address(run)}")
    s.say(number, f"> /mergemeter attribute {s.address(run)}\n\nI would not say so.")
    yield minutes(s.random, 30, 600)
    s.merge(number)


@case()
def edited_and_said_anew(s: Scene) -> Iterator[float]:
    """Whether the first one was read before it was edited or not: the second one is newer."""
    _, first = s.opened()
    _, second = s.opened()
    run = _loose(s)
    yield _seen(s)
    comment_id = s.say(first, f"/mergemeter attribute {s.address(run)}")
    yield minutes(s.random, 0, 60)
    s.desk.edit_comment(s.name, comment_id, f"/mergemeter attribute {s.address(run)} because of something else")
    yield minutes(s.random, 1, 60)
    s.say(second, f"/mergemeter attribute {s.address(run)}")
    s.later_known(run, {second}, "E2")
    yield minutes(s.random, 30, 600)
    s.merge(first)
    s.merge(second)

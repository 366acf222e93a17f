"""`python -m app explain`: from a number on any page to its parts, with sums that add up at each step.

A month goes to repositories, to pulls, to agent runs, to model calls, to prices; each step walks into the dearest part,
or with `--all` into every one.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from app.core import ai_credits
from app.core.known import Known
from app.core.ledger import Book
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.report.charges import charge_text
from app.core.report.escape import plain
from app.core.report.numbers import count
from app.core.report.sums import Part, Sum, exact_text, sum_lines
from app.core.report.words import evidence_text
from app.store.accounts import installation_of, repositories_of
from app.store.tables import AgentRun, Repository
from app.store.walk import LooseRun, PullInMonth
from app.stories import walk
from app.world import World

DEAREST = 10
PAGE = 1_000
PULL = re.compile(r"(?:(?P<owner>[\w.-]+)/)?(?P<name>[\w.-]+)#(?P<number>[1-9][0-9]{0,9})")
AGENT_RUN = re.compile(r"[0-9a-f]{32}")
WHERE = {Book.UNATTRIBUTED: "unattributed", Book.ABANDONED: "abandoned", Book.OVERHEAD: "overhead"}
Step = TypeVar("Step")
SEARCHED = "There is no such pull or agent run: say a month (2026-10), a pull (acme/widgets#12) or an agent run's id."


@dataclass(frozen=True, slots=True)
class Walk:
    """Whose numbers, and how far: `most` parts are shown of a sum, and so many `ways` of them gone down."""

    world: World
    account_id: int
    most: int | None
    ways: int | None


def explain(world: World, accounts: Sequence[int], options: argparse.Namespace) -> int:
    """Print the walk; the exit code is 1 where nothing is found."""
    what = str(options.what)
    limits = (None, None) if options.all else (DEAREST, 1)
    found = [line for each in accounts for line in explained(Walk(world, each, *limits), what)]
    if not found:
        print(SEARCHED, file=sys.stderr)
        return 1
    print("\n".join(found))
    return 0


def explained(walk_: Walk, what: str) -> Iterator[str]:
    """The walk from a month, a pull or an agent run; no lines where the account has no such thing."""
    if named := PULL.fullmatch(what):
        for repository_id in _named(walk_, named["owner"], named["name"]):
            yield from _pull(walk_, repository_id, int(named["number"]))
    elif AGENT_RUN.fullmatch(what):
        yield from _run(walk_, what)
    else:
        try:
            month = Month.parse(what)
        except ValueError:
            return
        yield from _month(walk_, month)


def _named(of: Walk, owner: str | None, name: str) -> list[int]:
    with of.world.db.reading() as session:
        known = repositories_of(session, of.account_id)
    wanted = name.lower() if owner is None else f"{owner}/{name}".lower()
    return [each.repository_id for each in known if wanted in (each.name.lower(), f"{each.owner}/{each.name}".lower())]


def _month(of: Walk, month: Month) -> Iterator[str]:
    steps = walk.month_step(of.world, of.account_id, month)
    with of.world.db.reading() as session:
        installation = installation_of(session, of.account_id)
    who = installation.account_login if installation else str(of.account_id)
    parts = [Part(_name(step.repository, step.repository_id), step.spend) for step in steps]
    title = f"{plain(who)}, charges of {month}"
    yield from sum_lines(Sum(title, walk.spend_of(steps), tuple(parts), "repository", "repositories"), of.most)
    for step in _ways(of, sorted(steps, key=lambda step: -step.spend)):
        yield from _repository(of, step, month)


def _repository(of: Walk, step: walk.RepositoryStep, month: Month) -> Iterator[str]:
    pulls = list(_pulls(of, step.repository_id, month))
    name = _name(step.repository, step.repository_id)
    parts = [
        Part(f"{name}#{each.pull.number} {plain(each.pull.title, 60)}", _known(each.in_month, each.known))
        for each in pulls
    ]
    loose = list(_loose(of, step.repository_id, month))
    for book, label in WHERE.items():
        mine = [each for each in loose if each.amounts[book]]
        if step.books.get(book):
            parts.append(Part(f"{label}, {count(len(mine), 'agent run')}", step.books[book]))
    yield ""
    yield from sum_lines(Sum(f"{name}, charges of {month}", step.spend, tuple(parts), "part"), of.most)
    yield from _without_pull(of, name, month, loose)
    for each in _ways(of, sorted(pulls, key=lambda each: -each.in_month)):
        yield from _pull(of, step.repository_id, each.pull.number)
    if not pulls or of.ways is None:
        for lone in _ways(of, sorted(loose, key=lambda each: -sum(each.amounts.values()))):
            yield from _run(of, lone.run.id)


def _without_pull(of: Walk, name: str, month: Month, loose: Sequence[LooseRun]) -> Iterator[str]:
    if not loose:
        return
    parts = [
        Part(f"{_run_label(each.run)}, {_books(each)}", _known(NanoUsd(sum(each.amounts.values())), Known.of(each.run)))
        for each in loose
    ]
    total = NanoUsd(sum(sum(each.amounts.values()) for each in loose))
    yield ""
    yield from sum_lines(Sum(f"{name} without a pull, charges of {month}", total, tuple(parts), "agent run"), of.most)


def _books(each: LooseRun) -> str:
    return " and ".join(label for book, label in WHERE.items() if each.amounts[book]) or "unattributed"


def _pull(of: Walk, repository_id: int, number: int) -> Iterator[str]:
    step = walk.pull_step(of.world, of.account_id, repository_id, number)
    if step is None:
        return
    parts = [
        Part(
            f"{_run_label(each.tied.agent_run)} · {each.tied.tie.evidence} {evidence_text(each.tied.tie.evidence)[0]}"
            f" · {_share(each)}",
            _known(each.amount, Known.of(each.tied.agent_run)),
        )
        for each in step.shares
    ]
    title = f"{_name(step.repository, repository_id)}#{number} {plain(step.pull.title, 60)}, over its life"
    notes = [f"Of {month}: {exact_text(amount)}." for month, amount in step.by_month.items()]
    if step.tied_candidates:
        notes.append(f"{count(step.tied_candidates, 'agent run')} may be this pull's or another's: unattributed.")
    total = _known(step.amount, step.known)
    yield ""
    yield from sum_lines(Sum(title, total, tuple(parts), "agent run", notes=tuple(notes)), of.most)
    for each in _ways(of, sorted(step.shares, key=lambda each: -each.amount)):
        yield from _run(of, each.tied.agent_run.id)


def _share(each: walk.ShareStep) -> str:
    served = each.tied.pulls_served
    return "whole" if served == 1 else f"its share, it served {count(served, 'pull')}"


def _run(of: Walk, agent_run_id: str) -> Iterator[str]:
    step = walk.run_step(of.world, of.account_id, agent_run_id)
    if step is None:
        return
    name = _name(step.repository, step.run.repository_id)
    places = [
        Part(f"pull {name}#{each.number}" if each.book is Book.PULL else WHERE[each.book], each.amount)
        for each in step.places
    ]
    calls = list(_calls(of, agent_run_id))
    total = _known(NanoUsd(step.run.cost_nano_usd), Known.of(step.run))
    notes = [plain(step.run.evidence_note, 300)] if step.run.evidence_note else []
    if step.run.completeness != "complete":
        notes.append(f"Its record is {step.run.completeness}: {plain(step.run.completeness_reason, 200)}")
    yield ""
    sits = f"{_run_label(step.run)}: where it sits"
    yield from sum_lines(Sum(sits, total, tuple(places), "place", notes=tuple(notes)))
    yield ""
    parts = [Part(_call_label(each), each.kept.price.cost) for each in calls]
    title = f"{_run_label(step.run)}: its model calls"
    yield from sum_lines(Sum(title, total, tuple(parts), "model call"), of.most)
    for each in _ways(of, sorted(calls, key=lambda each: -(each.kept.price.cost or 0))):
        yield from _call(each)


def _call(step: walk.CallStep) -> Iterator[str]:
    price = step.kept.price
    found = step.arithmetic
    title = f"{_call_label(step)} by {plain(price.price_list)}"
    yield ""
    if price.price_list == ai_credits.PRICE_LIST and price.cost is not None:
        yield f"{title}: {exact_text(price.cost)}"
        yield f"  {ai_credits.arithmetic_text(price.cost)}, as GitHub tells them; it tells no tokens."
        return
    if found is None:
        why = "no price is known" if price.cost is None else "the prices in force now come to another amount"
        yield f"{title}: {exact_text(price.cost)}"
        yield f"  No arithmetic is shown: {why}."
        return
    notes = [f"At your own price; {exact_text(price.list_cost)} at list prices."] if found.own else []
    if found.discount and not found.own:
        at_list = exact_text(price.list_cost)
        notes.append(f"Prices are less your discount of {found.discount * 100:f} %; {at_list} at list prices.")
    parts = tuple(Part(charge_text(line), line.amount) for line in found.lines)
    yield from sum_lines(Sum(title, price.cost, parts, "charge", notes=tuple(notes)))


def _call_label(step: walk.CallStep) -> str:
    call = step.kept.call
    return f"call {step.kept.position} {plain(call.model)} {call.at:%Y-%m-%d %H:%M:%S}"


def _run_label(run: AgentRun) -> str:
    return f"agent run {run.id} {plain(run.agent)}"


def _name(repository: Repository | None, repository_id: int) -> str:
    if repository is None:
        return f"(repository {repository_id})" if repository_id else "(no repository)"
    return plain(f"{repository.owner}/{repository.name}")


def _ways(of: Walk, parts: Sequence[Step]) -> Iterator[Step]:
    """The parts to go down, of those that are given dearest first."""
    return islice(parts, of.ways)


def _pulls(of: Walk, repository_id: int, month: Month) -> Iterator[PullInMonth]:
    after = 0
    while page := walk.pulls(of.world, of.account_id, repository_id, month, after, PAGE):
        yield from page
        after = page[-1].pull.number


def _loose(of: Walk, repository_id: int, month: Month) -> Iterator[LooseRun]:
    after = ""
    while page := walk.without_pull(of.world, of.account_id, repository_id, month, after, PAGE):
        yield from page
        after = page[-1].run.id


def _calls(of: Walk, agent_run_id: str) -> Iterator[walk.CallStep]:
    after = -1
    while page := walk.call_steps(of.world, of.account_id, agent_run_id, after, PAGE):
        yield from page
        after = page[-1].kept.position


def _known(amount: NanoUsd, known: Known) -> NanoUsd | None:
    """The amount, or None where it is 0 because nobody knows it."""
    return amount if amount or known.cost_known else None

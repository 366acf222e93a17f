"""Pulls that merged into another pull's branch: what they cost belongs to the pull that carries their work on.

A stack is merged from the top: the child into its parent's branch, the parent into a tracked branch. Only the last one
is a merged PR; the cost of those below is rolled up into it. Ties and ledger keep each pull's own cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Stacked:
    """What is needed of a pull to see whose branch it merged into. `own_branch`: its head lies in its repository."""

    number: int
    head_ref: str
    base_ref: str
    own_branch: bool
    created_at: datetime
    closed_at: datetime | None
    merged_at: datetime | None
    tracked: bool


def carriers(pulls: Sequence[Stacked]) -> dict[int, int]:
    """For each pull that merged into the branch of another one: the pull at the end of the chain, by number."""
    by_branch: dict[str, list[Stacked]] = {}
    for pull in pulls:
        if pull.own_branch:
            by_branch.setdefault(pull.head_ref, []).append(pull)
    parents = {
        pull.number: parent
        for pull in pulls
        if pull.merged_at is not None and not pull.tracked and (parent := _parent(pull, by_branch)) is not None
    }
    return {number: _last(number, parents) for number in parents}


def _parent(pull: Stacked, by_branch: Mapping[str, Sequence[Stacked]]) -> int | None:
    """The pull of the branch that took another one in: the first that was not closed by then, opened later or not."""
    merged_at = pull.merged_at
    alive = [
        other
        for other in by_branch.get(pull.base_ref, ())
        if other.number != pull.number
        and (other.closed_at is None or merged_at is None or other.closed_at >= merged_at)
    ]
    first = min(alive, key=lambda other: (other.created_at, other.number), default=None)
    return None if first is None else first.number


def _last(number: int, parents: Mapping[int, int]) -> int:
    """The end of a chain; a circle, which branches merged into each other make, ends where it began."""
    seen = [number]
    while seen[-1] in parents and parents[seen[-1]] not in seen:
        seen.append(parents[seen[-1]])
    return seen[-1]

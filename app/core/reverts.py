"""Which pull a pull reverts: by GitHub's button, by `git revert`, or by hand; and what of it holds in the end.

A claim in a description or a commit restates a metric and never moves money, so what people write is believed.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

_BUTTON = re.compile(r"revert-([1-9][0-9]{0,9})-")
_COMMIT = re.compile(r"^This reverts commit ([0-9a-f]{7,64})\b", re.MULTILINE)


def reverted_number(head_ref: str, body: str, full_name: str) -> int | None:
    """The pull that a description says to revert, alone on a line as GitHub's Revert button writes it.

    Of several the one that the button's branch name tells; where that tells none, none.
    """
    line = rf"^Reverts (?:{re.escape(full_name)})?#([1-9][0-9]{{0,9}})\.?\s*$"
    named = {int(number) for number in re.findall(line, body, re.MULTILINE | re.IGNORECASE)}
    branch = _BUTTON.match(head_ref)
    if branch and int(branch[1]) in named:
        return int(branch[1])
    return named.pop() if len(named) == 1 else None


def reverted_shas(message: str) -> tuple[str, ...]:
    """The commits that a commit's message says to revert, as `git revert` writes it; shas may be cut."""
    return tuple(_COMMIT.findall(message))


class Reverting(NamedTuple):
    """A pull that reverts: another one by name, and commits (`pairs`: its own commit, and the one that it reverts)."""

    number: int
    names: int | None
    pairs: Sequence[Sequence[str]]
    merged_at: datetime | None


def reverters(pulls: Sequence[Reverting], merged_as: Callable[[str], Iterable[int]]) -> dict[int, list[int]]:
    """Each reverted pull with those that revert it. `merged_as`: the pulls that a commit merged; its sha may be cut."""
    by: dict[int, list[int]] = {}
    named = [(pull.number, pull.names) for pull in pulls if pull.names is not None]
    for number, other in [*named, *((n, other) for n, sha in _first_landed(pulls) for other in merged_as(sha))]:
        if number != other and number not in by.setdefault(other, []):
            by[other].append(number)
    return {other: numbers for other, numbers in by.items() if numbers}


def _first_landed(pulls: Iterable[Reverting]) -> list[tuple[int, str]]:
    """The pull through which each reverting commit landed first, and what that reverts.

    A release pull has the same commit again, and reverts nothing by it.
    """
    first: dict[tuple[str, str], tuple[datetime, int]] = {}
    for pull in pulls:
        if pull.merged_at is None:
            continue
        landed = (pull.merged_at, pull.number)
        for made, sha in pull.pairs:
            first[made, sha] = min(landed, first.get((made, sha), landed))
    return [(number, sha) for (_, sha), (_, number) in sorted(first.items())]


def first_effective(reverts: Mapping[int, Iterable[int]], merged_at: Mapping[int, datetime]) -> dict[int, datetime]:
    """When each pull was reverted for good, by number. `reverts`: each pull with those that revert it.

    A revert that was itself reverted does not hold, nor does one that was never merged.
    """
    found: dict[int, datetime] = {}
    for number in reverts:
        times = [merged_at[by] for by in reverts[number] if _holds(by, reverts, merged_at, frozenset({number}))]
        if times:
            found[number] = min(times)
    return found


def _holds(
    number: int, reverts: Mapping[int, Iterable[int]], merged_at: Mapping[int, datetime], seen: frozenset[int]
) -> bool:
    """Whether a revert was merged and none that holds reverts it. Two that revert each other are both held to hold."""
    if number not in merged_at:
        return False
    later = [by for by in reverts.get(number, ()) if by not in seen]
    return not any(_holds(by, reverts, merged_at, seen | {number}) for by in later)

"""Which pull a pull reverts: by GitHub's button, by `git revert`, or by hand; and what of it holds in the end.

A claim in a description or a commit restates a metric and never moves money, so what people write is believed.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

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

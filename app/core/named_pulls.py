"""The pulls that an agent run names, and how its cost is split by them where it served several. All of it is claimed.

A name ties nothing by itself: it is compared with what GitHub says, and divides only what other evidence ties.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.core.facts import PullNumber
from app.core.reported_calls import ReportRefusedError

MOST_NAMED = 20  # by one agent run
# By pull, the first and last position of each row of calls that name it; none where only the session does.
Named = Mapping[PullNumber, Sequence[tuple[int, int]]]


def read_named(run: Mapping[str, Any], path: str) -> Named:
    """What a reported agent run names, itself (`pulls`) and by its calls (`pull`). Raises ReportRefusedError."""
    found: dict[PullNumber, list[tuple[int, int]]] = {PullNumber(number): [] for number in run.get("pulls", ())}
    for position, call in enumerate(run["calls"]):
        if "pull" in call:
            rows = found.setdefault(PullNumber(call["pull"]), [])
            if rows and rows[-1][1] == position - 1:
                rows[-1] = (rows[-1][0], position)
            else:
                rows.append((position, position))
    if len(found) > MOST_NAMED:
        raise ReportRefusedError(f"{path}/calls", f"An agent run names at most {MOST_NAMED} pulls.")
    return found


def weights_by_calls(pulls: Sequence[PullNumber], named: Named, costs: Iterable[tuple[int, int | None]]) -> list[int]:
    """How to part an agent run's cost among the pulls it served: by what the calls that name each of them cost.

    `costs`: position and cost in nano-dollars of each call, None: unpriced. Calls that name none of these pulls follow
    the others, so they count for nothing here. Where no call says anything, every pull weighs the same.
    """
    of = {position: cost or 0 for position, cost in costs}
    sums = [
        sum(of.get(position, 0) for first, last in named.get(pull, ()) for position in range(first, last + 1))
        for pull in pulls
    ]
    return sums if any(sums) else [1] * len(pulls)

"""Whose a repository is over a month, by its property's history and the configuration, with the instants of change.

What single agent runs say of themselves (a signed property, a workflow, a team, a pool's agent) is no part of this.
"""

from dataclasses import dataclass
from datetime import datetime

from app.core.chargeback.ownership import Owner, Ownership, RunFacts
from app.core.month import Month


@dataclass(frozen=True, slots=True)
class Held:
    """An owner, from an instant until before another one; None: from before the month, until after it."""

    owner: Owner
    start: datetime | None
    end: datetime | None


def held_in(ownership: Ownership, repository_id: int, repository: str, month: Month) -> list[Held]:
    """A repository's owners in a month, in order. `repository`: its name, without the owner."""
    changes = [at for at in ownership.changes(repository_id) if month.start < at < month.end]
    found: list[Held] = []
    for start, end in zip([None, *changes], [*changes, None], strict=True):
        owner = ownership.owner_of(RunFacts(repository_id, repository, "", "", "", "{}", start or month.start))
        last = found[-1].owner if found else None
        if last is not None and (last.cost_center, last.basis) == (owner.cost_center, owner.basis):
            found[-1] = Held(owner, found[-1].start, end)
        else:
            found.append(Held(owner, start, end))
    return found

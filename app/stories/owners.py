"""Whose each repository is in a month, and what it was charged."""

from collections.abc import Sequence

from app.core.chargeback.findings import Finding
from app.core.chargeback.owned import Held, held_in
from app.core.chargeback.ownership import Basis
from app.core.money import ZERO, NanoUsd
from app.core.month import Month
from app.core.report.owners_table import Owned
from app.store.accounts import repositories_of
from app.store.configs import config_in_force
from app.store.owner_findings import findings_of_owners, spent_by_owner
from app.store.ownership import owners_of
from app.world import World

Key = tuple[str, str, Basis]  # repository, cost center, what told it


def owned_in(world: World, account_id: int, month: Month) -> tuple[list[Owned], list[Finding]]:
    """Every repository that is installed or was charged, the dearest first; one that moved, with each of its owners.

    And what is doubtful about owners.
    """
    with world.db.reading() as session:
        ownership = owners_of(session, account_id, config_in_force(session, account_id)).of(month.start)
        spent = spent_by_owner(session, account_id, month)
        repositories = repositories_of(session, account_id)
        findings = findings_of_owners(session, account_id, month, spent)
    held: dict[Key, list[Held]] = {}
    for repository in repositories:
        full_name = f"{repository.owner}/{repository.name}"
        if repository.state == "installed" or any(each.repository == full_name for each in spent):
            for each in held_in(ownership, repository.repository_id, repository.name, month):
                held.setdefault((full_name, each.owner.cost_center, each.owner.basis), []).append(each)
    charged: dict[Key, tuple[int, int]] = {}
    for told in spent:
        key = told.repository, told.owner.cost_center, told.owner.basis
        amount, runs = charged.get(key, (0, 0))
        charged[key] = amount + told.amount, runs + told.agent_runs
    centers = ownership.config.chargeback.centers
    found = []
    for key in {**held, **charged}:
        amount, runs = charged.get(key, (ZERO, 0))
        people = centers[key[1]].owners if key[1] in centers else ()
        found.append(Owned(*key, tuple(held.get(key, ())), people, NanoUsd(amount), runs))
    return _ordered(found), findings


def _ordered(owned: Sequence[Owned]) -> list[Owned]:
    """The dearest repository first; its owners in the order in which they had it."""
    sums: dict[str, int] = {}
    for each in owned:
        sums[each.repository] = sums.get(each.repository, 0) + each.amount
    return sorted(owned, key=lambda each: (-sums[each.repository], each.repository, _began(each), each.cost_center))


def _began(owned: Owned) -> tuple[bool, str]:
    first = owned.held[0].start if owned.held else None
    return not owned.held, f"{first:%Y-%m-%dT%H:%M:%S.%f}" if first else ""

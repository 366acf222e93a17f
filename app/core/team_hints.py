"""Which teams a repository that nobody owns may belong to, by their roles. Only ever a hint: it assigns nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.core.facts import TeamRole

RANK = tuple(TeamRole)


@dataclass(frozen=True, slots=True)
class TeamHint:
    """`team`: as "acme/payments"."""

    team: str
    role: TeamRole


def leading(teams: Iterable[TeamHint]) -> tuple[TeamHint, ...]:
    """Those that may administer or maintain it, in this order; only where there is none, those that may write."""
    ordered = sorted(teams, key=lambda each: (RANK.index(each.role), each.team))
    leads = tuple(each for each in ordered if each.role is not TeamRole.WRITE)
    return leads or tuple(ordered)

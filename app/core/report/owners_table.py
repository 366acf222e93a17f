"""Whose repositories are, in columns, for a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.chargeback.owned import Held
from app.core.chargeback.ownership import Basis
from app.core.chargeback.terms import UNASSIGNED
from app.core.money import NanoUsd
from app.core.report.escape import plain
from app.core.report.figures_table import amount_text, columns
from app.core.team_hints import TeamHint

HEAD = ("repository", "cost center", "when", "told by", "owners", "charges", "runs", "hint")
MOST_TEAMS = 3
LEGEND = (
    "when: UTC. told by: what decided, the most trusted first: pool, signed property, property value, workflow, team",
    "tag, repository, nothing. by agent run: what only some agent runs say of themselves. Hints assign nothing.",
)


@dataclass(frozen=True, slots=True)
class Owned:
    """What one repository's agent runs of one cost center were charged. `held`: when the whole repository was its."""

    repository: str
    cost_center: str
    basis: Basis
    held: tuple[Held, ...]
    owners: tuple[str, ...]
    amount: NanoUsd
    agent_runs: int
    code_owners: tuple[str, ...] = ()
    teams: tuple[TeamHint, ...] = ()


def owners_lines(title: str, owned: Sequence[Owned]) -> list[str]:
    """The table, and how much of the charges nobody owns."""
    rows = [_row(each) for each in owned]
    numbers = {HEAD.index("charges"), HEAD.index("runs")}
    widths = {n: max(len(row[n]) for row in [HEAD, *rows]) for n in numbers}
    aligned = [[cell.rjust(widths[n]) if n in numbers else cell for n, cell in enumerate(row)] for row in [HEAD, *rows]]
    total = NanoUsd(sum(each.amount for each in owned))
    loose = NanoUsd(sum(each.amount for each in owned if each.cost_center == UNASSIGNED))
    summed = f"Unassigned: {amount_text(loose)} of {amount_text(total)}."
    return [title, "", *columns(aligned[0], aligned[1:], left=len(HEAD)), "", summed, *LEGEND]


def _row(owned: Owned) -> list[str]:
    return [
        plain(owned.repository, 50) or "(no repository)",
        plain(owned.cost_center, 40),
        ", ".join(_when(each) for each in owned.held) or "by agent run",
        owned.basis.value,
        " ".join(f"@{each}" for each in owned.owners) or "–",
        amount_text(owned.amount),
        f"{owned.agent_runs:,}",
        "; ".join(_hints(owned)),
    ]


def _hints(owned: Owned) -> list[str]:
    told = [f"CODEOWNERS says {' '.join(owned.code_owners)}"] if owned.code_owners else []
    if owned.teams:
        named = ", ".join(f"@{plain(each.team)} ({each.role})" for each in owned.teams[:MOST_TEAMS])
        rest = len(owned.teams) - MOST_TEAMS
        told.append(f"teams: {named}" + (f" and {rest} more" if rest > 0 else ""))
    return told


def _when(held: Held) -> str:
    if held.start is None and held.end is None:
        return "whole month"
    if held.start is None:
        return f"until {_at(held.end)}"
    return f"from {_at(held.start)}" + (f" until {_at(held.end)}" if held.end is not None else "")


def _at(instant: datetime | None) -> str:
    if instant is None:
        return ""
    return (
        f"{instant:%Y-%m-%d}"
        if (instant.hour, instant.minute, instant.second) == (0, 0, 0)
        else (f"{instant:%Y-%m-%d %H:%M:%S}")
    )

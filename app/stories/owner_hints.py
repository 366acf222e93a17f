"""Who may own what nobody owns: what CODEOWNERS says, and which teams may run the repository. Asked from GitHub.

Teams need a permission that the App does not ask for; without it, and on a person's own account, they are not asked.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.core.chargeback.terms import UNASSIGNED
from app.core.codeowners import PLACES, code_owners
from app.core.outcomes import Later, Refused
from app.core.report.owners_table import Owned
from app.core.team_hints import TeamHint, leading
from app.store.accounts import installation_of, repositories_of
from app.world import World

if TYPE_CHECKING:
    from app.github.client import GitHubClient
    from app.store.tables import Installation

PERMISSION = "members"
MOST_FILES = 100  # each is one to three requests
MOST_TEAMS = 100  # each is one request for every hundred of its repositories
MOST_REPOSITORIES = 1_000  # of one team
NOT_GRANTED = (
    "teams are not asked: the organisation has not granted the permission members: read, which is optional"
    " (docs/ownership.md)"
)


def with_hints(world: World, account_id: int, owned: Sequence[Owned]) -> tuple[list[Owned], list[str]]:
    """The same with hints at the owners of what nobody owns, and a sentence for each thing that was not asked."""
    loose = list(dict.fromkeys(each.repository for each in owned if _is_loose(each)))
    github = world.client(account_id)
    with world.db.reading() as session:
        installation = installation_of(session, account_id)
        known = sorted(repositories_of(session, account_id), key=lambda each: each.state == "installed")
    if github is None or installation is None or not loose:
        return list(owned), []
    ids = {f"{each.owner}/{each.name}": each.repository_id for each in known}  # the last of a name is the installed one
    files = _code_owners(github, loose[:MOST_FILES])
    teams, untold = _teams(github, installation)
    if len(files) < len(loose):
        untold.insert(0, f"CODEOWNERS was read in {len(files)} of the {len(loose)} repositories that nobody owns")
    return [_hinted(each, files, teams.get(ids.get(each.repository, 0), ())) for each in owned], untold


def _hinted(owned: Owned, files: Mapping[str, tuple[str, ...]], teams: Sequence[TeamHint]) -> Owned:
    if not _is_loose(owned):
        return owned
    return replace(owned, code_owners=files.get(owned.repository, ()), teams=leading(teams))


def _is_loose(owned: Owned) -> bool:
    return owned.cost_center == UNASSIGNED and bool(owned.repository)


def _code_owners(github: "GitHubClient", repositories: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """What it says in each repository, as far as GitHub's limits let us ask."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        for each in repositories:
            found[each] = code_owners(_code_owners_file(github, *each.split("/", 1)))
    except Later:
        pass
    return found


def _code_owners_file(github: "GitHubClient", owner: str, name: str) -> str:
    """The file that GitHub takes; "" without one, and where GitHub does not show it."""
    try:
        found = (github.read_file(owner, name, place, "") for place in PLACES)
        return next((text for text in found if text is not None), "")
    except Refused:
        return ""


@dataclass(slots=True)
class _Asked:
    """What teams may do, by repository id, and how many teams told nothing, or not all."""

    found: dict[int, list[TeamHint]] = field(default_factory=lambda: defaultdict(list))
    refused: int = 0
    cut: int = 0


def _teams(github: "GitHubClient", installation: "Installation") -> tuple[Mapping[int, list[TeamHint]], list[str]]:
    """What each of the organisation's teams may do, by repository id: names change hands. And what was not asked."""
    login = installation.account_login
    if installation.account_type != "Organization":
        return {}, []
    if PERMISSION not in json.loads(installation.permissions):
        return {}, [NOT_GRANTED]
    asked, untold = _Asked(), list[str]()
    try:
        slugs, more = github.read_teams(login, MOST_TEAMS)
        if more:
            untold.append(f"{login} has more than {MOST_TEAMS} teams, and the first {MOST_TEAMS} were asked")
        for slug in slugs:
            _ask(github, login, slug, asked)
    except Refused as no:
        untold.append(f"GitHub does not tell the teams of {login} ({no.status}), so no team is named")
    except Later:
        untold.append("GitHub limits our requests, so not every team was asked")
    if asked.refused:
        untold.append(f"GitHub does not tell what {asked.refused} of the teams may do")
    if asked.cut:
        untold.append(f"of {asked.cut} of the teams the first {MOST_REPOSITORIES:,} repositories alone were read")
    return asked.found, untold


def _ask(github: "GitHubClient", login: str, slug: str, asked: _Asked) -> None:
    try:
        roles, more = github.read_team_roles(login, slug, MOST_REPOSITORIES)
    except Refused:
        asked.refused += 1
        return
    asked.cut += more
    for repository_id, role in roles.items():
        asked.found[repository_id].append(TeamHint(f"{login}/{slug}", role))

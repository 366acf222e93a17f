"""An organisation's teams, and what each may do with its repositories."""

from app.sandbox import refusals
from app.sandbox.rest.door import Answer, Call, Operation
from app.sandbox.shapes import accounts
from app.sandbox.shapes.repositories import full_repository

READ = ("members:read",)


def get_teams(call: Call) -> Answer:
    organisation = call.organisation
    page, headers = call.paged(list(organisation.teams.values()))
    return Answer(body=[accounts.team(call.hub, organisation, one) for one in page], headers=headers)


def get_repositories(call: Call) -> Answer:
    """The team's repositories with its role; those that the caller does not see are left out."""
    organisation = call.organisation
    team = organisation.teams.get(call.arguments["team_slug"])
    if team is None:
        raise refusals.not_found()
    own = [one for number in team.roles if (one := call.hub.repositories[number]).owner is organisation]
    page, headers = call.paged([one for one in own if not one.deleted and call.sees(one)])
    body = [full_repository(call.hub, one) | accounts.role_of(team.roles[one.repository_id]) for one in page]
    return Answer(body=body, headers=headers)


OPERATIONS = (
    Operation("GET", "/orgs/{org}/teams", READ, get_teams),
    Operation("GET", "/orgs/{org}/teams/{team_slug}/repos", READ, get_repositories),
)

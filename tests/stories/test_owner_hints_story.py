"""Who may own what nobody owns: CODEOWNERS, and teams where the organisation lets the App read them."""

from collections.abc import Mapping

import pytest

from app.core.facts import TeamRole
from app.core.report.owners_table import Owned
from app.core.team_hints import TeamHint
from app.sandbox.steer.accounts import PERMISSIONS
from app.stories.owner_hints import MOST_FILES, MOST_REPOSITORIES, MOST_TEAMS, NOT_GRANTED, with_hints
from app.stories.owners import owned_in
from tests.stories.stage import REPOSITORY, Stage
from tests.stories.test_ownership_story import OCTOBER, configure, id_of

OTHER, NOBODYS = "acme/gadgets", "acme/nobodys"
GRANTED = PERMISSIONS | {"members": "read"}
ADMIN, MAINTAIN, WRITE = TeamRole


def install(stage: Stage, *repositories: str, permissions: Mapping[str, str] = GRANTED) -> int:
    """acme with these repositories (or the one that nobody owns), and what the App may do there."""
    account_id = stage.install(*(repositories or (NOBODYS,)))
    stage.gh.grant(next(iter(stage.gh.hub.installations)), permissions)
    stage.settle()
    return account_id


def hinted(stage: Stage, account_id: int) -> tuple[list[Owned], list[str]]:
    owned, _ = owned_in(stage.world, account_id, OCTOBER)
    return with_hints(stage.world, account_id, owned)


def teams(stage: Stage, account_id: int) -> tuple[dict[str, tuple[TeamHint, ...]], list[str]]:
    """The teams of each repository that has a hint of one, and what was not asked."""
    owned, untold = hinted(stage, account_id)
    return {each.repository: each.teams for each in owned if each.teams}, untold


def asked(stage: Stage) -> int:
    return sum("/teams" in path for _, path, _ in stage.gh.requests)


def test_code_owners_are_hints_at_what_nobody_owns_alone(stage: Stage) -> None:
    account_id = install(stage, REPOSITORY, NOBODYS, permissions=PERMISSIONS)
    configure(stage, account_id)
    for repository in (REPOSITORY, NOBODYS):
        stage.gh.push(repository, "main", {".github/CODEOWNERS": "* @acme/payments\n"})
    owned, _ = hinted(stage, account_id)
    assert {each.repository: each.code_owners for each in owned} == {REPOSITORY: (), NOBODYS: ("@acme/payments",)}


def test_without_a_file_or_an_installation_there_is_no_hint(stage: Stage) -> None:
    account_id = install(stage, permissions=PERMISSIONS)
    owned, _ = owned_in(stage.world, account_id, OCTOBER)
    assert with_hints(stage.world, account_id, owned) == (owned, [NOT_GRANTED])
    stage.gh.uninstall(next(iter(stage.gh.hub.installations)))
    stage.settle()
    assert with_hints(stage.world, account_id, owned) == (owned, [])


def test_teams_that_administer_or_maintain_are_named_the_strongest_first(stage: Stage) -> None:
    account_id = install(stage, REPOSITORY, NOBODYS)
    configure(stage, account_id)
    for name, role in (("Ops", "maintain"), ("Web Core", "admin"), ("Apps", "admin"), ("Devs", "write")):
        stage.gh.create_team("acme", name, {NOBODYS: role, REPOSITORY: role})
    assert teams(stage, account_id) == (
        {NOBODYS: (TeamHint("acme/apps", ADMIN), TeamHint("acme/web-core", ADMIN), TeamHint("acme/ops", MAINTAIN))},
        [],
    )


def test_teams_that_write_are_named_only_where_none_does_more_and_others_never(stage: Stage) -> None:
    account_id = install(stage, NOBODYS, OTHER)
    stage.gh.create_team("acme", "Devs", {NOBODYS: "write", OTHER: "read"})
    stage.gh.create_team("acme", "Support", {NOBODYS: "triage"})
    stage.gh.create_team("acme", "Everyone")
    assert teams(stage, account_id) == ({NOBODYS: (TeamHint("acme/devs", WRITE),)}, [])


def test_without_the_permission_no_team_is_asked_and_that_is_said(stage: Stage) -> None:
    account_id = install(stage, permissions=PERMISSIONS)
    stage.gh.create_team("acme", "Ops", {NOBODYS: "admin"})
    assert teams(stage, account_id) == ({}, [NOT_GRANTED])
    assert asked(stage) == 0
    stage.gh.grant(next(iter(stage.gh.hub.installations)), GRANTED)
    stage.settle()
    assert teams(stage, account_id) == ({NOBODYS: (TeamHint("acme/ops", ADMIN),)}, [])


@pytest.mark.parametrize("permissions", [PERMISSIONS, GRANTED])
def test_where_everything_has_an_owner_nothing_is_asked_or_said(stage: Stage, permissions: Mapping[str, str]) -> None:
    account_id = install(stage, REPOSITORY, permissions=permissions)
    configure(stage, account_id)
    stage.gh.create_team("acme", "Ops", {REPOSITORY: "admin"})
    before = len(stage.gh.requests)
    assert teams(stage, account_id) == ({}, [])
    assert len(stage.gh.requests) == before


@pytest.mark.parametrize("permissions", [PERMISSIONS, GRANTED])
def test_a_person_s_account_has_no_teams_and_is_not_asked(stage: Stage, permissions: Mapping[str, str]) -> None:
    account_id = stage.gh.create_account("ada", kind="User")
    stage.gh.create_repository("ada/widgets")
    stage.gh.install("ada", permissions=permissions)
    stage.settle()
    assert teams(stage, account_id) == ({}, [])
    assert asked(stage) == 0


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_leaves_hints_without_teams(stage: Stage, status: int) -> None:
    account_id = install(stage)
    stage.gh.push(NOBODYS, "main", {"CODEOWNERS": "* @ada\n"})
    stage.gh.create_team("acme", "Ops", {NOBODYS: "admin"})
    stage.gh.fail("status", path="/orgs/acme/teams$", status=status)
    owned, untold = hinted(stage, account_id)
    assert [(each.code_owners, each.teams) for each in owned] == [(("@ada",), ())]
    assert untold == [f"GitHub does not tell the teams of acme ({status}), so no team is named"]


@pytest.mark.parametrize("status", [403, 404])
def test_a_team_that_is_refused_leaves_the_others(stage: Stage, status: int) -> None:
    account_id = install(stage)
    for name in ("Ops", "Web"):
        stage.gh.create_team("acme", name, {NOBODYS: "admin"})
    stage.gh.fail("status", path="/orgs/acme/teams/ops/", status=status)
    assert teams(stage, account_id) == (
        {NOBODYS: (TeamHint("acme/web", ADMIN),)},
        ["GitHub does not tell what 1 of the teams may do"],
    )


def test_where_github_limits_requests_the_files_that_were_read_count(stage: Stage) -> None:
    account_id = install(stage)
    stage.gh.fail("secondary", path="/contents/")
    _, untold = teams(stage, account_id)
    assert untold == ["CODEOWNERS was read in 0 of the 1 repositories that nobody owns"]


def test_where_github_limits_requests_what_was_told_before_stays(stage: Stage) -> None:
    account_id = install(stage)
    for name in ("Ops", "Web"):
        stage.gh.create_team("acme", name, {NOBODYS: "admin"})
    stage.gh.fail("secondary", path="/orgs/acme/teams/web/")
    assert teams(stage, account_id) == (
        {NOBODYS: (TeamHint("acme/ops", ADMIN),)},
        ["GitHub limits our requests, so not every team was asked"],
    )


def test_a_renamed_repository_keeps_its_teams_and_who_takes_its_name_does_not_get_them(stage: Stage) -> None:
    account_id = install(stage)
    stage.gh.create_team("acme", "Ops", {NOBODYS: "maintain"})
    stage.gh.rename_repository(NOBODYS, "somebodys")
    stage.waiting.clear()  # the App does not hear of it
    assert teams(stage, account_id) == ({NOBODYS: (TeamHint("acme/ops", MAINTAIN),)}, [])
    stage.gh.create_repository(NOBODYS)
    stage.gh.create_team("acme", "Others", {NOBODYS: "admin"})
    stage.waiting.clear()
    assert teams(stage, account_id) == ({NOBODYS: (TeamHint("acme/ops", MAINTAIN),)}, [])


def test_of_two_repositories_that_had_one_name_the_installed_one_counts(stage: Stage) -> None:
    account_id = install(stage)
    stage.agent(NOBODYS, event="schedule")
    stage.settle()
    first = id_of(stage, NOBODYS)
    stage.gh.delete_repository(NOBODYS)
    stage.gh.create_repository(NOBODYS)
    stage.settle()
    stage.gh.create_team("acme", "Ops", {NOBODYS: "admin"})
    assert {row.repository_id == first for row in stage.rows("SELECT repository_id FROM repository")} == {True, False}
    assert teams(stage, account_id) == ({NOBODYS: (TeamHint("acme/ops", ADMIN),)}, [])


def test_more_than_a_page_of_repositories_is_read_and_more_files_than_are_read_are_told(stage: Stage) -> None:
    names = [f"acme/r{number:03}" for number in range(MOST_FILES + 1)]
    account_id = install(stage, *names)
    stage.gh.create_team("acme", "Ops", dict.fromkeys(names, "maintain"))
    found, untold = teams(stage, account_id)
    assert found == dict.fromkeys(names, (TeamHint("acme/ops", MAINTAIN),))
    assert untold == ["CODEOWNERS was read in 100 of the 101 repositories that nobody owns"]
    assert sum(path.endswith("/contents/.github/CODEOWNERS") for _, path, _ in stage.gh.requests) == MOST_FILES


def test_more_than_a_hundred_teams_are_not_asked_and_that_is_said(stage: Stage) -> None:
    account_id = install(stage)
    for number in range(MOST_TEAMS - 1):
        stage.gh.create_team("acme", f"t{number}")
    stage.gh.create_team("acme", "last", {NOBODYS: "admin"})
    assert teams(stage, account_id) == ({NOBODYS: (TeamHint("acme/last", ADMIN),)}, [])
    stage.gh.create_team("acme", "beyond", {NOBODYS: "admin"})
    before = asked(stage)
    assert teams(stage, account_id) == (
        {NOBODYS: (TeamHint("acme/last", ADMIN),)},
        ["acme has more than 100 teams, and the first 100 were asked"],
    )
    assert asked(stage) - before == 2 + MOST_TEAMS  # two pages of teams


def test_a_team_of_very_many_repositories_is_read_up_to_a_limit_and_that_is_said(stage: Stage) -> None:
    account_id = install(stage)
    others = [f"acme/public{number}" for number in range(MOST_REPOSITORIES)]
    stage.gh.select_repositories(next(iter(stage.gh.hub.installations)))
    for name in others:
        stage.gh.create_repository(name, visibility="public")
    stage.gh.create_team("acme", "all", dict.fromkeys([NOBODYS, *others[1:]], "admin"))
    assert teams(stage, account_id) == ({NOBODYS: (TeamHint("acme/all", ADMIN),)}, [])
    stage.gh.create_team("acme", "all", dict.fromkeys([*others, NOBODYS], "admin"))
    assert teams(stage, account_id) == (
        {},
        ["of 1 of the teams the first 1,000 repositories alone were read"],
    )

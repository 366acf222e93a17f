"""Installations, repositories and configuration, in whatever order their events come."""

import json

import pytest

from app.store.accounts import installation_of, repository_of
from app.store.configs import config_of, problems_of
from app.store.queue import Job
from app.stories import enroll
from tests.stories.stage import ORGANISATION, REPOSITORY, Stage

CONFIG = f"{ORGANISATION}/.github-private"


def installation_state(stage: Stage, account_id: int) -> str | None:
    with stage.world.db.reading() as session:
        found = installation_of(session, account_id)
    return found.state if found else None


def repository_state(stage: Stage, repository: str = REPOSITORY) -> tuple[str, str, str] | None:
    place = stage.gh.hub.repository(repository)
    with stage.world.db.reading() as session:
        found = repository_of(session, place.owner.account_id, place.repository_id)
    return (found.state, found.name, found.visibility) if found else None


def test_an_installation_brings_its_repositories(stage: Stage) -> None:
    account_id = stage.install()
    assert installation_state(stage, account_id) == "active"
    assert repository_state(stage) == ("installed", "widgets", "private")


def test_suspension_and_its_end_in_the_wrong_order_end_active(stage: Stage) -> None:
    account_id = stage.install()
    installation_id = next(iter(stage.gh.hub.installations))
    stage.gh.suspend(installation_id)
    stage.gh.unsuspend(installation_id)
    stage.deliver(list(reversed(stage.waiting)))
    stage.settle()
    assert installation_state(stage, account_id) == "active"


def test_the_end_of_an_older_installation_does_not_end_the_newer_one(stage: Stage) -> None:
    account_id = stage.install()
    stage.gh.uninstall(next(iter(stage.gh.hub.installations)))
    gone = stage.waiting[:]
    stage.waiting.clear()
    stage.gh.install(ORGANISATION)
    stage.settle()
    stage.deliver(gone)
    assert installation_state(stage, account_id) == "active"


def test_an_uninstalled_app_is_marked_so_and_keeps_the_history(stage: Stage) -> None:
    account_id = stage.install()
    stage.agent(event="schedule")
    stage.gh.uninstall(next(iter(stage.gh.hub.installations)))
    stage.settle()
    assert installation_state(stage, account_id) == "deleted"
    assert stage.rows("SELECT COUNT(*) FROM agent_run") == [(1,)]


def test_an_installation_that_nobody_heard_of_is_discovered(stage: Stage) -> None:
    account_id = stage.gh.create_account(ORGANISATION)
    stage.gh.create_repository(REPOSITORY)
    stage.gh.install(ORGANISATION)
    stage.waiting.clear()
    enroll.discover(Job("j", 0, "0/discover", "discover"), stage.world)
    stage.settle()
    assert installation_state(stage, account_id) == "active"
    assert repository_state(stage) is not None


def test_an_uninstallation_that_nobody_heard_of_is_discovered(stage: Stage) -> None:
    account_id = stage.install()
    stage.gh.uninstall(next(iter(stage.gh.hub.installations)))
    stage.waiting.clear()
    enroll.discover(Job("j", 0, "0/discover", "discover"), stage.world)
    assert installation_state(stage, account_id) == "deleted"


def test_a_pull_of_an_unknown_account_waits_for_its_installation(stage: Stage) -> None:
    stage.gh.create_account(ORGANISATION)
    stage.gh.create_repository(REPOSITORY)
    stage.gh.install(ORGANISATION)
    stage.waiting.clear()
    stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    opened = stage.waiting[:]
    with pytest.raises(LookupError, match="not known yet"):
        stage.deliver(opened)
    stage.settle()
    stage.deliver(opened)
    assert stage.rows("SELECT number FROM pull") == [(1,)]


def test_a_renamed_repository_keeps_its_history(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.settle()
    stage.gh.rename_repository(REPOSITORY, "gears")
    stage.settle()
    stage.gh.merge(f"{ORGANISATION}/gears", number)
    stage.settle()
    assert repository_state(stage, f"{ORGANISATION}/gears") == ("installed", "gears", "private")
    assert stage.comment(number, f"{ORGANISATION}/gears") is not None


def test_a_repository_that_becomes_public_shows_no_money_from_then_on(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    stage.gh.set_visibility(REPOSITORY, "public")
    stage.settle()
    stage.gh.edit_pull(REPOSITORY, number, title="Again")
    stage.settle()
    assert "$" not in (stage.comment(number) or "$")


def test_an_archived_repository_is_left_alone(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.gh.merge(REPOSITORY, number)
    stage.gh.archive_repository(REPOSITORY)
    stage.settle()
    assert stage.comment(number) is None
    assert stage.rows("SELECT COUNT(*) FROM job WHERE state = 3") == [(0,)]


# ---- configuration -------------------------------------------------------------------------------------------------


def configured(stage: Stage, text: str, repository: str = CONFIG, visibility: str = "private") -> int:
    account_id = stage.install()
    stage.gh.create_repository(repository, visibility=visibility, files={"mergemeter.yml": text})
    stage.settle()
    return account_id


def kept(stage: Stage, account_id: int) -> tuple[str, str, tuple[str, ...]]:
    with stage.world.db.reading() as session:
        version = config_of(session, account_id)
    return version.source, version.good_text, problems_of(version)


def test_the_configuration_is_read_from_the_private_repository(stage: Stage) -> None:
    account_id = configured(stage, "comment: live\n")
    assert kept(stage, account_id) == (CONFIG, "comment: live\n", ())


def test_a_mistake_leaves_the_last_good_version_in_force(stage: Stage) -> None:
    account_id = configured(stage, "comment: live\n")
    stage.gh.push(CONFIG, "main", {"mergemeter.yml": "comment: sometimes\n"})
    enroll.refresh(Job("j", account_id, f"{account_id}/installation", "refresh"), stage.world)
    source, good, problems = kept(stage, account_id)
    assert good == "comment: live\n"
    assert problems[0].startswith(f"{source}/mergemeter.yml, line 1: ")


def test_discounts_in_a_public_file_are_refused(stage: Stage) -> None:
    discount = "discounts:\n  - {provider: anthropic, percent: 20, from: 2026-01-01}\n"
    account_id = configured(stage, discount, f"{ORGANISATION}/.github", "public")
    _, good, problems = kept(stage, account_id)
    assert (good, len(problems)) == ("", 1)


def test_live_mode_comments_on_the_open_pull(stage: Stage) -> None:
    configured(stage, "comment: live\n")
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.settle()
    assert stage.comment(number) is not None


@pytest.mark.parametrize("text", ["comment: off\n", "comment_threshold_usd: 5\n"])
def test_off_and_the_threshold_keep_the_comment_away_and_the_check_there(stage: Stage, text: str) -> None:
    configured(stage, text)
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    assert (stage.comment(number), len(stage.gh.checks(REPOSITORY, number))) == (None, 1)


def test_a_discount_makes_the_contracted_cost(stage: Stage) -> None:
    configured(stage, "discounts:\n  - {provider: anthropic, percent: 20, from: 2026-01-01}\n")
    stage.agent(event="schedule", calls=1)
    [(cost,)] = stage.rows("SELECT cost_nano_usd FROM model_call")
    assert cost == 22_500_000 * 8 // 10


def test_the_installation_keeps_what_was_granted(stage: Stage) -> None:
    account_id = stage.install()
    with stage.world.db.reading() as session:
        found = installation_of(session, account_id)
    assert found is not None
    assert json.loads(found.permissions)["checks"] == "write"

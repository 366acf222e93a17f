"""`owners` as a process."""

import pytest

from app.commands.options import SCOPES
from app.core.shares import Dimension
from app.sandbox.steer.accounts import PERMISSIONS
from app.store.database import Database
from app.stories.owner_hints import NOT_GRANTED
from tests.engine.test_command import run
from tests.openapi import contract


@pytest.fixture
def acme(sqlite_url: str) -> str:
    """acme with two repositories, of which the configuration gives one to a cost center without an owner."""
    database = Database(sqlite_url)
    with database.transaction() as session:
        execute = session.connection().exec_driver_sql
        execute("INSERT INTO installation VALUES (100, 1, 'acme', 'Organization', 'active', '{}', 0)")
        for number, name in enumerate(("widgets", "gadgets"), 1):
            execute(
                f"INSERT INTO repository VALUES (100, {number}, 'acme', '{name}', 'main', 'private', 0, 1,"
                " 'installed', 0)"
            )
        execute(
            "INSERT INTO config_version (account_id, source, public, read_text, good_text, problems, read_at_us) VALUES"
            " (100, '', 0, '', 'cost_centers: {centers: {platform: {repositories: [widgets]}}}', '[]', 0)"
        )
    database.close()
    return sqlite_url


def test_whose_each_repository_is_is_printed_with_what_is_doubtful(acme: str) -> None:
    shown = run(acme, "owners", "2026-10", "--account", "acme")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[0] == "acme, 2026-10"
    assert lines[3].split() == ["acme/gadgets", "unassigned", "whole", "month", "nothing", "–", "$0.00", "0"]
    assert lines[4].split() == ["acme/widgets", "platform", "whole", "month", "repository", "–", "$0.00", "0"]
    assert "Unassigned: $0.00 of $0.00." in lines
    assert lines[-1].startswith("no-budget-owner: The cost center platform has no owner")


def test_hints_are_printed_beside_and_what_was_not_asked_is_told(sqlite_url: str) -> None:
    with contract.watched() as gh:
        app = gh.register_app()
        account_id = gh.create_account("acme")
        repository_id = gh.create_repository("acme/nobodys", files={"CODEOWNERS": "* @acme/payments\n"})
        gh.create_team("acme", "Ops", {"acme/nobodys": "maintain"})
        installation_id = gh.install("acme", permissions=PERMISSIONS | {"members": "read"})
        more = {
            "MERGEMETER_APP_ID": str(app["app_id"]),
            "MERGEMETER_PRIVATE_KEY": app["private_key"],
            "MERGEMETER_GITHUB_API_URL": gh.url,
        }

        def shown(granted: str, *options: str) -> list[str]:
            database = Database(sqlite_url)
            with database.transaction() as session:
                execute = session.connection().exec_driver_sql
                execute("DELETE FROM installation")
                execute("DELETE FROM repository")
                execute(
                    "INSERT INTO installation VALUES (?, ?, 'acme', 'Organization', 'active', ?, 0)",
                    (account_id, installation_id, granted),
                )
                execute(
                    "INSERT INTO repository VALUES (?, ?, 'acme', 'nobodys', 'main', 'private', 0, 1, 'installed', 0)",
                    (account_id, repository_id),
                )
            database.close()
            done = run(sqlite_url, "owners", "2026-10", *options, **more)
            assert (done.returncode, done.stderr) == (0, "")
            return done.stdout.splitlines()

        asked = shown('{"members": "read"}', "--hints")
        assert asked[3].endswith("0  CODEOWNERS says @acme/payments; teams: @acme/ops (maintain)")
        assert "Hints:" not in "\n".join(asked)
        lacking = shown("{}", "--hints")
        assert lacking[3].endswith("0  CODEOWNERS says @acme/payments")
        assert lacking[-1] == f"Hints: {NOT_GRANTED}."
        assert "Hints:" not in "\n".join(shown("{}"))


def test_a_report_can_be_asked_by_every_kind_of_scope() -> None:
    assert list(SCOPES) == [each.value for each in Dimension]


def test_what_makes_no_sense_is_refused(acme: str) -> None:
    assert run(acme, "owners", "October").returncode == 2
    unknown = run(acme, "owners", "2026-10", "--account", "globex")
    assert (unknown.returncode, unknown.stdout) == (1, "")

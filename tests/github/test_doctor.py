from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.doctor import Finding, Level, diagnose, exit_code, render
from app.github.app import GitHubApp
from app.github.permissions import OPTIONAL, WANTED
from app.sandbox import Sandbox
from app.settings import Settings
from app.store.database import Database
from app.store.schema import revisions
from tests.github.answering import Answer, Answering
from tests.openapi import contract

GRANTED = {name: level for name, (level, _) in WANTED.items()}


class Server:
    """An installed server: the App at the sandbox, a public address that answers, a migrated database."""

    def __init__(self, gh: Sandbox, public: Answering, database_url: str) -> None:
        self.gh, self.public = gh, public
        public.say("GET /healthz", Answer(body={}))
        public.say("POST /webhooks/github", Answer(202, {}))
        self.app = gh.register_app(f"{public.url}/webhooks/github")
        self.settings = Settings(
            database_url=database_url,
            app_id=self.app["app_id"],
            private_key=self.app["private_key"],
            webhook_secrets=(self.app["webhook_secret"],),
            public_url=public.url,
            oidc_issuers=(gh.oidc_issuer,),
            github_api_url=gh.url,
        )

    def findings(self, now: Callable[[], datetime] | None = None, **changed: Any) -> list[Finding]:
        settings = replace(self.settings, **changed)
        return diagnose(settings, now=now) if now else diagnose(settings)

    def problems(self, **changed: Any) -> list[tuple[str, str, str]]:
        found = self.findings(**changed)
        return [(one.level.value, one.subject, one.told) for one in found if one.level is not Level.OK]


@pytest.fixture
def installed(server: Answering, sqlite_url: str) -> Iterator[Server]:
    with contract.watched() as gh:
        made = Server(gh, server, sqlite_url)
        gh.create_account("acme")
        gh.create_repository("acme/shop")
        gh.install("acme")
        assert gh.drain()
        yield made


# Everything here runs over plain http on loopback, which the doctor rightly warns about.
PLAIN = ("warning", "public address", "is not https")


def test_a_healthy_server_has_nothing_to_mend(installed: Server) -> None:
    found = installed.findings()
    assert installed.problems() == [PLAIN]
    assert {one.subject for one in found} == {
        "settings", "key", "clock", "App", "webhook", "installations", "deliveries", "public address",
        "signing keys of Actions", "database", "agent tasks",
    }  # fmt: skip
    assert exit_code(found) == 0


def test_every_problem_says_how_to_mend_it(installed: Server) -> None:
    installed.gh.register_app(slug="other")
    found = installed.findings(webhook_secrets=("short",), public_url="http://127.0.0.1:1", oidc_issuers=())
    wrong = [one for one in found if one.level is not Level.OK]
    assert {one.subject for one in wrong} >= {"settings", "webhook", "public address"}
    assert all(one.mend for one in wrong)


def agent_tasks(installed: Server, **tokens: str) -> list[tuple[str, str]]:
    found = installed.findings(agent_tasks_tokens=tuple(tokens.items()))
    assert not any(token in render(found) for token in tokens.values())
    return [(one.level.value, one.told) for one in found if one.subject == "agent tasks"]


def test_a_users_token_for_agent_tasks_is_tried(installed: Server) -> None:
    unset = ("ok", "no user token is set: what GitHub's cloud agents cost stays unknown")
    assert agent_tasks(installed) == [unset]
    good, blind = (installed.gh.create_user_token("ada", reads) for reads in (["acme"], []))
    assert agent_tasks(installed, acme=good) == [("ok", "acme: its token reads them, seen in shop")]
    assert agent_tasks(installed, acme=blind) == [("error", "acme: GitHub refuses its token (404) in shop")]
    installed.gh.revoke_user_token(good)
    elsewhere = ("warning", "globex: the App is not installed and active there")
    assert agent_tasks(installed, acme=good, globex=good) == [
        ("error", "acme: GitHub does not accept its token"),
        elsewhere,
    ]


def test_an_error_makes_the_shell_know() -> None:
    assert exit_code([Finding(Level.WARNING, "a", "b")]) == 0
    assert exit_code([Finding(Level.WARNING, "a", "b"), Finding(Level.ERROR, "a", "b")]) == 1


def test_the_text_has_a_line_for_each_finding_and_one_for_its_cure() -> None:
    text = render([Finding(Level.OK, "key", "fits"), Finding(Level.ERROR, "clock", "90 s behind", "Set it.")])
    assert text == "ok       key: fits\nerror    clock: 90 s behind\n         → Set it."


def test_no_secret_is_in_the_text(installed: Server) -> None:
    text = render(installed.findings(webhook_secrets=("hunter2",)))
    assert "hunter2" not in text
    assert installed.app["webhook_secret"] not in text
    assert "PRIVATE KEY" not in text


@pytest.mark.parametrize("key", ["", "-----BEGIN NONSENSE-----"])
def test_a_key_that_is_none_is_told_and_github_is_not_asked(key: str, installed: Server) -> None:
    before = len(installed.gh.requests)
    assert ("error", "key") in {(level, subject) for level, subject, _ in installed.problems(private_key=key)}
    assert len(installed.gh.requests) == before


def test_a_key_of_another_app_is_told(installed: Server, private_key: str) -> None:
    problems = installed.problems(private_key=private_key)
    assert any(subject == "App" and "does not accept" in told for _, subject, told in problems)


def test_an_app_id_that_github_does_not_know_is_told(installed: Server) -> None:
    assert any(subject == "App" and "app id 77" in told for _, subject, told in installed.problems(app_id=77))


@pytest.mark.parametrize(("seconds", "level"), [(0, Level.OK), (-60, Level.ERROR), (60, Level.ERROR)])
def test_a_clock_that_is_wrong_is_told(seconds: int, level: Level, installed: Server) -> None:
    found = installed.findings(now=lambda: datetime.now(UTC) + timedelta(seconds=seconds))
    assert [one.level for one in found if one.subject == "clock"] == [level]


def test_a_webhook_that_goes_elsewhere_is_told(installed: Server) -> None:
    installed.gh.set_hook_url("https://old.example/webhooks/github")
    assert ("error", "webhook") in {(level, subject) for level, subject, _ in installed.problems()}


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        ({"url": ""}, "nowhere"),
        ({"content_type": "form"}, "form"),
        ({"secret": None}, "no secret"),
        ({"insecure_ssl": "1"}, "certificates"),
    ],
)
def test_each_wrong_webhook_setting_is_told(hook: dict[str, Any], told: str, installed: Server) -> None:
    right = {"url": "https://me.example/webhooks/github", "content_type": "json", "secret": "***", "insecure_ssl": "0"}

    class Hooked(GitHubApp):
        def hook_config(self) -> dict[str, Any]:
            return {**right, **hook}

    settings = replace(installed.settings, public_url="https://me.example")
    app = Hooked(settings.app_id, settings.private_key, settings.github_api_url)
    found = [one for one in diagnose(settings, app) if one.subject == "webhook"]
    app.close()
    assert [one.level for one in found] == [Level.ERROR]
    assert told in found[0].told


def test_a_permission_that_was_not_granted_is_told_with_the_account(installed: Server) -> None:
    globex = {name: level for name, level in GRANTED.items() if name != "checks"}
    installed.gh.create_account("globex")
    installed.gh.install("globex", permissions=globex)
    (problem,) = [one for one in installed.problems() if one[1] == "installations"]
    assert problem[0] == "error"
    assert problem[2].startswith("globex has not granted checks: write")


def test_without_the_organisation_s_properties_everything_else_works_and_people_have_none(installed: Server) -> None:
    least = {name: level for name, level in GRANTED.items() if name not in OPTIONAL}
    for login, kind in (("globex", "Organization"), ("ada", "User")):
        installed.gh.create_account(login, kind)
        installed.gh.install(login, permissions=least)
    (problem,) = [one for one in installed.problems() if one[1] == "installations"]
    assert problem[0] == "warning"
    assert problem[2].startswith("globex has not granted organization_custom_properties: read")


def test_an_app_that_does_without_what_is_optional_is_warned_alone(server: Answering, sqlite_url: str) -> None:
    with contract.watched() as gh:
        made = Server(gh, server, sqlite_url)
        with gh.hub.lock:
            app = gh.hub.apps[made.app["app_id"]]
            app.permissions = {name: level for name, level in app.permissions.items() if name not in OPTIONAL}
            app.events = [event for event in app.events if event != "custom_property_values"]
        told = [(level, text.partition(" (")[0]) for level, subject, text in made.problems() if subject == "App"]
        assert told == [
            ("warning", "does not ask for organization_custom_properties: read"),
            ("warning", "is not subscribed to custom_property_values"),
        ]


def test_an_app_that_asks_for_too_much_or_hears_too_little_is_told(server: Answering, sqlite_url: str) -> None:
    with contract.watched() as gh:
        made = Server(gh, server, sqlite_url)
        with gh.hub.lock:
            app = gh.hub.apps[made.app["app_id"]]
            app.permissions = {**app.permissions, "administration": "read", "issues": "read"}
            app.events = ["pull_request", "repository"]
        told = [text for _, subject, text in made.problems() if subject == "App"]
        assert [text.partition(" (")[0] for text in told] == [
            "does not ask for issues: write",
            "asks for more than is used: administration: read",
            "is not subscribed to check_run",
            "is not subscribed to custom_property_values",
            "is not subscribed to issue_comment",
        ]


def test_reading_members_is_neither_asked_for_nor_needless(installed: Server) -> None:
    assert "members" not in installed.gh.hub.apps[installed.app["app_id"]].permissions
    assert installed.problems() == [PLAIN]
    with installed.gh.hub.lock:
        installed.gh.hub.apps[installed.app["app_id"]].permissions["members"] = "read"
    assert installed.problems() == [PLAIN]  # the account has not accepted it
    installed.gh.grant(next(iter(installed.gh.hub.installations)), {**GRANTED, "members": "read"})
    assert installed.gh.drain()
    assert installed.problems() == [PLAIN]


def test_an_app_that_is_installed_nowhere_is_told(server: Answering, sqlite_url: str) -> None:
    with contract.watched() as gh:
        made = Server(gh, server, sqlite_url)
        assert ("warning", "installations", "there is none") in made.problems()


def test_a_suspended_installation_is_told(installed: Server) -> None:
    installed.gh.create_account("globex")
    installed.gh.suspend(installed.gh.install("globex"))
    assert any("globex has suspended" in told for _, _, told in installed.problems())


def test_deliveries_that_never_arrived_are_told_and_redelivered_ones_are_not(installed: Server) -> None:
    installed.public.say("POST /webhooks/github", Answer(500, {}))
    guid = installed.gh.ping()
    assert installed.gh.drain()
    (problem,) = [one for one in installed.problems() if one[1] == "deliveries"]
    assert problem[0] == "warning"
    assert "1 of the latest" in problem[2]
    assert "500" in problem[2]
    installed.public.say("POST /webhooks/github", Answer(202, {}))
    installed.gh.redeliver(guid)
    assert installed.gh.drain()
    assert installed.problems() == [PLAIN]


def test_a_public_address_that_does_not_answer_is_told(installed: Server) -> None:
    installed.public.say("GET /healthz", Answer(503, {}))
    assert ("error", "public address") in {(level, subject) for level, subject, _ in installed.problems()}


@pytest.mark.parametrize("keys", [Answer(body={"keys": []}), Answer(body=[]), Answer(body=b"<html>"), Answer(404, {})])
def test_signing_keys_that_cannot_be_had_are_told(keys: Answer, installed: Server) -> None:
    installed.public.say("GET /idp/.well-known/jwks", keys)
    problems = installed.problems(oidc_issuers=(f"{installed.public.url}/idp",))
    assert ("error", "signing keys of Actions") in {(level, subject) for level, subject, _ in problems}


def test_a_github_that_cannot_be_reached_is_told(installed: Server) -> None:
    problems = installed.problems(github_api_url="http://127.0.0.1:1")
    assert {subject for level, subject, _ in problems if level == "error"} == {"clock", "App"}


def test_a_database_that_does_not_exist_is_told_and_not_made(installed: Server, tmp_path: Path) -> None:
    file = tmp_path / "none.sqlite3"
    problems = installed.problems(database_url=f"sqlite:///{file}")
    assert ("error", "database", f"{file} does not exist") in problems
    assert not file.exists()


def test_a_database_without_tables_is_told(installed: Server, tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite3").touch()
    problems = installed.problems(database_url=f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    assert ("error", "database", "is reachable and has no tables") in problems


def test_a_database_that_cannot_be_reached_is_told_without_its_password(installed: Server) -> None:
    url = "postgresql+psycopg://me:hunter2@127.0.0.1:1/none?connect_timeout=2"
    (problem,) = [one for one in installed.problems(database_url=url) if one[1] == "database"]
    assert problem[0] == "error"
    assert "hunter2" not in problem[2]


def test_a_database_of_an_older_version_is_told(installed: Server) -> None:
    database = Database(installed.settings.database_url)
    with database.transaction() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    database.close()
    (problem,) = [one for one in installed.problems() if one[1] == "database"]
    assert "has schema 0000; this version needs" in problem[2]


def test_a_migrated_database_is_at_the_newest_schema(database_url: str) -> None:
    there, newest = revisions(database_url)
    assert there == newest is not None

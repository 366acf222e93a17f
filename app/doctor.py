"""Looks at an installed server from the outside in and says what is wrong and how to mend it. Changes nothing.

Prints nothing either: `diagnose` finds, `render` makes the text, `exit_code` is for the shell.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import jwt
from sqlalchemy.exc import SQLAlchemyError

from app.core.outcomes import Later, Refused
from app.github.agent_tasks import ReadsOnly
from app.github.app import GitHubApp, utc_now
from app.github.failures import GitHubFailed
from app.github.permissions import OPTIONAL_EVENTS, WANTED_EVENTS, missing, needless
from app.settings import Settings, SettingsError
from app.store.schema import revisions

TIMEOUT_S = 10
LARGEST_ANSWER = 1_000_000
# Tokens of Actions are refused beyond 30 s of difference, the App's own beyond 60 s.
LARGEST_SKEW = timedelta(seconds=25)
DELIVERIES = 100


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """`told` is what was seen, `mend` what a person does about it ("" when nothing)."""

    level: Level
    subject: str
    told: str
    mend: str = ""


Findings = Iterator[Finding]


def diagnose(
    settings: Settings, github: GitHubApp | None = None, now: Callable[[], datetime] = utc_now
) -> list[Finding]:
    """Everything there is to say about this server, in reading order. Failures become findings; nothing is raised."""
    findings = [*_told("settings", lambda: _settings(settings)), *_told("key", lambda: _key(settings))]
    if settings.app_id and not any(finding.level is Level.ERROR and finding.subject == "key" for finding in findings):
        app = github or GitHubApp(settings.app_id, settings.private_key, settings.github_api_url, TIMEOUT_S)
        findings += _of_github(settings, app, now)
        if github is None:
            app.close()
    findings += _told("public address", lambda: _public_address(settings))
    for issuer in settings.oidc_issuers:
        findings += _told("signing keys of Actions", lambda issuer=issuer: _issuer(issuer))  # type: ignore[misc]
    findings += _told("database", lambda: _database(settings))
    return findings


def render(findings: Iterable[Finding]) -> str:
    """The findings as text, one line each and an indented one for what to do."""
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.level:<8} {finding.subject}: {finding.told}")
        lines += [f"         → {finding.mend}"] if finding.mend else []
    return "\n".join(lines)


def exit_code(findings: Iterable[Finding]) -> int:
    """1 when anything is an error, else 0."""
    return int(any(finding.level is Level.ERROR for finding in findings))


def _told(subject: str, check: Callable[[], Findings]) -> list[Finding]:
    """What a check finds; when the check itself fails, that is the finding."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except Refused as no:
        found.append(Finding(Level.ERROR, subject, f"GitHub refuses ({no.status})", no.sentence))
    except Later as later:
        found.append(Finding(Level.ERROR, subject, f"cannot be checked now: {later.reason}"))
    except (GitHubFailed, OSError, HTTPException, ValueError, SQLAlchemyError) as error:
        found.append(Finding(Level.ERROR, subject, f"cannot be checked: {error}"))
    return found


def _settings(settings: Settings) -> Findings:
    try:
        settings.require_complete()
    except SettingsError as error:
        for line in str(error).splitlines():
            yield Finding(Level.ERROR, "settings", line, "Set it in the server's environment; the README lists them.")
    else:
        yield Finding(Level.OK, "settings", "complete, and the webhook secrets are long enough")


def _key(settings: Settings) -> Findings:
    if not settings.private_key:
        yield Finding(Level.ERROR, "key", "there is none", "Generate a private key on the App's page (General).")
        return
    try:
        jwt.get_algorithm_by_name("RS256").prepare_key(settings.private_key)
    except (jwt.InvalidKeyError, ValueError, TypeError):
        mend = "Give the whole .pem file that GitHub offered, or generate a new private key on the App's page."
        yield Finding(Level.ERROR, "key", "is not an RSA private key in PEM form", mend)
        return
    yield Finding(Level.OK, "key", "is a private key")


# ---- what GitHub says ----------------------------------------------------------------------------------------


def _of_github(settings: Settings, github: GitHubApp, now: Callable[[], datetime]) -> list[Finding]:
    findings = _told("clock", lambda: _clock(github, now))
    app = _told("App", lambda: _app(settings, github))
    findings += app
    if any(finding.level is Level.ERROR for finding in app):
        return findings
    findings += _told("App", lambda: _asked(github.app()))
    findings += _told("webhook", lambda: _hook(settings, github.hook_config()))
    findings += _told("installations", lambda: _installations(github))
    findings += _agent_tasks(settings, github, now)
    return findings + _told("deliveries", lambda: _deliveries(github.deliveries(DELIVERIES)))


def _clock(github: GitHubApp, now: Callable[[], datetime]) -> Findings:
    theirs = github.server_time()
    if theirs is None:
        yield Finding(Level.WARNING, "clock", "GitHub's answer bears no date to compare with")
        return
    skew = now() - theirs
    told = f"{abs(skew).total_seconds():.0f} s {'ahead of' if skew > timedelta(0) else 'behind'} GitHub's"
    if abs(skew) > LARGEST_SKEW:
        yield Finding(Level.ERROR, "clock", told, "Let the machine keep its time by NTP: signed tokens live minutes.")
    else:
        yield Finding(Level.OK, "clock", told)


def _app(settings: Settings, github: GitHubApp) -> Findings:
    mend = "MERGEMETER_APP_ID and the private key must be of one App; the id is on the App's page, under General."
    try:
        body = github.app()
    except (Later, Refused) as no:
        told = no.sentence if isinstance(no, Refused) else no.reason
        yield Finding(Level.ERROR, "App", f"app id {settings.app_id} with this key: {told}", mend)
        return
    if body["id"] != settings.app_id:
        yield Finding(Level.ERROR, "App", f"the key belongs to App {body['id']}, not {settings.app_id}", mend)
    else:
        yield Finding(Level.OK, "App", f"{body['slug']} ({body['id']}), and the key is its own")


def _asked(body: dict[str, Any]) -> Findings:
    page = "Change it on the App's page, under Permissions & events; every account then has to accept."
    for permission in missing(body["permissions"]):
        yield Finding(Level.ERROR, "App", f"does not ask for {permission}", page)
    for permission in missing(body["permissions"], optional=True):
        yield Finding(Level.WARNING, "App", f"does not ask for {permission}", page)
    for permission in needless(body["permissions"]):
        yield Finding(Level.WARNING, "App", f"asks for more than is used: {permission}", page)
    for event in sorted(WANTED_EVENTS - set(body["events"])):
        level = Level.WARNING if event in OPTIONAL_EVENTS else Level.ERROR
        yield Finding(level, "App", f"is not subscribed to {event}", page)


def _hook(settings: Settings, hook: dict[str, Any]) -> Findings:
    page = "Change it on the App's page, under General, Webhook."
    wanted = f"{settings.public_url}/webhooks/github"
    problems = [
        (hook.get("url") == wanted, f"goes to {hook.get('url') or 'nowhere'}, not to {wanted}"),
        (hook.get("content_type") == "json", f"sends {hook.get('content_type')}, not json"),
        (bool(hook.get("secret")), "has no secret, so every delivery is refused"),
        (str(hook.get("insecure_ssl", "0")) == "0" or wanted.startswith("http:"), "does not verify certificates"),
    ]
    wrong = [told for right, told in problems if not right]
    for told in wrong:
        yield Finding(Level.ERROR, "webhook", told, page)
    if not wrong:
        yield Finding(Level.OK, "webhook", f"goes to {wanted}, signed")


def _installations(github: GitHubApp) -> Findings:
    count = 0
    for installation in github.installations():
        count += 1
        login = (installation.get("account") or {}).get("login", installation["id"])
        if installation.get("suspended_at"):
            mend = "An owner of the account can unsuspend it in the account's settings, under GitHub Apps."
            yield Finding(Level.WARNING, "installations", f"{login} has suspended the App", mend)
        mend = "An owner of the account accepts it in the account's settings, under GitHub Apps, Review request."
        lacking = missing(installation["permissions"])
        for permission in lacking:
            yield Finding(Level.ERROR, "installations", f"{login} has not granted {permission}", mend)
        of_people = (installation.get("account") or {}).get("type") == "User"
        wished = [] if of_people else missing(installation["permissions"], optional=True)
        for permission in wished:
            yield Finding(Level.WARNING, "installations", f"{login} has not granted {permission}", mend)
        if not lacking and not wished:
            yield Finding(Level.OK, "installations", f"{login} has granted everything")
    if not count:
        yield Finding(Level.WARNING, "installations", "there is none", "Install the App on an account from its page.")


def _agent_tasks(settings: Settings, github: GitHubApp, now: Callable[[], datetime]) -> list[Finding]:
    subject = "agent tasks"
    if not settings.agent_tasks_tokens:
        told = "no user token is set: what GitHub's cloud agents cost stays unknown"
        return [Finding(Level.OK, subject, told)]
    return [
        finding
        for login, token in settings.agent_tasks_tokens
        for finding in _told(subject, lambda login=login, token=token: _agent_tasks_token(github, login, token, now()))  # type: ignore[misc]
    ]


def _agent_tasks_token(github: GitHubApp, login: str, token: str, now: datetime) -> Findings:
    """Ask as the worker will: for the tasks of a repository of the account."""
    subject, mend = "agent tasks", "Give a user's token that may read Agent tasks of this account's repositories."
    found = [each for each in github.installations() if (each.get("account") or {}).get("login", "").lower() == login]
    if not found or found[0].get("suspended_at"):
        yield Finding(Level.WARNING, subject, f"{login}: the App is not installed and active there", "Check its name.")
        return
    repositories = github.on(found[0]["id"], ReadsOnly()).read_repositories()
    if not repositories:
        yield Finding(Level.WARNING, subject, f"{login}: there is no repository to ask about")
        return
    first = repositories[0]
    try:
        github.as_user(token).list_tasks(first.owner, first.name, now, most=1)
    except Refused as no:
        yield Finding(Level.ERROR, subject, f"{login}: GitHub refuses its token ({no.status}) in {first.name}", mend)
    except GitHubFailed as failed:
        if failed.status != 401:
            raise
        yield Finding(Level.ERROR, subject, f"{login}: GitHub does not accept its token", mend)
    else:
        yield Finding(Level.OK, subject, f"{login}: its token reads them, seen in {first.name}")


def _deliveries(deliveries: list[dict[str, Any]]) -> Findings:
    # A redelivery has the same guid: what arrived in the end has arrived. Lost answers have no status code.
    arrived = {delivery["guid"] for delivery in deliveries if delivery["status"] == "OK"}
    failed = {delivery["guid"]: delivery for delivery in deliveries if delivery["guid"] not in arrived}
    if not failed:
        yield Finding(Level.OK, "deliveries", f"the latest {len(arrived)} arrived")
        return
    reasons = sorted({f"{delivery['status_code']} {delivery['status']}" for delivery in failed.values()})
    told = f"{len(failed)} of the latest {len(failed) + len(arrived)} did not arrive: {', '.join(reasons)}"
    mend = "Mend what the reasons name, within three days: they are then asked for again by themselves."
    yield Finding(Level.WARNING, "deliveries", told, mend)


# ---- what this machine sees ----------------------------------------------------------------------------------


def _public_address(settings: Settings) -> Findings:
    if not settings.public_url:
        return
    address = f"{settings.public_url}/healthz"
    try:
        _fetch(address)
    except (OSError, HTTPException) as error:
        mend = "Start the server, and let GitHub reach it: name, certificate, firewall, reverse proxy."
        yield Finding(Level.ERROR, "public address", f"{address}: {error}", mend)
        return
    yield Finding(Level.OK, "public address", f"{address} answers, seen from this machine")
    if urlsplit(settings.public_url).scheme != "https":
        mend = "Put a certificate in front of it: signed tokens of Actions travel there."
        yield Finding(Level.WARNING, "public address", "is not https", mend)


def _issuer(issuer: str) -> Findings:
    address = f"{issuer}/.well-known/jwks"
    mend = "Let this server reach it, or correct MERGEMETER_OIDC_ISSUERS; without it no record is accepted."
    try:
        keys = json.loads(_fetch(address)).get("keys")
    except (OSError, HTTPException, ValueError, AttributeError) as error:
        yield Finding(Level.ERROR, "signing keys of Actions", f"{address}: {error}", mend)
        return
    if keys:
        yield Finding(Level.OK, "signing keys of Actions", f"{len(keys)} at {address}")
    else:
        yield Finding(Level.ERROR, "signing keys of Actions", f"{address}: holds no key", mend)


def _fetch(address: str) -> bytes:
    # The scheme was checked when the settings were read.
    with urlopen(Request(address, headers={"User-Agent": "mergemeter"}), timeout=TIMEOUT_S) as answer:  # noqa: S310
        return answer.read(LARGEST_ANSWER)  # type: ignore[no-any-return]


def _database(settings: Settings) -> Findings:
    mend = "Run `python -m app migrate`."
    file = settings.database_url.removeprefix("sqlite:///")
    if file != settings.database_url and not Path(file).exists():
        yield Finding(Level.ERROR, "database", f"{file} does not exist", mend)  # looking would create it
        return
    there, newest = revisions(settings.database_url)
    if there is None:
        yield Finding(Level.ERROR, "database", "is reachable and has no tables", mend)
    elif there != newest:
        yield Finding(Level.ERROR, "database", f"has schema {there}; this version needs {newest}", mend)
    else:
        yield Finding(Level.OK, "database", f"reachable, schema {there}")

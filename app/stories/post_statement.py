"""The statement in force of a cost center's month, in one issue for all its versions: made once, edited in place.

It goes where the configuration says, and stays in that repository. A repository that everybody can read never gets one.
Its owners are mentioned by the first version and assigned. A version that follows opens the issue again and says in one
comment what changed; one that is accepted closes it. What people close stays closed until the next version.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from app.core.chargeback.decisions import Standing, last_day
from app.core.chargeback.periods import StatementState
from app.core.chargeback.statement import Statement
from app.core.config import Config
from app.core.facts import RepositoryFact
from app.core.month import Month
from app.core.outcomes import Refused
from app.core.report.statement import markdown, paper
from app.core.report.statement_notices import changed
from app.store.accounts import installation_of, repository_of
from app.store.chargeback_tables import StatementRow
from app.store.configs import config_in_force
from app.store.effect_tables import Effect
from app.store.effects import fingerprint, once, write_effect
from app.store.queue import Job
from app.store.statement_issues import (
    CLOSED,
    SHOWN,
    effect_in,
    issue_key,
    issue_mark,
    notice_mark,
    on_paper,
    shown_at,
    standing,
    version_effect,
)
from app.store.statements import document_of, statement_in_force, statement_numbered
from app.store.tables import Repository
from app.world import World

if TYPE_CHECKING:
    from app.github.client import GitHubClient

LABEL = "mergemeter"
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Desk:
    """A statement before it is put on GitHub. `home`: the repository in which its issue stands already."""

    row: StatementRow
    document: Statement
    before: Statement | None  # the version before it, where people have seen that one
    config: Config
    owner: str  # the account's login
    standing: Standing
    on_paper: paper.Standing
    effect: Effect  # the issue
    shown: Effect
    closed: Effect
    home: Repository | None


def post_statement(job: Job, world: World) -> None:
    """Make the issue say what is in force; repeating it changes nothing. `anew` in the arguments: as for a summary."""
    desk = _desk(job, world)
    github = world.client(job.account_id)
    if desk is None or github is None or desk.effect.state == "removed":
        return
    if not desk.config.chargeback.close.repository and desk.home is None:
        log.info("account %s: no close.repository is configured, %s is not posted", job.account_id, desk.row.number)
        return
    place = _place(desk, github)
    if isinstance(place, str):
        desk.effect.location = desk.effect.location or f"{desk.owner}/{desk.config.chargeback.close.repository}"
        _keep(world, desk.effect, "refused", place)
        return
    if _put(world, github, desk, place, anew=bool(job.args.get("anew"))):
        _show(world, github, desk, place)
        _close(world, github, desk, place)


def _desk(job: Job, world: World) -> Desk | None:
    account_id, month = job.account_id, Month.parse(str(job.args["month"]))
    with world.db.reading() as session:
        row = statement_in_force(session, account_id, month, str(job.args["cost_center"]))
        installation = installation_of(session, account_id)
        if row is None or installation is None:
            return None
        former = statement_numbered(session, account_id, row.number, row.version - 1)
        config = config_in_force(session, account_id)
        effect = effect_in(session, account_id, issue_key(row.number))
        home = repository_of(session, account_id, effect.repository_id) if effect.repository_id else None
        return Desk(
            row=row,
            document=document_of(row),
            before=document_of(former) if former is not None and shown_at(session, former) is not None else None,
            config=config,
            owner=installation.account_login,
            standing=standing(session, row, config),
            on_paper=on_paper(session, row),
            effect=effect,
            shown=version_effect(session, row, SHOWN),
            closed=version_effect(session, row, CLOSED),
            home=home if home is not None and home.state == "installed" else None,
        )


def _place(desk: Desk, github: "GitHubClient") -> RepositoryFact | str:
    """Where the issue belongs, or a sentence why it cannot be there. An issue stays in its repository."""
    name = desk.config.chargeback.close.repository
    found: RepositoryFact | None = None
    if desk.home is not None:
        found = github.read_repository(desk.home.owner, desk.home.name)
        if found is not None and found.repository_id != desk.home.repository_id:
            found = None  # another one took the name
    if found is None and name:
        found = github.read_repository(desk.owner, name)
    if found is None:
        return f"{desk.owner}/{name} is not there, or the App is not installed on it: name another close.repository."
    if found.public:
        return f"{found.full_name} is public, and a statement holds money: make it private or name another one."
    if found.archived:
        return f"{found.full_name} is archived: unarchive it or name another close.repository."
    if not found.has_issues:
        return f"{found.full_name} has no issues: enable them or name another close.repository."
    return found


def _put(world: World, github: "GitHubClient", desk: Desk, place: RepositoryFact, *, anew: bool) -> bool:
    """Put title and body, with the intent before and the number after; whether the issue says them now."""
    effect, mark = desk.effect, issue_mark(desk.row)
    if effect.repository_id not in (0, place.repository_id):  # the repository is gone, and its issue with it
        effect.github_id = None
    effect.repository_id, effect.location = place.repository_id, place.full_name
    told = _paper(desk, world.settings.github_web_url, world.now())
    heading, body = markdown.title(told), markdown.issue(told, mark)
    said = fingerprint(heading, body)
    if effect.state == "written" and effect.body_sha256 == said and effect.github_id is not None and not anew:
        return True
    _keep(world, effect, "intent", "")
    where = place.owner, place.name
    try:
        put = github.put_issue(*where, heading, body, mark, effect.github_id, LABEL, anew=anew)
        if put.state == "adopted":  # the lane is ours, so our words are newer than those of whoever wrote it
            put = github.put_issue(*where, heading, body, mark, put.id, LABEL)
    except Refused as no:
        _keep(world, effect, "refused", str(no))
        return False
    effect.github_id, effect.body_sha256 = put.id, said
    if put.state == "deleted_by_hand":
        _keep(world, effect, "removed", "a person deleted the issue; it is not posted again")
        return False
    _keep(world, effect, "written", "")
    return True


def _paper(desk: Desk, web_url: str, now: datetime) -> paper.Paper:
    """What is read: the document, and how it stands."""
    terms, stands = desk.config.chargeback.close, desk.on_paper
    if stands.at is None and desk.standing.owners:
        stands = replace(stands, until=last_day(terms, desk.standing.shown_at or now))
    return paper.Paper.of(desk.document, stands, web_url, terms.time_zone)


def _show(world: World, github: "GitHubClient", desk: Desk, place: RepositoryFact) -> None:
    """Once for each version: who is asked is assigned; what follows another version says what changed."""
    number = desk.effect.github_id or 0
    where = place.owner, place.name, number

    def first() -> int | None:
        github.assign(*where, desk.standing.owners)
        return number

    def later() -> int | None:
        github.set_issue_open(*where, is_open=True)
        mark = notice_mark(desk.row)
        said = changed(desk.document, desk.before) if desk.before is not None else ""
        return github.put_comment(*where, f"{said}\n\n{mark}", mark, None).id

    desk.shown.location = f"{place.full_name}#{number}"
    once(world.db, desk.shown, first if desk.before is None else later, world.now())


def _close(world: World, github: "GitHubClient", desk: Desk, place: RepositoryFact) -> None:
    """Nothing more is asked of anybody once it is accepted."""
    if desk.standing.state not in (StatementState.ACCEPTED, StatementState.POSTED):
        return
    number = desk.effect.github_id or 0

    def close() -> int | None:
        github.set_issue_open(place.owner, place.name, number, is_open=False)
        return number

    desk.closed.location = f"{place.full_name}#{number}"
    once(world.db, desk.closed, close, world.now())


def _keep(world: World, effect: Effect, state: str, note: str) -> None:
    if note:
        log.warning("account %s: %s at %s: %s", effect.account_id, effect.key, effect.location, note)
    effect.state, effect.note = state, note
    with world.db.transaction() as session:
        write_effect(session, effect, world.now())

"""Statements that were issued, with the repository where they stand, for stories about what people decide of them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.core.chargeback.statement import Statement
from app.store.chargeback_tables import StatementRow
from app.store.queue import NewJob, enqueue, enqueue_all
from app.store.statement_issues import daily_jobs, statement_job
from app.store.statements import issue, statement_numbered
from tests.core.statement_samples import line, statement, usd
from tests.stories.stage import ORGANISATION, Stage

CONFIG = f"{ORGANISATION}/.github-private"
FINANCE = f"{ORGANISATION}/finance"
NUMBER = "2026-10-001"
NOVEMBER = datetime(2026, 11, 10, 9, tzinfo=UTC)
CENTERS = "cost_centers: {centers: {payments: {owners: [Ada, bob]}, platform: {owners: [carol]}, lost: {}}}\n"
CLOSE = "close: {repository: finance, remind_after_days: [3, 7], accept_after_days: 14, time_zone: Europe/Berlin}\n"


def set_up(stage: Stage, text: str = CENTERS + CLOSE, **finance: Any) -> int:
    """An organisation whose budget owners are ada and bob, in November; gives its id."""
    account_id = stage.install()
    stage.gh.create_repository(FINANCE, **finance)
    stage.gh.create_repository(CONFIG, files={"mergemeter.yml": text})
    for person in ("ada", "bob", "carol", "mallory"):
        stage.gh.permit(FINANCE, person, "write")
    stage.gh.set_time(NOVEMBER)
    stage.settle()
    return account_id


def document(account_id: int, cost_center: str = "payments", number: str = NUMBER, **more: Any) -> Statement:
    made = statement(cost_center, lines=[replace(line(usd("412.17")), cents=41_217)], number=number)
    return replace(made, account_id=account_id, total_cents=41_217, owners=("ada", "bob"), **more)


def issued(stage: Stage, *documents: Statement, post: bool = True) -> StatementRow:
    """Issue statements, and have them put on GitHub; gives the last one's row."""
    with stage.world.db.transaction() as session:
        rows = issue(session, documents, "schedule", stage.now())
        if post:
            enqueue_all(session, [statement_job(row, stage.now()) for row in rows], stage.now())
    stage.work()
    return rows[-1]


def post(stage: Stage, row: StatementRow, **args: Any) -> None:
    """Have a statement's issue brought up to date."""
    new = statement_job(row, stage.now())
    again = NewJob(new.account_id, new.lane, new.kind, new.dedupe, new.args | args, new.run_at)
    with stage.world.db.transaction() as session:
        enqueue(session, again, stage.now())
    stage.work()


def a_day(stage: Stage, days: float = 1) -> None:
    """Let days pass, with the daily look at every statement."""
    stage.gh.advance(days * 24 * 3600)
    with stage.world.db.transaction() as session:
        enqueue_all(session, daily_jobs(session, stage._accounts(), stage.now()), stage.now())
    stage.work()


def issue_of(stage: Stage, repository: str = FINANCE) -> dict[str, Any]:
    """The one issue there is."""
    (found,) = stage.gh.issues(repository)
    return found


def say(stage: Stage, text: str, user: str = "ada", **how: Any) -> int:
    """A comment on the only issue, heard and answered; gives its id."""
    stage.tick()
    comment_id = stage.gh.comment(FINANCE, issue_of(stage)["number"], user, text, **how)
    stage.work()
    stage.work()  # what the App wrote is heard, too
    stage.tick()
    return comment_id


def ours(stage: Stage, kind: str = "answer") -> list[str]:
    """The App's comments on the only issue: answers to commands, or notices."""
    found = stage.gh.comments(FINANCE, issue_of(stage)["number"])
    bodies = [str(one["body"]) for one in found if one["user"]["id"] == stage.app["bot_id"]]
    return [body for body in bodies if f"<!-- mergemeter:{kind}:" in body]


def state(stage: Stage, number: str = NUMBER, version: int | None = None) -> str:
    (account_id,) = stage._accounts()[:1]
    with stage.world.db.reading() as session:
        row = statement_numbered(session, account_id, number, version)
    return f"v{row.version} {row.state}" if row is not None else ""


def events(stage: Stage) -> list[tuple[Any, ...]]:
    """What happened to statements but for their being issued: version, event, who (login and id), source, reason."""
    query = (
        "SELECT version, event, login, user_id, source, reason FROM statement_event WHERE event <> 'issued' ORDER BY id"
    )
    return [tuple(row) for row in stage.rows(query)]

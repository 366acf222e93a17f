"""A statement, through the real door: on its issue, answered by signed comments, and closed."""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.store.keys import new_key
from app.store.queue import enqueue
from app.store.statement_issues import statement_job
from app.store.statements import issue
from tests.core.statement_samples import line, statement, usd
from tests.e2e.stage import Organisation, Stage

CONFIG = """\
cost_centers: {centers: {payments: {owners: [ada]}}}
close: {repository: finance, remind_after_days: [3], accept_after_days: 14}
"""


def prepared(stage: Stage, org: Organisation) -> dict[str, Any]:
    """A statement of the organisation that stands on its issue."""
    for person in ("ada", "mallory"):
        stage.gh.create_account(person, "User")
    finance = f"{org.name}/finance"
    stage.gh.create_repository(finance)
    stage.gh.create_repository(f"{org.name}/.github-private", files={"mergemeter.yml": CONFIG})
    for person in ("ada", "mallory"):
        stage.gh.permit(finance, person, "read")
    org.settle()
    made = statement("payments", lines=[replace(line(usd("412.17")), cents=41_217)])
    made = replace(made, account_id=org.account_id, total_cents=41_217)
    with stage.database.transaction() as session:
        (row,) = issue(session, [made], "command line", datetime.now(UTC))
        enqueue(session, statement_job(row, datetime.now(UTC)), datetime.now(UTC))
    org.settle()
    (found,) = stage.gh.issues(finance)
    return found


def test_a_budget_owner_accepts_a_statement_in_a_signed_comment(anywhere: Organisation) -> None:
    org, stage = anywhere, anywhere.stage
    found = prepared(stage, org)
    finance, number = f"{org.name}/finance", found["number"]
    assert "$412.17" in found["body"]
    said: list[tuple[str, str]] = [
        ("mallory", "/mergemeter accept"),
        ("ada", "Is that all of October?"),
        ("helper[bot]", "/mergemeter accept"),
        ("ada", "/mergemeter accept"),
    ]
    comments = [stage.gh.comment(finance, number, *each) for each in said]
    org.settle()
    assert [stage.gh.reactions(finance, each) for each in comments] == [["confused"], [], [], ["+1"]]
    assert org.rows("SELECT state FROM statement WHERE account_id = :account") == [("accepted",)]
    events = "SELECT event, login, user_id FROM statement_event WHERE account_id = :account ORDER BY id"
    assert org.rows(events) == [("issued", "", 0), ("accepted", "ada", stage.gh.account_id("ada"))]
    kept = "SELECT COUNT(*) FROM inbox WHERE account_id = :account AND event = 'issue_comment'"
    assert org.rows(kept) == [(2,)]
    (after,) = stage.gh.issues(finance)
    assert (after["state"], after["number"]) == ("closed", number)
    answers = [one["body"] for one in stage.gh.comments(finance, number) if "mergemeter:answer" in one["body"]]
    assert len(answers) == 1
    assert "Only a budget owner" in answers[0]
    assert org.dead() == []


@pytest.mark.parametrize("secret", ["another secret", ""])
def test_a_comment_that_github_did_not_sign_decides_nothing(stage: Stage, acme: Organisation, secret: str) -> None:
    found = prepared(stage, acme)
    stage.gh.comment(f"{acme.name}/finance", found["number"], "ada", "a word")
    acme.settle()
    body = next(each.body for each in reversed(stage.gh.courier.log) if each.event == "issue_comment")
    forged = body.replace(b'"body":"a word"', b'"body":"/mergemeter accept"')
    assert forged != body
    headers = {"Content-Type": "application/json", "X-GitHub-Event": "issue_comment", "X-GitHub-Delivery": new_key()}
    if secret:
        headers["X-Hub-Signature-256"] = f"sha256={hmac.new(secret.encode(), forged, hashlib.sha256).hexdigest()}"
    assert stage.ask("POST", "/webhooks/github", forged, headers).status in (400, 401, 403)
    acme.settle()
    assert acme.rows("SELECT state FROM statement WHERE account_id = :account") == [("issued",)]

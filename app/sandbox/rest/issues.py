"""/repos/…/issues: issues, the conversations of pulls, their comments and reactions, and who may do what.

Body limits as measured, not as the message says: see https://github.com/objectstack-ai/objectstack/issues/18793.
"""

from datetime import datetime
from typing import Any

from app.sandbox import events, refusals
from app.sandbox.pulls import add_issue
from app.sandbox.refusals import validation_failed
from app.sandbox.rest.door import Answer, Call, Operation
from app.sandbox.rest.fields import each, nullable, one_of, shape, text
from app.sandbox.shapes import accounts, conversations
from app.sandbox.state import Account, Comment, InstallationToken, Issue, Reaction

MOST_BYTES = 262_144
TOO_LONG = "body is too long (maximum is 65536 characters)"


def _too_long(body: str | None) -> bool:
    return body is not None and len(body.encode()) > MOST_BYTES


def _refuse_long(resource: str, body: str | None) -> None:
    if _too_long(body):
        raise validation_failed(resource, "body", "custom", TOO_LONG)


def _issue(call: Call) -> Issue:
    issue = call.repository.issues.get(call.number("issue_number"))
    if issue is None:
        raise refusals.not_found()
    if not call.repository.has_issues and issue.number not in call.repository.pulls:
        raise refusals.issues_disabled()
    _only_on_pulls(call, issue.number)
    return issue


def _only_on_pulls(call: Call, number: int) -> None:
    """The permission for pulls does not reach to issues."""
    has_issues = isinstance(call.token, InstallationToken) and "issues" in call.token.permissions
    if number not in call.repository.pulls and not has_issues:
        raise refusals.not_accessible()


def _label_names(call: Call) -> list[str]:
    names = [label if isinstance(label, str) else label["name"] for label in call.body.get("labels", ())]
    for name in names:
        if name not in call.repository.labels:
            call.repository.labels[name] = call.hub.next_id("label")
    return list(dict.fromkeys(names))


def get_issues(call: Call) -> Answer:
    """Newest first; pulls are issues too, and all that is left when issues are disabled."""
    query = call.query
    state, labels = query.get("state", "open"), [name for name in query.get("labels", "").split(",") if name]
    found = [
        issue
        for issue in call.repository.issues.values()
        if (call.repository.has_issues or issue.number in call.repository.pulls)
        and state in {"all", issue.state}
        and set(labels) <= set(issue.labels)
        and query.get("creator", issue.author.login).lower() == issue.author.login.lower()
    ]
    order = "updated_at" if query.get("sort") == "updated" else "created_at"
    found.sort(key=lambda one: (getattr(one, order), one.number), reverse=query.get("direction", "desc") == "desc")
    if "since" in query:
        found = [issue for issue in found if issue.updated_at >= datetime.fromisoformat(query["since"])]
    page, headers = call.paged(found)
    return Answer(body=[conversations.issue(call.hub, call.repository, issue) for issue in page], headers=headers)


def create_issue(call: Call) -> Answer:
    if not call.repository.has_issues:
        raise refusals.issues_disabled()
    title, body = str(call.body["title"]), call.body.get("body")
    if not title.strip():
        raise validation_failed("Issue", "title", "missing_field")
    if len(title) > 256:
        raise validation_failed("Issue", "title", "custom", "title is too long (maximum is 256 characters)")
    _refuse_long("Issue", body)
    issue = add_issue(call.hub, call.repository, title, body, call.app.bot, call.app.app_id)
    issue.labels = _label_names(call)
    return Answer(201, conversations.issue(call.hub, call.repository, issue))


def get_issue(call: Call) -> Answer:
    return Answer(body=conversations.issue(call.hub, call.repository, _issue(call)))


def update_issue(call: Call) -> Answer:
    issue, body = _issue(call), call.body
    issue.title = str(body.get("title") or issue.title)
    if "body" in body and not _too_long(body["body"]):  # over the limit GitHub answers 200 and keeps the old body
        issue.body = body["body"]
    if "labels" in body:
        issue.labels = _label_names(call)
    if "assignees" in body:
        issue.assignees = _assignees(call, body["assignees"])
    _change_state(call, issue)
    issue.updated_at = call.hub.now()
    return Answer(body=conversations.issue(call.hub, call.repository, issue))


def _assignees(call: Call, logins: list[str]) -> list[Account]:
    people = [call.hub.account(login) for login in logins]
    if any(person.kind != "User" or call.repository.role(person) == "none" for person in people):
        raise validation_failed("Issue", "assignees", "invalid")
    return people


def _change_state(call: Call, issue: Issue) -> None:
    state = call.body.get("state", issue.state)
    if state == issue.state:
        return
    closed = state == "closed"
    issue.state, issue.closed_at = state, call.hub.now() if closed else None
    issue.closed_by = call.app.bot if closed else None
    issue.state_reason = call.body.get("state_reason", "completed" if closed else "reopened")


def get_comments(call: Call) -> Answer:
    """Oldest first."""
    number = _issue(call).number
    found = [comment for comment in call.repository.comments.values() if comment.number == number]
    if "since" in call.query:
        since = datetime.fromisoformat(call.query["since"])
        found = [comment for comment in found if comment.updated_at >= since]
    page, headers = call.paged(found)
    return Answer(body=[conversations.comment(call.hub, call.repository, one) for one in page], headers=headers)


def create_comment(call: Call) -> Answer:
    issue, body = _issue(call), call.body["body"]
    if issue.locked:
        raise refusals.locked()
    if not body.strip():
        raise validation_failed("IssueComment", "body", "missing_field")
    _refuse_long("IssueComment", body)
    now = call.hub.now()
    comment = Comment(call.hub.next_id("comment"), issue.number, call.app.bot, call.app.app_id, body, now, now)
    call.repository.comments[comment.comment_id] = comment
    issue.updated_at = now
    events.issue_comment(call.hub, call.repository, comment, "created", comment.author, {})
    return Answer(201, conversations.comment(call.hub, call.repository, comment))


def _comment(call: Call) -> Comment:
    comment = call.repository.comments.get(call.number("comment_id"))
    if comment is None:
        raise refusals.not_found()
    _only_on_pulls(call, comment.number)
    return comment


def get_comment(call: Call) -> Answer:
    return Answer(body=conversations.comment(call.hub, call.repository, _comment(call)))


def update_comment(call: Call) -> Answer:
    comment, body = _comment(call), call.body["body"]
    _refuse_long("IssueComment", body)
    before, comment.body, comment.updated_at = comment.body, body, call.hub.now()
    changes = {"changes": {"body": {"from": before}}}
    events.issue_comment(call.hub, call.repository, comment, "edited", call.app.bot, changes)
    return Answer(body=conversations.comment(call.hub, call.repository, comment))


def delete_comment(call: Call) -> Answer:
    comment = call.repository.comments.pop(_comment(call).comment_id)
    events.issue_comment(call.hub, call.repository, comment, "deleted", call.app.bot, {})
    return Answer(204)


def create_reaction(call: Call) -> Answer:
    """One of each kind and author: asked for again, the one that stands is told."""
    comment, content = _comment(call), call.body["content"]
    for standing in comment.reactions:
        if (standing.author, standing.content) == (call.app.bot, content):
            return Answer(200, conversations.reaction(call.hub, standing))
    made = Reaction(call.hub.next_id("reaction"), call.app.bot, content, call.hub.now())
    comment.reactions.append(made)
    return Answer(201, conversations.reaction(call.hub, made))


def get_permission(call: Call) -> Answer:
    account = call.hub.accounts.get(call.arguments["username"].lower())
    if account is None:
        raise refusals.not_found()
    return Answer(body=accounts.collaborator(call.hub, account, call.repository.role(account)))


def _title(name: str, value: Any) -> None:
    if not isinstance(value, int):
        text()(name, value)


_LABEL_OBJECT = shape(
    {"id": lambda *_: None, "name": text(), "description": nullable(text()), "color": nullable(text())}
)


def _label(name: str, value: Any) -> None:
    (text() if isinstance(value, str) else _LABEL_OBJECT)(name, value)


_ISSUE = {"title": _title, "body": nullable(text()), "labels": each(_label), "assignees": each(text())}
CREATE_BODY = shape(_ISSUE, ("title",))
UPDATE_BODY = shape(
    _ISSUE
    | {
        "title": nullable(_title),
        "state": one_of("open", "closed"),
        "state_reason": nullable(one_of("completed", "not_planned", "duplicate", "reopened")),
    }
)
COMMENT_BODY = shape({"body": text()}, ("body",))
REACTION_BODY = shape({"content": one_of(*conversations.KINDS)}, ("content",))

_ISSUES, _COMMENTS = "/repos/{owner}/{repo}/issues", "/repos/{owner}/{repo}/issues/comments/{comment_id}"
_OF_ISSUE = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
_READ, _WRITE = ("issues:read", "pull_requests:read"), ("issues:write", "pull_requests:write")
OPERATIONS = (
    Operation("GET", _ISSUES, ("issues:read",), get_issues),
    Operation("POST", _ISSUES, ("issues:write",), create_issue, CREATE_BODY, creates=True),
    Operation("GET", _COMMENTS, _READ, get_comment),
    Operation("PATCH", _COMMENTS, _WRITE, update_comment, COMMENT_BODY),
    Operation("DELETE", _COMMENTS, _WRITE, delete_comment),
    Operation("POST", f"{_COMMENTS}/reactions", _WRITE, create_reaction, REACTION_BODY),
    Operation("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission", ("metadata:read",), get_permission),
    Operation("GET", "/repos/{owner}/{repo}/issues/{issue_number}", _READ, get_issue),
    Operation("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}", _WRITE, update_issue, UPDATE_BODY),
    Operation("GET", _OF_ISSUE, _READ, get_comments),
    Operation("POST", _OF_ISSUE, _WRITE, create_comment, COMMENT_BODY, creates=True),
)

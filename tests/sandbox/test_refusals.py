"""The sandbox refuses what GitHub refuses, with its statuses and words."""

import http.client
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from app.sandbox import Sandbox
from tests.sandbox.caller import Caller, app_jwt, request
from tests.sandbox.test_operations import OUTPUT, SHOP, make_check

NOTE = {"path": "b.py", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}
LONG = "x" * 65_536


def check_body(app: Caller, **more: Any) -> dict[str, Any]:
    return {"name": "Cost", "head_sha": app.sandbox.pull("acme/shop", 1)["head"]["sha"], **more}


def test_agent_tasks_are_for_users_tokens_alone(app: Caller) -> None:
    path = "/agents/repos/acme/shop/tasks"
    task = app.sandbox.start_task("acme/shop", [1])
    sees, blind = (app.sandbox.create_user_token("ada", reads) for reads in (["acme"], ["globex"]))
    assert [app("GET", f"{path}{rest}").status for rest in ("", f"/{task}")] == [403, 403]
    for token, status in ((sees, 200), (blind, 404), ("nonsense", 401)):
        headers = {"Authorization": f"Bearer {token}"}
        assert request(f"{app.sandbox.url}{path}/{task}", "GET", None, headers).status == status
    headers = {"Authorization": f"Bearer {sees}"}
    assert request(f"{app.sandbox.url}{path}/none", "GET", None, headers).status == 404
    assert request(f"{app.sandbox.url}/repos/acme/shop", "GET", None, headers).status == 401


@pytest.mark.parametrize(
    "more",
    [
        {"colour": "red"},
        {"conclusion": "great"},
        {"conclusion": "stale"},
        {"status": "completed"},
        {"completed_at": "2026-10-01T00:00:00Z"},
        {"status": "done"},
        {"name": 7},
        {"started_at": "yesterday"},
        {"conclusion": "success", "output": {"title": "t"}},
        {"conclusion": "success", "output": {"title": "t", "summary": LONG}},
        {"conclusion": "success", "output": {"title": "t", "summary": "s", "text": LONG}},
        {"conclusion": "success", "output": {"title": "t", "summary": "s", "annotations": [NOTE] * 51}},
        {"conclusion": "success", "output": {"title": "t", "summary": "s", "annotations": [NOTE | {"end_line": 0}]}},
        {"conclusion": "success", "output": {"title": "t", "summary": "s", "annotations": [NOTE | {"path": "/b.py"}]}},
        {
            "conclusion": "success",
            "output": {"title": "t", "summary": "s", "annotations": [NOTE | {"title": "t" * 256}]},
        },
        {
            "conclusion": "success",
            "output": {"title": "t", "summary": "s", "annotations": [NOTE | {"annotation_level": "info"}]},
        },
        {
            "conclusion": "success",
            "output": {"title": "t", "summary": "s", "annotations": [NOTE | {"end_line": 2, "start_column": 1}]},
        },
        {"actions": [{"label": "l", "description": "d", "identifier": "i"}] * 4},
        {"head_sha": "0" * 40},
    ],
)
def test_a_wrong_check_is_refused(app: Caller, more: dict[str, Any]) -> None:
    assert app("POST", f"{SHOP}/check-runs", check_body(app) | more).status == 422


def test_a_check_without_a_name_is_refused_by_name_of_the_field(app: Caller) -> None:
    body = check_body(app)
    del body["name"]
    assert app("POST", f"{SHOP}/check-runs", body).message == 'Invalid request.\n\n"name" wasn\'t supplied.'


def test_the_largest_check_is_taken(app: Caller) -> None:
    output = {"title": "t", "summary": LONG[1:], "text": LONG[1:], "annotations": [NOTE] * 50}
    answer = app("POST", f"{SHOP}/check-runs", check_body(app, conclusion="success", output=output))
    assert (answer.status, answer.json["output"]["annotations_count"]) == (201, 50)


def test_another_apps_check_is_not_changed(gh: Sandbox, app: Caller) -> None:
    number = make_check(app, gh.pull("acme/shop", 1)["head"]["sha"])
    other = gh.register_app(slug="other")
    stranger = Caller(gh, other, gh.install("acme", app_id=other["app_id"]))
    stranger.renew()
    assert stranger("PATCH", f"{SHOP}/check-runs/{number}", {"conclusion": "failure"}).status == 403


def test_broken_json_is_a_bad_request(app: Caller) -> None:
    assert app("POST", f"{SHOP}/check-runs", b"{").status == 400
    assert app("POST", f"{SHOP}/check-runs", b"[]").status == 400
    assert app("POST", f"{SHOP}/issues/1/comments", b'{"body": "\\ud800"}').status == 400
    assert app("POST", f"{SHOP}/issues/1/comments", b'{"body": NaN}').status == 400


def test_a_locked_pull_takes_no_comment(gh: Sandbox, app: Caller) -> None:
    gh.lock("acme/shop", 1)
    answer = app("POST", f"{SHOP}/issues/1/comments", {"body": "x"})
    assert (answer.status, answer.message) == (403, "Unable to create comment because issue is locked.")


def test_an_archived_repository_is_read_only(gh: Sandbox, app: Caller) -> None:
    gh.archive_repository("acme/shop")
    assert app("POST", f"{SHOP}/issues/1/comments", {"body": "x"}).message == (
        "Repository was archived so is read-only."
    )
    assert app("GET", f"{SHOP}/pulls/1").status == 200


def test_without_issues_there_are_comments_on_pulls_only(gh: Sandbox, app: Caller) -> None:
    gh.enable_issues("acme/shop", False)
    assert app("POST", f"{SHOP}/issues", {"title": "x"}).status == 410
    assert app("POST", f"{SHOP}/issues/1/comments", {"body": "x"}).status == 201


def test_a_comment_over_the_byte_limit_is_refused_with_githubs_misleading_words(app: Caller) -> None:
    assert app("POST", f"{SHOP}/issues/1/comments", {"body": "x" * 262_144}).status == 201
    answer = app("POST", f"{SHOP}/issues/1/comments", {"body": "é" * 131_073})
    assert answer.status == 422
    assert "maximum is 65536 characters" in answer.json["errors"][0]["message"]


def test_an_issue_patch_over_the_limit_is_answered_200_and_ignored(app: Caller) -> None:
    number = app("POST", f"{SHOP}/issues", {"title": "t", "body": "old"}).json["number"]
    answer = app("PATCH", f"{SHOP}/issues/{number}", {"body": "x" * 262_145})
    assert (answer.status, answer.json["body"]) == (200, "old")


@pytest.mark.parametrize("body", [{}, {"title": ""}, {"title": "t" * 257}, {"title": "t", "body": "x" * 262_145}])
def test_a_wrong_issue_is_refused(app: Caller, body: dict[str, Any]) -> None:
    assert app("POST", f"{SHOP}/issues", body).status == 422


def test_a_suspended_installation_is_refused_everywhere(gh: Sandbox, app: Caller) -> None:
    gh.suspend(app.installation_id)
    assert app("GET", SHOP).status == 403
    assert app.renew().message == "This installation has been suspended"
    gh.unsuspend(app.installation_id)
    assert app("GET", SHOP).status == 200


def test_an_installation_that_is_gone_has_no_tokens(gh: Sandbox, app: Caller) -> None:
    gh.uninstall(app.installation_id)
    assert app("GET", SHOP).status == 401
    assert app.renew().status == 404


def test_a_permission_that_was_not_granted_is_missed(gh: Sandbox, app: Caller) -> None:
    gh.grant(app.installation_id, {"metadata": "read", "pull_requests": "read"})
    answer = app("POST", f"{SHOP}/check-runs", check_body(app))
    assert (answer.status, answer.message) == (403, "Resource not accessible by integration")
    assert app("GET", f"{SHOP}/actions/runs/1").status == 403


def test_the_permission_for_pulls_does_not_reach_to_issues(gh: Sandbox, app: Caller) -> None:
    number = gh.create_issue("acme/shop", "x")
    gh.grant(app.installation_id, {"metadata": "read", "pull_requests": "write"})
    assert app("POST", f"{SHOP}/issues/1/comments", {"body": "x"}).status == 201
    assert app("POST", f"{SHOP}/issues/{number}/comments", {"body": "x"}).status == 403


def test_a_repository_outside_the_installation_does_not_exist(gh: Sandbox, app: Caller) -> None:
    gh.create_repository("other/secret")
    assert app("GET", "/repos/other/secret").status == 404
    gh.create_repository("acme/second")
    gh.select_repositories(app.installation_id, remove=["acme/second"])
    assert app("GET", "/repos/acme/second").status == 404


def test_a_token_can_be_narrowed_but_not_widened(gh: Sandbox, app: Caller) -> None:
    gh.create_repository("acme/second")
    narrowed = app.renew({"repositories": ["shop"], "permissions": {"checks": "write"}})
    assert narrowed.json["repository_selection"] == "selected"
    assert app("GET", "/repos/acme/second").status == 404
    assert app("GET", f"{SHOP}/pulls/1").status == 403
    assert app.renew({"permissions": {"administration": "write"}}).status == 422
    assert app.renew({"repository_ids": [1]}).status == 422


def test_tokens_expire(gh: Sandbox, app: Caller) -> None:
    gh.hub.tokens[app.token].expires_at = time.time() - 1
    assert app("GET", SHOP).status == 401


def test_a_wrong_or_missing_token_is_refused(gh: Sandbox, app: Caller) -> None:
    assert request(f"{gh.url}{SHOP}").status == 401
    assert request(f"{gh.url}{SHOP}", headers={"Authorization": "Bearer ghs_x"}).message == "Bad credentials"


@pytest.mark.parametrize(
    ("claims", "later"),
    [({"exp": 1}, {}), ({}, {"exp": 3600}), ({}, {"iat": 600}), ({"iss": "7"}, {}), ({"exp": "soon"}, {})],
)
def test_a_wrong_app_token_is_refused(gh: Sandbox, app: Caller, claims: dict[str, Any], later: dict[str, int]) -> None:
    now = int(time.time())
    token = app_jwt(app.registered, **claims, **{name: now + seconds for name, seconds in later.items()})
    assert request(f"{gh.url}/app", headers={"Authorization": f"Bearer {token}"}).status in {401, 404}


def test_an_app_token_of_another_key_is_refused(gh: Sandbox, app: Caller) -> None:
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    claims = {"iss": str(app.registered["app_id"]), "iat": now, "exp": now + 60}
    token = jwt.encode(claims, foreign, algorithm="RS256")
    assert request(f"{gh.url}/app", headers={"Authorization": f"Bearer {token}"}).status == 401


def test_an_installation_token_does_not_open_the_apps_own_operations(app: Caller) -> None:
    assert app("GET", "/app").status == 401


def test_a_request_without_user_agent_is_refused(gh: Sandbox, app: Caller) -> None:
    assert app("GET", SHOP, **{"User-Agent": ""}).status == 403


def test_an_unknown_api_version_is_refused() -> None:
    with Sandbox() as gh:
        answer = request(f"{gh.url}/app", headers={"X-GitHub-Api-Version": "2020-01-01"})
        assert answer.status == 400


def test_the_hourly_budget_runs_out(gh: Sandbox, app: Caller) -> None:
    gh.limit_requests(2)
    assert app("GET", SHOP).headers["x-ratelimit-remaining"] == "1"
    app("GET", SHOP)
    answer = app("GET", SHOP)
    assert (answer.status, answer.headers["x-ratelimit-remaining"]) == (403, "0")
    assert int(answer.headers["x-ratelimit-reset"]) > time.time()
    assert "API rate limit exceeded" in answer.message


def test_too_many_new_comments_a_minute_meet_the_secondary_limit(gh: Sandbox, app: Caller) -> None:
    gh.limit_creations(1)
    assert app("POST", f"{SHOP}/issues/1/comments", {"body": "x"}).status == 201
    answer = app("POST", f"{SHOP}/issues/1/comments", {"body": "y"})
    assert (answer.status, answer.headers["retry-after"]) == (403, "60")


@pytest.mark.parametrize(
    ("kind", "status"), [("primary", 403), ("primary", 429), ("secondary", 403), ("secondary", 429)]
)
def test_limits_come_on_demand(gh: Sandbox, app: Caller, kind: str, status: int) -> None:
    gh.fail(kind, status=status)
    assert app("GET", SHOP).status == status
    assert app("GET", SHOP).status == 200


def test_outages_come_on_demand_and_only_where_asked(gh: Sandbox, app: Caller) -> None:
    gh.fail("status", status=503, method="POST", path="/comments$")
    assert app("GET", f"{SHOP}/issues/1/comments").status == 200
    assert app("POST", f"{SHOP}/issues/1/comments", {"body": "x"}).status == 503
    assert gh.comments("acme/shop", 1) == []


def test_an_answer_can_be_lost_after_its_request_took_effect(gh: Sandbox, app: Caller) -> None:
    gh.fail("status", status=502, after=True, path="/comments$")
    assert app("POST", f"{SHOP}/issues/1/comments", {"body": "x"}).status == 502
    assert len(gh.comments("acme/shop", 1)) == 1


def test_a_connection_can_be_dropped(gh: Sandbox, app: Caller) -> None:
    gh.fail("drop", after=True, path="/check-runs$")
    with pytest.raises(http.client.HTTPException):
        app("POST", f"{SHOP}/check-runs", check_body(app, conclusion="success", output=OUTPUT))
    assert len(gh.checks("acme/shop", 1)) == 1


def test_latency_comes_on_demand(gh: Sandbox, app: Caller) -> None:
    gh.fail("latency", seconds=0.2)
    started = time.monotonic()
    assert app("GET", SHOP).status == 200
    assert time.monotonic() - started >= 0.2

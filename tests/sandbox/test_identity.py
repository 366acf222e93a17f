"""Identity tokens: claims of each event, verification against the published keys, forgeries that fail."""

from typing import Any

import jwt
import pytest

from app.sandbox import Sandbox
from tests.sandbox.caller import Caller, request
from tests.sandbox.conftest import WORKFLOW

AUDIENCE = "https://meter.example"


def verified(gh: Sandbox, token: str) -> dict[str, Any]:
    """As a careful receiver would: RS256 only, issuer, audience and times."""
    keys = jwt.PyJWKSet.from_dict(request(f"{gh.oidc_issuer}/.well-known/jwks").json)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=gh.oidc_issuer)
    return claims


def asked(run: dict[str, Any]) -> str:
    """The token that a step gets from its runner."""
    url, secret = run["env"]["ACTIONS_ID_TOKEN_REQUEST_URL"], run["env"]["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    answer = request(f"{url}&audience={AUDIENCE}", headers={"Authorization": f"bearer {secret}"})
    return str(answer.json["value"])


def test_a_pulls_job_gets_a_token_of_its_test_merge(gh: Sandbox, app: Caller) -> None:
    run = gh.start_workflow_run("acme/shop", pull=1, path=WORKFLOW, actor="bob")
    claims = verified(gh, asked(run))
    assert claims["ref"] == "refs/pull/1/merge"
    assert claims["sha"] == gh.pull("acme/shop", 1)["merge_commit_sha"] != run["head_sha"]
    assert (claims["head_ref"], claims["base_ref"]) == ("feature", "main")
    assert claims["repository_owner_id"] == str(gh.account_id("acme"))
    assert claims["actor_id"] == str(gh.account_id("bob"))
    assert (claims["run_id"], claims["check_run_id"]) == (str(run["run_id"]), str(run["job_id"]))
    assert claims["workflow_ref"] == f"acme/shop/{WORKFLOW}@refs/pull/1/merge"
    assert claims["exp"] - claims["iat"] == 300


@pytest.mark.parametrize("event", ["issue_comment", "workflow_dispatch", "schedule"])
def test_other_events_run_on_the_default_branch_and_know_no_pull(gh: Sandbox, app: Caller, event: str) -> None:
    run = gh.start_workflow_run("acme/shop", event, pull=1 if event == "issue_comment" else None)
    claims = verified(gh, asked(run))
    assert (claims["ref"], claims["sha"]) == ("refs/heads/main", gh.head("acme/shop"))
    assert claims["head_ref"] == claims["base_ref"] == ""


def test_a_push_runs_on_its_branch(gh: Sandbox, app: Caller) -> None:
    run = gh.start_workflow_run("acme/shop", "push", branch="feature")
    assert verified(gh, asked(run))["ref"] == "refs/heads/feature"
    assert run["head_sha"] == gh.head("acme/shop", "feature")


def test_a_forks_job_gets_no_token(gh: Sandbox, app: Caller) -> None:
    gh.fork("acme/shop", "stranger")
    number = gh.open_pull("acme/shop", "stranger:theirs", files={"x": "1"}, author="stranger")
    assert "ACTIONS_ID_TOKEN_REQUEST_URL" not in gh.start_workflow_run("acme/shop", pull=number)["env"]


def test_each_attempt_and_job_has_its_own_token(gh: Sandbox, app: Caller) -> None:
    first = gh.start_workflow_run("acme/shop", pull=1)
    second = gh.rerun(first["run_id"])
    third = gh.add_job(first["run_id"], "review")
    claims = [verified(gh, asked(run)) for run in (first, second, third)]
    assert [one["run_attempt"] for one in claims] == ["1", "2", "2"]
    assert len({one["check_run_id"] for one in claims}) == len({one["jti"] for one in claims}) == 3


def test_custom_properties_are_claims(gh: Sandbox, app: Caller) -> None:
    gh.set_properties("acme/shop", {"cost_center": "cc-1"})
    assert verified(gh, asked(gh.start_workflow_run("acme/shop", pull=1)))["repo_property_cost_center"] == "cc-1"


def test_subjects_of_new_repositories_have_ids_in_them(gh: Sandbox, app: Caller) -> None:
    gh.set_time("2026-07-01T00:00:00+00:00")
    gh.create_repository("acme/old")
    assert verified(gh, asked(gh.start_workflow_run("acme/old", "push")))["sub"] == "repo:acme/old:ref:refs/heads/main"
    new = verified(gh, asked(gh.start_workflow_run("acme/shop", pull=1)))
    assert new["sub"] == f"repo:acme@{new['repository_owner_id']}/shop@{new['repository_id']}:pull_request"


def test_keys_rotate_and_the_one_before_stays_valid(gh: Sandbox, app: Caller) -> None:
    run = gh.start_workflow_run("acme/shop", pull=1)
    old = asked(run)
    kid = gh.rotate_keys()
    assert jwt.get_unverified_header(asked(run))["kid"] == kid
    assert verified(gh, old)["run_id"] == verified(gh, asked(run))["run_id"]


@pytest.mark.parametrize(
    "forged",
    [
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"key": "foreign"},
        {"kid": "oidc-1", "key": "foreign"},
        {"aud": "https://other.example"},
        {"iss": "https://token.actions.githubusercontent.com"},
        {"exp": 1},
        {"aud": None},
    ],
)
def test_forgeries_do_not_verify(gh: Sandbox, app: Caller, forged: dict[str, Any]) -> None:
    run = gh.start_workflow_run("acme/shop", pull=1)
    token = gh.mint_token(run, AUDIENCE, **forged)
    with pytest.raises(jwt.InvalidTokenError):
        verified(gh, token)


def test_a_minted_token_is_what_the_runner_would_give(gh: Sandbox, app: Caller) -> None:
    run = gh.start_workflow_run("acme/shop", pull=1)
    claims = verified(gh, gh.mint_token(run, AUDIENCE, repository_id="7"))
    assert claims["repository_id"] == "7"
    assert claims["run_id"] == str(run["run_id"])


def test_a_wrong_request_token_gets_nothing(gh: Sandbox, app: Caller) -> None:
    answer = request(f"{gh.url}/_actions/token?audience=x", headers={"Authorization": "bearer x"})
    assert answer.status == 401


def test_a_jobs_own_token_comments_as_the_actions_bot_and_reaches_no_further(gh: Sandbox, app: Caller) -> None:
    app.token = gh.job_token("acme/shop", {"pull_requests": "write"})
    comments = "/repos/acme/shop/issues/1/comments"
    made = app("POST", comments, {"body": "hello"})
    assert made.status == 201
    assert (made.json["user"]["login"], made.json["user"]["id"]) == ("github-actions[bot]", 41898282)
    app.token = gh.job_token("acme/shop", {"contents": "read"})
    assert app("POST", comments, {"body": "hello"}).status == 403
    gh.create_repository("acme/other")
    assert app("GET", "/repos/acme/other").status == 404

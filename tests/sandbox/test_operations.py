"""Every operation of the sandbox answers as GitHub's description says (the `gh` fixture validates each exchange)."""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from app.sandbox import Sandbox
from app.sandbox.rest.routes import OPERATIONS
from tests.openapi import contract
from tests.sandbox.caller import Caller, request
from tests.sandbox.conftest import WORKFLOW

SHOP = "/repos/acme/shop"
OUTPUT = {
    "title": "Cost",
    "summary": "**$1**",
    "annotations": [
        {"path": "b.py", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m", "title": "t"}
    ],
}


def make_check(app: Caller, sha: str, **more: object) -> int:
    body = {"name": "Cost", "head_sha": sha, "conclusion": "neutral", "output": OUTPUT, "external_id": "1", **more}
    answer = app("POST", f"{SHOP}/check-runs", body)
    assert answer.status == 201, answer.raw
    return int(answer.json["id"])


def test_the_sandbox_has_exactly_the_operations_of_the_slice() -> None:
    ours = {(one.method.lower(), one.path.replace(":path}", "}")) for one in OPERATIONS}
    theirs = {(method, path) for path, methods in contract.description()["paths"].items() for method in methods}
    assert ours == theirs


def test_an_app_sees_itself_its_installations_and_its_hook(gh: Sandbox, app: Caller) -> None:
    assert app.as_app("GET", "/app").json["id"] == app.registered["app_id"]
    assert [one["id"] for one in app.as_app("GET", "/app/installations").json] == [app.installation_id]
    assert app.as_app("GET", f"/app/installations/{app.installation_id}").json["account"]["login"] == "acme"
    assert app.as_app("GET", f"{SHOP}/installation").json["id"] == app.installation_id
    gh.set_hook_url("http://127.0.0.1:9/webhooks/github")
    assert app.as_app("GET", "/app/hook/config").json["url"] == "http://127.0.0.1:9/webhooks/github"


def test_deliveries_are_listed_shown_and_sent_again(gh: Sandbox, app: Caller) -> None:
    gh.set_hook_url("http://127.0.0.1:9/webhooks/github")
    gh.ping()
    gh.drain()
    newest = app.as_app("GET", "/app/hook/deliveries?per_page=1").json[0]
    assert (newest["event"], newest["status_code"]) == ("ping", 0)
    assert app.as_app("GET", f"/app/hook/deliveries/{newest['id']}").json["guid"] == newest["guid"]
    assert app.as_app("POST", f"/app/hook/deliveries/{newest['id']}/attempts").status == 202
    gh.drain()
    again = app.as_app("GET", "/app/hook/deliveries").json[0]
    assert again["guid"] == newest["guid"]
    assert again["redelivery"] is True


def test_a_token_sees_its_repositories(gh: Sandbox, app: Caller) -> None:
    answer = app("GET", "/installation/repositories").json
    assert [one["full_name"] for one in answer["repositories"]] == ["acme/shop"]
    assert app("GET", SHOP).json["default_branch"] == "main"
    assert app("GET", f"/repositories/{answer['repositories'][0]['id']}").json["full_name"] == "acme/shop"


def test_small_operations_answer(app: Caller) -> None:
    assert app("GET", "/rate_limit").json["rate"]["limit"] == 5000
    assert app("GET", "/meta").status == 200
    assert app("GET", "/users/acme").json["type"] == "Organization"


def test_a_pull_its_commits_and_files_are_read(gh: Sandbox, app: Caller) -> None:
    sha = gh.push_to_pull("acme/shop", 1, {"b.py": "1\n3\n"})
    pull = app("GET", f"{SHOP}/pulls/1").json
    assert (pull["head"]["sha"], pull["merged"], pull["commits"]) == (sha, False, 2)
    assert [one["sha"] for one in app("GET", f"{SHOP}/pulls/1/commits").json][-1] == sha
    assert [one["filename"] for one in app("GET", f"{SHOP}/pulls/1/files").json] == ["b.py"]
    assert [one["number"] for one in app("GET", f"{SHOP}/pulls?state=all&sort=updated&direction=desc").json] == [1]


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_merged_pull_keeps_its_commits_and_tells_its_merge_commit(gh: Sandbox, app: Caller, method: str) -> None:
    gh.push_to_pull("acme/shop", 1, {"c.py": "1\n"})
    sha = gh.merge("acme/shop", 1, method)
    pull = app("GET", f"{SHOP}/pulls/1").json
    assert (pull["merge_commit_sha"], pull["merged"], pull["state"], pull["commits"]) == (sha, True, "closed", 2)
    assert gh.head("acme/shop") == sha
    assert {"a.py", "b.py", "c.py"} <= {one["name"] for one in app("GET", f"{SHOP}/contents/").json}


def test_the_pull_of_a_deleted_fork_has_no_head_repository(gh: Sandbox, app: Caller) -> None:
    gh.fork("acme/shop", "stranger")
    number = gh.open_pull("acme/shop", "stranger:theirs", files={"x": "1\n"}, author="stranger")
    assert app("GET", f"{SHOP}/pulls/{number}").json["head"]["repo"]["full_name"] == "stranger/shop"
    gh.delete_repository("stranger/shop")
    assert app("GET", f"{SHOP}/pulls/{number}").json["head"]["repo"] is None


def test_a_check_is_made_read_listed_and_changed(gh: Sandbox, app: Caller) -> None:
    sha = gh.pull("acme/shop", 1)["head"]["sha"]
    number = make_check(app, sha)
    changed = app("PATCH", f"{SHOP}/check-runs/{number}", {"conclusion": "success", "output": OUTPUT}).json
    assert (changed["conclusion"], changed["output"]["annotations_count"]) == ("success", 2)
    assert app("GET", f"{SHOP}/check-runs/{number}").json["head_sha"] == sha
    assert len(app("GET", f"{SHOP}/check-runs/{number}/annotations").json) == 2
    query = f"check_name=Cost&app_id={app.registered['app_id']}&filter=latest"
    listed = app("GET", f"{SHOP}/commits/{sha}/check-runs?{query}").json
    assert [one["id"] for one in listed["check_runs"]] == [number]


def test_a_check_in_progress_has_no_conclusion(gh: Sandbox, app: Caller) -> None:
    sha = gh.pull("acme/shop", 1)["head"]["sha"]
    body = {"name": "Cost", "head_sha": sha, "status": "in_progress", "started_at": "2026-10-01T00:00:00Z"}
    assert app("POST", f"{SHOP}/check-runs", body).json["conclusion"] is None


def test_comments_are_made_by_the_apps_bot(gh: Sandbox, app: Caller) -> None:
    made = app("POST", f"{SHOP}/issues/1/comments", {"body": "hello"}).json
    assert made["user"]["id"] == app.registered["bot_id"]
    assert made["performed_via_github_app"]["id"] == app.registered["app_id"]
    place = f"{SHOP}/issues/comments/{made['id']}"
    assert app("PATCH", place, {"body": "changed"}).json["body"] == "changed"
    assert app("GET", place).json["body"] == "changed"
    assert [one["id"] for one in app("GET", f"{SHOP}/issues/1/comments?per_page=100").json] == [made["id"]]
    assert app("DELETE", place).status == 204
    assert app("GET", place).status == 404


def test_a_reaction_of_one_kind_stands_once_and_is_counted(gh: Sandbox, app: Caller) -> None:
    place = f"{SHOP}/issues/comments/{gh.comment('acme/shop', 1, 'ada', 'hello')}"
    answers = [app("POST", f"{place}/reactions", {"content": kind}) for kind in ("+1", "+1", "confused")]
    assert [answer.status for answer in answers] == [201, 200, 201]
    counted = app("GET", place).json["reactions"]
    assert (counted["total_count"], counted["+1"], counted["confused"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("role", "permission"),
    [
        ("none", "none"),
        ("read", "read"),
        ("triage", "read"),
        ("write", "write"),
        ("maintain", "write"),
        ("admin", "admin"),
    ],
)
def test_a_role_is_told_with_the_older_word_for_it(gh: Sandbox, app: Caller, role: str, permission: str) -> None:
    gh.permit("acme/shop", "ada", role)
    told = app("GET", f"{SHOP}/collaborators/ada/permission").json
    assert (told["permission"], told["role_name"], told["user"]["login"]) == (permission, role, "ada")


def test_a_stranger_may_do_what_the_visibility_allows(gh: Sandbox, app: Caller) -> None:
    gh.create_account("stranger", "User")
    place = f"{SHOP}/collaborators/stranger/permission"
    assert app("GET", place).json["permission"] == "none"
    gh.set_visibility("acme/shop", "public")
    assert app("GET", place).json["permission"] == "read"
    assert app("GET", f"{SHOP}/collaborators/nobody/permission").status == 404


def test_issues_are_made_changed_and_listed_by_label_and_creator(gh: Sandbox, app: Caller) -> None:
    gh.create_issue("acme/shop", "someone's")
    body = {"title": "Month", "body": "b", "labels": ["mergemeter"]}
    made = app("POST", f"{SHOP}/issues", body).json
    creator = app.registered["bot_login"].replace("[", "%5B").replace("]", "%5D")
    listed = app("GET", f"{SHOP}/issues?labels=mergemeter&state=all&creator={creator}").json
    assert [one["number"] for one in listed] == [made["number"]]
    changed = app("PATCH", f"{SHOP}/issues/{made['number']}", {"title": "T", "body": "c", "state": "closed"}).json
    assert (changed["title"], changed["body"], changed["state_reason"]) == ("T", "c", "completed")
    assert app("GET", f"{SHOP}/issues/{made['number']}").json["body"] == "c"


def test_the_list_of_issues_has_pulls_in_it(gh: Sandbox, app: Caller) -> None:
    assert ["pull_request" in one for one in app("GET", f"{SHOP}/issues").json] == [True]


def test_a_run_its_attempts_and_jobs_are_read(gh: Sandbox, app: Caller) -> None:
    run = gh.start_workflow_run("acme/shop", pull=1, path=WORKFLOW)
    gh.finish_run(run["run_id"], "failure")
    again = gh.rerun(run["run_id"], actor="bob")
    place = f"{SHOP}/actions/runs/{run['run_id']}"
    assert app("GET", place).json["run_attempt"] == 2
    first = app("GET", f"{place}/attempts/1").json
    assert (first["conclusion"], first["head_sha"], first["path"]) == ("failure", run["head_sha"], WORKFLOW)
    assert [one["id"] for one in app("GET", f"{place}/jobs").json["jobs"]] == [again["job_id"]]
    assert app("GET", f"{SHOP}/actions/jobs/{run['job_id']}").json["conclusion"] == "failure"


def test_a_workflows_runs_are_counted_by_day_and_conclusion(gh: Sandbox, app: Caller) -> None:
    gh.set_time(datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC))
    gh.finish_run(gh.start_workflow_run("acme/shop", path=WORKFLOW, event="push")["run_id"], "skipped")
    gh.start_workflow_run("acme/shop", path=WORKFLOW, event="push")
    gh.advance(1)
    gh.start_workflow_run("acme/shop", path=WORKFLOW, event="push")
    place = f"{SHOP}/actions/workflows/{WORKFLOW.rpartition('/')[2]}/runs?per_page=1"

    def counted(query: str) -> tuple[int, int]:
        answer = app("GET", place + query).json
        return answer["total_count"], len(answer["workflow_runs"])

    assert counted("") == (3, 1)
    assert counted("&created=2026-10-01..2026-10-31") == (2, 1)
    assert counted("&created=2026-11-01..*") == (1, 1)
    assert counted("&created=2026-10-01..2026-10-31&status=skipped") == (1, 1)
    assert counted("&created=2026-09-01..2026-09-30") == (0, 0)
    assert app("GET", f"{place}&created=yesterday").status == 422
    assert app("GET", f"{SHOP}/actions/workflows/other.yml/runs").status == 404


def test_a_run_names_the_open_pulls_of_its_branch_but_no_forks(gh: Sandbox, app: Caller) -> None:
    gh.fork("acme/shop", "stranger")
    theirs = gh.open_pull("acme/shop", "stranger:theirs", files={"x": "1"}, author="stranger")
    runs = [gh.start_workflow_run("acme/shop", pull=number) for number in (1, theirs)]
    told = [app("GET", f"{SHOP}/actions/runs/{run['run_id']}").json["pull_requests"] for run in runs]
    assert [[one["number"] for one in pulls] for pulls in told] == [[1], []]


def test_requests_at_once_lose_nothing(gh: Sandbox, app: Caller) -> None:
    with ThreadPoolExecutor(8) as pool:
        texts = [f"comment {number}" for number in range(24)]
        answers = list(pool.map(lambda text: app("POST", f"{SHOP}/issues/1/comments", {"body": text}), texts))
    assert len({answer.json["id"] for answer in answers}) == 24
    assert sorted(one["body"] for one in gh.comments("acme/shop", 1)) == sorted(texts)


def test_a_file_is_read_as_json_and_raw(gh: Sandbox, app: Caller) -> None:
    place = f"{SHOP}/contents/{WORKFLOW}"
    assert base64.b64decode(app("GET", place).json["content"]) == b"on: pull_request\n"
    raw = app("GET", f"{place}?ref=feature", Accept="application/vnd.github.raw+json")
    assert raw.raw == b"on: pull_request\n"
    assert app("GET", f"{SHOP}/contents/none.yml").status == 404


def test_long_lists_come_in_pages_with_links(gh: Sandbox, app: Caller) -> None:
    for number in range(31):
        gh.comment("acme/shop", 1, "ada", str(number))
    first = app("GET", f"{SHOP}/issues/1/comments")
    assert len(first.json) == 30
    assert f'<{gh.url}{SHOP}/issues/1/comments?page=2>; rel="next"' in first.headers["link"]
    assert len(app("GET", f"{SHOP}/issues/1/comments?page=2").json) == 1


def test_a_renamed_repository_sends_on_by_id(gh: Sandbox, app: Caller) -> None:
    gh.rename_repository("acme/shop", "store")
    moved = app("GET", f"{SHOP}/pulls/1")
    assert moved.status == 301
    assert app("GET", moved.headers["location"].removeprefix(gh.url)).json["number"] == 1


def test_the_newer_api_version_has_no_merge_commit(gh: Sandbox, app: Caller) -> None:
    with Sandbox() as other:  # not watched: the description is that of the older version
        registered = other.register_app()
        other.create_repository("acme/shop")
        caller = Caller(other, registered, other.install("acme"))
        caller.renew()
        number = other.open_pull("acme/shop", "f", files={"x": "1"})
        answer = caller("GET", f"{SHOP}/pulls/{number}", **{"X-GitHub-Api-Version": "2026-03-10"})
        assert "merge_commit_sha" not in answer.json


def test_the_observer_tells_what_differs_from_the_description() -> None:
    observer = contract.Observer()
    with Sandbox(observer=observer) as gh:
        request(f"{gh.url}/repos/a/b/nothing", headers={"X-GitHub-Api-Version": "1"})
    assert observer.violations == ["GET /repos/a/b/nothing → 404: no such operation in GitHub's description"]


def test_an_organisation_s_properties_are_told_page_by_page(gh: Sandbox, app: Caller) -> None:
    gh.create_repository("acme/plain")
    gh.create_repository("globex/theirs", properties={"cost-center": "x"})
    gh.set_properties("acme/shop", {"cost-center": "payments"})
    first = app("GET", "/orgs/acme/properties/values?per_page=1")
    assert 'rel="next"' in first.headers["link"]
    told = [*first.json, *app("GET", "/orgs/acme/properties/values?per_page=1&page=2").json]
    assert [(one["repository_name"], one["properties"]) for one in told] == [
        ("shop", [{"property_name": "cost-center", "value": "payments"}]),
        ("plain", [{"property_name": "cost-center", "value": None}]),
    ]


def test_a_property_tells_who_may_edit_its_values(gh: Sandbox, app: Caller) -> None:
    gh.define_property("acme", "Cost-Center", "org_and_repo_actors")
    told = app("GET", "/orgs/acme/properties/schema/cost-center").json
    assert (told["property_name"], told["values_editable_by"]) == ("Cost-Center", "org_and_repo_actors")
    gh.define_property("acme", "Cost-Center", None)
    assert app("GET", "/orgs/acme/properties/schema/cost-center").status == 404


def test_properties_are_for_the_own_organisation_and_with_the_permission(gh: Sandbox, app: Caller) -> None:
    gh.create_account("globex")
    gh.create_account("ada", kind="User")
    for org in ("globex", "ada", "nobody"):
        assert app("GET", f"/orgs/{org}/properties/values").status == 404
    gh.grant(app.installation_id, {"metadata": "read"})
    assert app("GET", "/orgs/acme/properties/values").status == 403
    assert app("GET", "/orgs/acme/properties/schema/cost-center").status == 403


def test_an_organisation_s_teams_are_told_page_by_page(gh: Sandbox, app: Caller) -> None:
    gh.grant(app.installation_id, {"members": "read"})
    for name in ("Ops", "Web Core"):
        gh.create_team("acme", name)
    first = app("GET", "/orgs/acme/teams?per_page=1")
    assert 'rel="next"' in first.headers["link"]
    told = [*first.json, *app("GET", "/orgs/acme/teams?per_page=1&page=2").json]
    assert [(one["name"], one["slug"]) for one in told] == [("Ops", "ops"), ("Web Core", "web-core")]


def test_a_team_s_repositories_are_told_with_its_role(gh: Sandbox, app: Caller) -> None:
    gh.grant(app.installation_id, {"members": "read"})
    roles = ("read", "triage", "write", "maintain", "admin")
    for role in roles:
        gh.create_repository(f"acme/{role}")
    gh.create_team("acme", "Ops", {f"acme/{role}": role for role in roles})
    told = app("GET", "/orgs/acme/teams/ops/repos").json
    assert [(one["full_name"], one["role_name"]) for one in told] == [(f"acme/{role}", role) for role in roles]
    assert [sum(one["permissions"].values()) for one in told] == [1, 2, 3, 4, 5]
    assert told[2]["permissions"] == {"pull": True, "triage": True, "push": True, "maintain": False, "admin": False}
    assert len(app("GET", "/orgs/acme/teams/ops/repos?per_page=2&page=3").json) == 1


def test_a_team_tells_of_repositories_that_the_caller_sees_alone(gh: Sandbox, app: Caller) -> None:
    gh.grant(app.installation_id, {"members": "read"})
    names = ("acme/shop", "acme/hidden", "acme/open", "acme/gone", "acme/moved")
    for name in names[1:]:
        gh.create_repository(name, visibility="public" if name == "acme/open" else "private")
    gh.create_team("acme", "Ops", dict.fromkeys(names, "admin"))
    gh.select_repositories(app.installation_id, remove=["acme/hidden"])
    gh.delete_repository("acme/gone")
    gh.transfer_repository("acme/moved", "globex")
    told = app("GET", "/orgs/acme/teams/ops/repos").json
    assert [one["full_name"] for one in told] == ["acme/shop", "acme/open"]


def test_teams_are_for_the_own_organisation_and_with_the_permission(gh: Sandbox, app: Caller) -> None:
    gh.create_account("globex")
    gh.create_team("globex", "Theirs")
    gh.create_team("acme", "Ops")
    for path in ("/orgs/acme/teams", "/orgs/acme/teams/ops/repos"):
        assert app("GET", path).status == 403
    gh.grant(app.installation_id, {"members": "read"})
    for path in ("/orgs/globex/teams", "/orgs/globex/teams/theirs/repos", "/orgs/acme/teams/none/repos"):
        assert app("GET", path).status == 404
    assert app("GET", "/orgs/acme/teams/ops/repos").json == []

"""Webhooks: what is announced, to whom, how it is signed, and trouble on the way."""

import hashlib
import hmac
import json

import pytest

from app.core.events import PropertyEvent, parse, route
from app.sandbox import Remote, Sandbox
from tests.sandbox.caller import Caller
from tests.sandbox.listener import Listener


@pytest.fixture
def heard(gh: Sandbox, app: Caller, hooks: Listener) -> Listener:
    """Where the App's webhooks go, from now on."""
    gh.set_hook_url(hooks.url)
    return hooks


def drained(gh: Sandbox, listener: Listener) -> Listener:
    assert gh.drain()
    return listener


def test_a_delivery_is_signed_over_its_bytes(gh: Sandbox, app: Caller, heard: Listener) -> None:
    guid = gh.ping()
    headers, raw = drained(gh, heard).taken[0]
    signature = hmac.new(app.registered["webhook_secret"].encode(), raw, hashlib.sha256).hexdigest()
    assert headers["x-hub-signature-256"] == f"sha256={signature}"
    assert headers["x-github-delivery"] == guid
    assert headers["x-github-event"] == "ping"
    assert headers["x-github-hook-installation-target-id"] == str(app.registered["app_id"])
    assert headers["x-github-hook-installation-target-type"] == "integration"
    assert headers["user-agent"].startswith("GitHub-Hookshot/")


def test_a_pulls_life_is_announced_in_order(gh: Sandbox, heard: Listener) -> None:
    number = gh.open_pull("acme/shop", "f2", files={"x": "1\n"})
    gh.push_to_pull("acme/shop", number, {"x": "2\n"})
    gh.edit_pull("acme/shop", number, title="New")
    gh.close("acme/shop", number)
    gh.reopen("acme/shop", number)
    gh.lock("acme/shop", number)
    gh.merge("acme/shop", number, "squash")
    actions = [action for _, action in drained(gh, heard).events()]
    assert actions == ["opened", "synchronize", "edited", "closed", "reopened", "locked", "closed"]
    last = heard.payloads("pull_request")[-1]
    assert last["pull_request"]["merged"] is True
    assert last["installation"]["id"] > 0
    assert last["organization"]["login"] == "acme"


def test_a_synchronize_tells_before_and_after(gh: Sandbox, heard: Listener) -> None:
    before = gh.pull("acme/shop", 1)["head"]["sha"]
    after = gh.push_to_pull("acme/shop", 1, {"b.py": "other\n"}, force=True)
    payload = drained(gh, heard).payloads("pull_request")[0]
    assert (payload["before"], payload["after"]) == (before, after)
    assert gh.pull("acme/shop", 1)["commits"] == 1


def test_a_pull_merges_indirectly_when_another_brings_its_commits(gh: Sandbox, heard: Listener) -> None:
    gh.push("acme/shop", "wider", {"w.py": "1\n"})
    gh.merge_branch("acme/shop", "feature", "wider")
    wider = gh.open_pull("acme/shop", "wider")
    gh.merge("acme/shop", wider, "merge")
    closed = [one for one in drained(gh, heard).payloads("pull_request") if one["action"] == "closed"]
    assert sorted((one["number"], one["pull_request"]["merged"]) for one in closed) == [(1, True), (wider, True)]
    assert gh.pull("acme/shop", 1)["commits"] == 1


def test_a_revert_is_a_pull_as_the_button_makes_it(gh: Sandbox, heard: Listener) -> None:
    gh.merge("acme/shop", 1)
    made = gh.pull("acme/shop", gh.revert("acme/shop", 1))
    assert made["title"] == 'Revert "Add b"'
    assert made["body"] == "Reverts acme/shop#1"
    assert made["head"]["ref"] == "revert-1-feature"
    assert made["deletions"] == 2


def test_installations_are_announced_without_subscription(gh: Sandbox, app: Caller, heard: Listener) -> None:
    gh.create_repository("acme/second")
    gh.select_repositories(app.installation_id, remove=["acme/second"])
    gh.grant(app.installation_id, {"metadata": "read"})
    gh.suspend(app.installation_id)
    gh.unsuspend(app.installation_id)
    gh.uninstall(app.installation_id)
    assert [one for one in drained(gh, heard).events() if one[0].startswith("installation")] == [
        ("installation_repositories", "added"),
        ("installation_repositories", "removed"),
        ("installation", "new_permissions_accepted"),
        ("installation", "suspend"),
        ("installation", "unsuspend"),
        ("installation", "deleted"),
    ]


def test_a_repositorys_changes_are_announced(gh: Sandbox, heard: Listener) -> None:
    gh.rename_repository("acme/shop", "store")
    gh.archive_repository("acme/store")
    gh.archive_repository("acme/store", archived=False)
    gh.set_visibility("acme/store", "public")
    gh.set_visibility("acme/store", "private")
    gh.delete_repository("acme/store")
    assert [action for _, action in drained(gh, heard).events()] == [
        "renamed", "archived", "unarchived", "publicized", "privatized", "deleted",
    ]  # fmt: skip


def test_a_repository_that_moves_leaves_the_installation(gh: Sandbox, app: Caller, heard: Listener) -> None:
    gh.create_account("newco")
    gh.install("newco")
    gh.transfer_repository("acme/shop", "newco")
    events = drained(gh, heard).events()
    assert ("installation_repositories", "removed") in events
    assert ("repository", "transferred") in events
    assert app("GET", "/repos/newco/shop").status == 404


def test_only_the_owner_of_a_check_hears_of_its_rerun(gh: Sandbox, app: Caller, heard: Listener) -> None:
    sha = gh.pull("acme/shop", 1)["head"]["sha"]
    number = app("POST", "/repos/acme/shop/check-runs", {"name": "c", "head_sha": sha}).json["id"]
    gh.rerequest(number)
    payload = drained(gh, heard).payloads("check_run")[0]
    assert (payload["action"], payload["check_run"]["id"]) == ("rerequested", number)


def test_a_suspended_installation_hears_nothing(gh: Sandbox, app: Caller, heard: Listener) -> None:
    gh.suspend(app.installation_id)
    gh.close("acme/shop", 1)
    assert drained(gh, heard).events() == [("installation", "suspend")]


def test_deliveries_can_be_held_shuffled_and_doubled(gh: Sandbox, heard: Listener) -> None:
    gh.hold()
    for number in range(6):
        gh.push_to_pull("acme/shop", 1, {"b.py": f"{number}\n"})
    assert drained(gh, heard).taken == []
    gh.duplicate_next(1)
    assert gh.release(shuffle_seed=3) == 6
    guids = [headers["x-github-delivery"] for headers, _ in drained(gh, heard).taken]
    sent = [one["guid"] for one in gh.deliveries() if one["event"] == "pull_request"][-6:]
    assert len(guids) == 7
    assert sorted(set(guids)) == sorted(sent)
    assert list(dict.fromkeys(guids)) != sent


def test_a_lost_delivery_is_logged_without_status_and_can_be_sent_again(
    gh: Sandbox, app: Caller, heard: Listener
) -> None:
    gh.drop_next(1)
    gh.close("acme/shop", 1)
    lost = gh.deliveries()[-1]
    assert (lost["status"], lost["status_code"]) == ("failed to connect to host", 0)
    assert app.as_app("GET", "/app/hook/deliveries?status=failure").json == []
    gh.redeliver(lost["guid"])
    headers, raw = drained(gh, heard).taken[0]
    assert headers["x-github-delivery"] == lost["guid"]
    assert json.loads(raw)["action"] == "closed"


def test_deliveries_are_paged_by_cursor_and_attempts_listed_apart(gh: Sandbox, app: Caller, heard: Listener) -> None:
    gh.drop_next(1)
    gh.close("acme/shop", 1)
    gh.redeliver(gh.deliveries()[-1]["guid"])
    drained(gh, heard)
    first = app.as_app("GET", "/app/hook/deliveries?per_page=1")
    cursor = first.headers["link"].partition("cursor=")[2].partition(">")[0]
    [lost] = app.as_app("GET", f"/app/hook/deliveries?per_page=1&cursor={cursor}").json
    [again] = first.json
    assert (again["guid"], again["redelivery"], again["status"]) == (lost["guid"], True, "OK")
    assert (lost["redelivery"], lost["status_code"]) == (False, 0)
    assert app.as_app("GET", "/app/hook/deliveries?cursor=nonsense").status == 422


def test_deliveries_are_forgotten_after_three_days(gh: Sandbox, app: Caller, heard: Listener) -> None:
    gh.close("acme/shop", 1)
    number = gh.deliveries()[-1]["id"]
    drained(gh, heard)
    assert app.as_app("POST", f"/app/hook/deliveries/{number}/attempts").status == 202
    gh.advance(3 * 86_400 + 60)
    assert app.as_app("GET", "/app/hook/deliveries").json == []
    assert app.as_app("POST", f"/app/hook/deliveries/{number}/attempts").status == 404


def test_a_refused_delivery_is_not_sent_again_by_itself(gh: Sandbox, app: Caller, heard: Listener) -> None:
    heard.answers.append(500)
    gh.close("acme/shop", 1)
    assert len(drained(gh, heard).taken) == 1
    failed = app.as_app("GET", "/app/hook/deliveries?status=failure").json
    assert [one["status"] for one in failed] == ["Invalid HTTP Response: 500"]


def test_another_process_steers_by_the_same_methods(gh: Sandbox, app: Caller) -> None:
    remote = Remote(gh.url)
    number = remote.call("open_pull", repository="acme/shop", head="r", files={"r": "1"})
    assert remote.call("pull", repository="acme/shop", number=number)["head"]["ref"] == "r"
    with pytest.raises(ValueError, match="no pull"):
        remote.call("merge", repository="acme/shop", number=99)
    with pytest.raises(ValueError, match="no method"):
        remote.call("stop")


def test_time_can_be_set_and_moved(gh: Sandbox, app: Caller) -> None:
    gh.set_time("2026-10-05T12:00:00+00:00")
    gh.advance(86_400)
    gh.merge("acme/shop", 1)
    assert app("GET", "/repos/acme/shop/pulls/1").json["merged_at"] == "2026-10-06T12:00:00Z"


def test_equal_seeds_give_equal_shas() -> None:
    shas = []
    for _ in range(2):
        with Sandbox(seed=7) as gh:
            gh.create_repository("acme/shop")
            shas.append(gh.push("acme/shop", "f", {"x": "1"}))
    assert shas[0] == shas[1]


def test_a_payload_can_lie_about_its_pull(gh: Sandbox, heard: Listener) -> None:
    gh.announce("acme/shop", 1, "closed", {"state": "open", "merged": False})
    payload = drained(gh, heard).payloads("pull_request")[0]
    assert (payload["action"], payload["pull_request"]["state"]) == ("closed", "open")


def test_a_queued_pulls_runs_are_on_the_queues_branch(gh: Sandbox, app: Caller) -> None:
    branch = gh.queue_pull("acme/shop", 1)
    run = gh.start_workflow_run("acme/shop", "merge_group", branch=branch)
    assert branch == f"gh-readonly-queue/main/pr-1-{gh.head('acme/shop')}"
    assert run["ref"] == f"refs/heads/{branch}"
    assert run["head_sha"] != gh.pull("acme/shop", 1)["head"]["sha"]


def test_comments_are_announced_when_they_are_made_changed_and_removed(
    gh: Sandbox, app: Caller, heard: Listener
) -> None:
    comment_id = gh.comment("acme/shop", 1, "ada", "hello")
    gh.edit_comment("acme/shop", comment_id, "changed")
    gh.delete_comment("acme/shop", comment_id)
    app("POST", "/repos/acme/shop/issues/1/comments", {"body": "by the App"})
    told = [
        json.loads(raw) for headers, raw in drained(gh, heard).taken if headers["x-github-event"] == "issue_comment"
    ]
    assert [(one["action"], one["comment"]["body"], one["comment"]["user"]["type"]) for one in told] == [
        ("created", "hello", "User"),
        ("edited", "changed", "User"),
        ("deleted", "changed", "User"),
        ("created", "by the App", "Bot"),
    ]
    assert told[1]["changes"] == {"body": {"from": "hello"}}
    assert all(one["issue"]["number"] == 1 and "pull_request" in one["issue"] for one in told)


def test_edited_properties_are_announced_with_what_they_were(gh: Sandbox, heard: Listener) -> None:
    gh.set_properties("acme/shop", {"cost-center": "payments", "tier": "1"})
    gh.set_properties("acme/shop", {"cost-center": "platform", "tier": "1"})
    gh.set_properties("acme/shop", {"cost-center": "platform", "tier": "1"})
    first, second = drained(gh, heard).payloads("custom_property_values")
    assert first["action"] == second["action"] == "updated"
    assert [one["value"] for one in first["old_property_values"]] == [None, None]
    assert second["old_property_values"] == [{"property_name": "cost-center", "value": "payments"}]
    assert second["new_property_values"] == [{"property_name": "cost-center", "value": "platform"}]
    assert second["repository"]["custom_properties"] == {"cost-center": "platform", "tier": "1"}
    _, raw = heard.taken[0]
    told, kept = parse("custom_property_values", raw), route("custom_property_values", raw)
    assert isinstance(told, PropertyEvent)
    assert kept is not None
    assert (told.account_id, told.repository.full_name) == (gh.account_id("acme"), "acme/shop")
    assert kept.lane == f"{told.account_id}/repository/{told.repository.repository_id}"

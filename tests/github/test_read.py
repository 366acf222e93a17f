from datetime import UTC, datetime, timedelta

import pytest

from app.core.facts import FileFact, PullState, TeamRole
from app.core.month import Month
from app.core.outcomes import Later, Refused
from app.github import read
from app.github.client import GitHubClient
from tests.github.answering import Answer, Answering
from tests.github.shop import NAME, Shop

AGENT = ".github/workflows/agent.yml"

RUN = {
    "id": 1, "head_sha": "a", "head_branch": None, "event": "push", "status": None, "conclusion": None, "actor": None,
    "created_at": "2026-10-05T12:00:00Z",
}  # fmt: skip


def test_every_repository_of_the_installation_is_read(shop: Shop) -> None:
    for number in range(120):
        shop.gh.create_repository(f"acme/r{number}")
    names = {one.name for one in shop.client.read_repositories()}
    assert names == {"shop", *(f"r{number}" for number in range(120))}


def test_a_repository_is_read_with_what_decides_about_it(shop: Shop) -> None:
    shop.gh.archive_repository(NAME)
    shop.gh.set_visibility(NAME, "public")
    fact = shop.client.read_repository("acme", "shop")
    assert fact is not None
    assert (fact.full_name, fact.default_branch, fact.public, fact.archived) == (NAME, "main", True, True)
    assert fact.repository_id == shop.gh.hub.repository(NAME).repository_id


def test_a_renamed_repository_is_found_at_its_old_name(shop: Shop) -> None:
    shop.gh.rename_repository(NAME, "store")
    fact = shop.client.read_repository("acme", "shop")
    assert fact is not None
    assert fact.name == "store"


def test_what_is_not_there_is_none(shop: Shop) -> None:
    assert shop.client.read_repository("acme", "none") is None
    assert shop.client.read_pull("acme", "shop", 99) is None
    assert shop.client.read_workflow_run("acme", "shop", 99, 1) is None
    assert shop.client.read_file("acme", "shop", "none.yml", "main") is None


def test_another_accounts_repository_is_none(shop: Shop) -> None:
    shop.gh.create_repository("globex/secret")
    assert shop.client.read_repository("globex", "secret") is None


def test_an_open_pull_is_read(shop: Shop) -> None:
    fact = shop.client.read_pull("acme", "shop", shop.number)
    assert fact is not None
    assert (fact.state, fact.head_ref, fact.base_ref, fact.head_sha) == (PullState.OPEN, "feature", "main", shop.head)
    assert fact.head_repository_id == shop.gh.hub.repository(NAME).repository_id
    assert (fact.body, fact.merged_at, fact.closed_at, fact.draft, fact.locked) == ("", None, None, False, False)
    assert fact.author_id == shop.gh.account_id("ada")
    assert fact.created_at.tzinfo is UTC


def test_a_merged_pull_is_read_with_its_merge_commit(shop: Shop) -> None:
    sha = shop.gh.merge(NAME, shop.number, "squash")
    fact = shop.client.read_pull("acme", "shop", shop.number)
    assert fact is not None
    assert (fact.state, fact.merge_commit_sha) == (PullState.MERGED, sha)
    assert fact.merged_at is not None


def test_a_pull_that_was_closed_without_a_merge_is_closed(shop: Shop) -> None:
    shop.gh.close(NAME, shop.number)
    fact = shop.client.read_pull("acme", "shop", shop.number)
    assert fact is not None
    assert (fact.state, fact.merged_at) == (PullState.CLOSED, None)


def test_a_pull_whose_fork_was_deleted_has_no_head_repository(shop: Shop) -> None:
    fork = shop.gh.fork(NAME, "bob")
    shop.gh.push(fork, "idea", {"a.txt": "a"}, "bob")
    number = shop.gh.open_pull(NAME, "bob:idea", author="bob")
    shop.gh.delete_repository(fork)
    fact = shop.client.read_pull("acme", "shop", number)
    assert fact is not None
    assert (fact.head_repository_id, fact.head_ref) == (None, "idea")


def test_a_locked_pull_says_so(shop: Shop) -> None:
    shop.gh.lock(NAME, shop.number)
    fact = shop.client.read_pull("acme", "shop", shop.number)
    assert fact is not None
    assert fact.locked


def test_a_pull_counts_as_merged_by_its_merge_time_alone() -> None:
    """GitHub has been seen to send "closed" or "open" for merged pulls."""
    body = {
        "number": 1, "title": "t", "state": "open", "head": {"ref": "h", "sha": "s", "repo": None},
        "base": {"ref": "b"}, "user": None, "created_at": "2026-10-05T12:00:00Z", "merged_at": "2026-10-05T13:00:00Z",
    }  # fmt: skip
    fact = read.pull(body)
    assert (fact.state, fact.author_id) == (PullState.MERGED, read.NOBODY)


def test_commits_of_a_pull_are_read_over_pages_up_to_githubs_limit(shop: Shop) -> None:
    pushed = [shop.gh.push_to_pull(NAME, shop.number, {"n.txt": str(number)}) for number in range(119)]
    read_back = [commit.sha for commit in shop.client.read_pull_commits("acme", "shop", shop.number)]
    assert read_back[1:] == pushed
    assert len(read_back) == 120


def test_commits_of_a_pull_that_is_not_there_are_refused(shop: Shop) -> None:
    with pytest.raises(Refused):
        shop.client.read_pull_commits("acme", "shop", 99)


def test_a_commit_without_dates_is_as_old_as_can_be() -> None:
    assert read.commit({"sha": "s", "commit": {"committer": None, "author": {}}}).committed_at == read.EPOCH


def test_files_of_a_pull_are_those_that_stand_at_its_head(shop: Shop) -> None:
    shop.gh.push_to_pull(NAME, shop.number, {"README.md": None, "b.txt": "b"})
    assert sorted(shop.client.read_pull_files("acme", "shop", shop.number)) == ["b.txt", "src/till.py"]


def test_a_folder_is_read_with_the_names_and_sizes_of_its_files(shop: Shop) -> None:
    shop.gh.push(NAME, "main", {"docs/é.md": "é", "docs/a b#?%20.md": "", "docs/more/c.md": "c"})
    read_back = shop.client.read_folder("acme", "shop", "docs")
    assert read_back == [FileFact("a b#?%20.md", 0), FileFact("é.md", 2)]
    assert shop.client.read_file("acme", "shop", "docs/a b#?%20.md", "") == ""
    assert shop.client.read_folder("acme", "shop", "docs/more/c.md") == []
    assert shop.client.read_folder("acme", "shop", "nowhere") == []


def test_links_and_submodules_are_no_files_of_a_folder() -> None:
    kinds = ("dir", "file", "symlink", "submodule")
    assert read.folder([{"name": kind, "type": kind} for kind in kinds]) == [FileFact("file", 0)]


def test_runs_of_a_workflow_are_counted_in_their_month_without_skipped_ones(shop: Shop) -> None:
    shop.gh.set_time(datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC))
    for conclusion in ("skipped", "failure", "success"):
        run = shop.gh.start_workflow_run(NAME, "push", path=AGENT)
        shop.gh.finish_run(run["run_id"], conclusion)
    shop.gh.advance(1)
    shop.gh.start_workflow_run(NAME, "push", path=AGENT)
    october = Month(2026, 10)
    counted = [shop.client.count_workflow_runs("acme", "shop", "agent.yml", m) for m in (october, october.next)]
    assert counted == [2, 1]
    assert shop.client.count_workflow_runs("acme", "shop", "agent.yml", Month(2026, 9)) == 0


@pytest.mark.parametrize("file", ["none.yml", "..", ""])
def test_runs_of_what_is_no_workflow_are_unknown_and_not_zero(shop: Shop, file: str) -> None:
    assert shop.client.count_workflow_runs("acme", "shop", file, Month(2026, 10)) is None


@pytest.mark.parametrize(
    ("every", "skipped", "ran"),
    [(1000, 1000, None), (1000, 999, 1), (2500, 1500, 1000), (7, 7, 0), (7, 8, 0), (7, 0, 7)],
)
def test_only_skipped_runs_up_to_githubs_limit_tell_nothing_of_the_others(
    server: Answering, client: GitHubClient, every: int, skipped: int, ran: int | None
) -> None:
    answers = [Answer(body={"total_count": number}) for number in (every, skipped)]
    server.say("GET /repos/acme/shop/actions/workflows/a.yml/runs", *answers)
    assert client.count_workflow_runs("acme", "shop", "a.yml", Month(2026, 10)) == ran


def test_how_the_jobs_of_an_attempt_ended_is_read_by_their_check_runs(shop: Shop) -> None:
    shop.gh.set_time(shop.gh.hub.now())
    run = shop.gh.start_workflow_run(NAME, "pull_request", shop.number)
    shop.gh.add_job(run["run_id"], "tests")
    shop.gh.finish_job(run["run_id"], run["job_id"], "failure")
    first, second = shop.client.read_job_ends("acme", "shop", run["run_id"], 1)
    assert (first.check_run_id, first.conclusion, first.ended_at) == (run["check_run_id"], "failure", shop.gh.hub.now())
    assert (second.conclusion, second.ended_at) == (None, None)
    assert shop.client.read_job_ends("acme", "shop", run["run_id"], 2) == []


def test_each_attempt_of_a_workflow_run_is_read(shop: Shop) -> None:
    run = shop.gh.start_workflow_run(NAME, "pull_request", shop.number, actor="ada")
    shop.gh.finish_run(run["run_id"], "failure")
    shop.gh.rerun(run["run_id"], "bob")
    first = shop.client.read_workflow_run("acme", "shop", run["run_id"], 1)
    second = shop.client.read_workflow_run("acme", "shop", run["run_id"], 2)
    assert first is not None
    assert second is not None
    assert (first.run_attempt, first.conclusion, second.run_attempt, second.conclusion) == (1, "failure", 2, None)
    assert (first.head_sha, first.event, first.path) == (shop.head, "pull_request", ".github/workflows/agent.yml")
    assert first.actor_id == shop.gh.account_id("ada")
    assert first.started_at <= second.started_at


@pytest.mark.parametrize(
    ("path", "read_as"),
    [
        (".github/workflows/a.yml", ".github/workflows/a.yml"),
        (".github/workflows/a.yml@main", ".github/workflows/a.yml"),
        ("acme/rules/.github/workflows/a.yml@refs/heads/main", "acme/rules/.github/workflows/a.yml@refs/heads/main"),
        ("", ""),
    ],
)
def test_a_workflows_path_is_told_without_its_ref_when_it_is_the_repositorys_own(path: str, read_as: str) -> None:
    assert read.workflow_run({**RUN, "path": path}).path == read_as


def test_a_run_of_an_old_server_is_its_first_attempt_and_starts_when_it_was_made() -> None:
    fact = read.workflow_run(RUN)
    assert (fact.run_attempt, fact.started_at) == (1, datetime(2026, 10, 5, 12, tzinfo=UTC))


def test_a_file_is_read_at_a_ref(shop: Shop) -> None:
    shop.gh.push(NAME, "main", {"mergemeter.yml": "comment: off # é\n"})
    old = shop.gh.head(NAME)
    shop.gh.push(NAME, "main", {"mergemeter.yml": "comment: live\n"})
    assert shop.client.read_file("acme", "shop", "mergemeter.yml", old) == "comment: off # é\n"
    assert shop.client.read_file("acme", "shop", "mergemeter.yml", "") == "comment: live\n"


def test_a_folder_is_no_file(shop: Shop) -> None:
    assert shop.client.read_file("acme", "shop", ".github", "main") is None


@pytest.mark.parametrize("body", [None, {"type": "submodule"}, {"type": "file", "encoding": "none", "content": ""}])
def test_what_has_no_content_is_no_file(body: object) -> None:
    assert read.file_text(body) is None


def test_a_file_that_is_not_text_is_read_as_far_as_it_goes() -> None:
    assert read.file_text({"type": "file", "encoding": "base64", "content": "//5h\n"}) == "\ufffd\ufffda"


def test_a_spent_budget_makes_the_rest_due_at_its_reset(shop: Shop) -> None:
    shop.gh.limit_requests(2)
    shop.client.read_repository("acme", "shop")
    shop.client.read_repository("acme", "shop")
    with pytest.raises(Later) as later:
        shop.client.read_repository("acme", "shop")
    wait = later.value.until - datetime.now(UTC)
    assert timedelta(minutes=58) < wait <= timedelta(minutes=60, seconds=2)
    assert shop.limits.seen[-1] == (403, "0")


def test_a_secondary_limit_makes_the_rest_due_when_it_says(shop: Shop) -> None:
    shop.gh.fail("secondary", path="/pulls/", retry_after_s=90)
    with pytest.raises(Later) as later:
        shop.client.read_pull("acme", "shop", shop.number)
    assert timedelta(seconds=85) < later.value.until - datetime.now(UTC) <= timedelta(seconds=90)


def test_a_missing_permission_to_read_is_refused_and_not_taken_for_absence(shop: Shop) -> None:
    shop.gh.grant(shop.installation_id, {"metadata": "read"})
    with pytest.raises(Refused, match="lacks a permission"):
        shop.client.read_file("acme", "shop", "README.md", "main")


def test_a_property_s_values_are_read_by_repository(shop: Shop) -> None:
    shop.gh.create_repository("acme/plain")
    shop.gh.set_properties(NAME, {"Cost-Center": " payments "})
    found = shop.client.read_property_values("acme", "cost-center")
    ids = [shop.gh.hub.repository(each).repository_id for each in (NAME, "acme/plain")]
    assert [found[each] for each in ids] == ["payments", ""]
    assert shop.client.read_property_editors("acme", "cost-center") == "org_actors"
    assert shop.client.read_property_editors("acme", "none") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"), (None, ""), ([], ""), (["a"], "a"), (["a", "b"], ""), (" a\x00\ud800 ", "a"),
        ("x" * 2_000, "x" * 1_024), (True, "True"),
    ],
)  # fmt: skip
def test_a_property_s_value_is_one_short_text(value: object, expected: str) -> None:
    told = [{"property_name": "other", "value": "b"}, {"property_name": "Cost", "value": value}]
    assert read.property_value({"properties": told}, "cost") == expected
    assert read.property_value({}, "cost") == ""


def test_teams_are_read_over_pages_up_to_a_limit_and_whether_there_are_more(shop: Shop) -> None:
    shop.gh.grant(shop.installation_id, {"members": "read"})
    slugs = [shop.gh.create_team("acme", f"t{number}") for number in range(102)]
    assert shop.client.read_teams("acme", 102) == (slugs, False)
    assert shop.client.read_teams("acme", 101) == (slugs[:101], True)


def test_what_a_team_may_do_is_read_by_repository(shop: Shop) -> None:
    shop.gh.grant(shop.installation_id, {"members": "read"})
    ids = {role: shop.gh.create_repository(f"acme/{role}") for role in ("read", "write", "admin")}
    shop.gh.create_team("acme", "Ops", {f"acme/{role}": role for role in ids})
    roles = {ids["write"]: TeamRole.WRITE, ids["admin"]: TeamRole.ADMIN}
    assert shop.client.read_team_roles("acme", "ops", 3) == (roles, False)
    assert shop.client.read_team_roles("acme", "ops", 2) == ({ids["write"]: TeamRole.WRITE}, True)
    with pytest.raises(Refused):
        shop.client.read_team_roles("acme", "none", 3)


@pytest.mark.parametrize(
    ("rights", "role"),
    [
        ({"admin": True, "maintain": True, "push": True}, TeamRole.ADMIN),
        ({"maintain": True, "push": True}, TeamRole.MAINTAIN),
        ({"admin": False, "push": True, "pull": True}, TeamRole.WRITE),
        ({"triage": True, "pull": True}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_team_s_role_is_the_strongest_of_its_rights_whatever_its_name(
    rights: dict[str, bool] | None, role: TeamRole | None
) -> None:
    assert read.team_role({"role_name": "release-manager", "permissions": rights}) == role

import pytest

from app.core.outcomes import Refused
from app.github.client import GitHubClient
from app.github.put import Put
from tests.github.shop import NAME, Shop

MARK = "<!-- mergemeter:v1:summary:9:202610 -->"
BODY = f"October cost $32.00.\n{MARK}"
LABEL = "mergemeter"


def put(shop: Shop, body: str = BODY, known_id: int | None = None, client: GitHubClient | None = None) -> Put:
    return (client or shop.client).put_issue("acme", "shop", "AI spend in October", body, MARK, known_id, LABEL)


def test_an_issue_is_created_with_its_label_and_known_by_its_number(shop: Shop) -> None:
    made = put(shop)
    (issue,) = shop.gh.issues(NAME)
    assert (made.state, made.id, issue["body"]) == ("created", issue["number"], BODY)
    assert [label["name"] for label in issue["labels"]] == [LABEL]
    assert made.url == issue["html_url"]


def test_the_same_words_are_not_written_again(shop: Shop) -> None:
    made = put(shop)
    assert put(shop, known_id=made.id).state == put(shop).state == "unchanged"
    assert len(shop.gh.writes()) == 1


def test_title_and_body_are_edited_in_place(shop: Shop) -> None:
    made = put(shop)
    changed = shop.client.put_issue("acme", "shop", "October, final", BODY + "!", MARK, made.id, LABEL)
    (issue,) = shop.gh.issues(NAME)
    assert (changed.state, issue["title"], issue["body"]) == ("updated", "October, final", BODY + "!")


def test_an_issue_whose_number_was_lost_is_found_by_its_marker(shop: Shop) -> None:
    made = put(shop)
    assert put(shop, BODY + "!", client=shop.another_process()).id == made.id
    assert len(shop.gh.issues(NAME)) == 1


def test_an_issue_of_a_person_with_our_marker_is_not_ours(shop: Shop) -> None:
    planted = shop.gh.create_issue(NAME, "AI spend in October", f"Nothing! {MARK}", "mallory")
    with shop.gh.hub.lock:
        place = shop.gh.hub.repository(NAME)
        place.labels[LABEL] = 1
        place.issues[planted].labels.append(LABEL)
    assert put(shop).id != planted


def test_another_months_issue_is_another_one(shop: Shop) -> None:
    put(shop)
    november = MARK.replace("202610", "202611")
    made = shop.client.put_issue("acme", "shop", "November", f"x {november}", november, None, LABEL)
    assert made.state == "created"


def test_a_closed_issue_is_edited_and_stays_closed(shop: Shop) -> None:
    made = put(shop)
    with shop.gh.hub.lock:
        shop.gh.hub.repository(NAME).issues[made.id or 0].state = "closed"
    assert put(shop, BODY + "!").state == "updated"
    assert [issue["state"] for issue in shop.gh.issues(NAME)] == ["closed"]


def test_an_issue_that_a_person_deleted_is_not_made_again(shop: Shop) -> None:
    made = put(shop)
    with shop.gh.hub.lock:
        del shop.gh.hub.repository(NAME).issues[made.id or 0]
    assert put(shop, known_id=made.id).state == "deleted_by_hand"
    assert shop.gh.issues(NAME) == []


def test_a_younger_copy_is_closed_and_the_oldest_kept(shop: Shop) -> None:
    made = put(shop)
    with shop.gh.hub.lock:
        place = shop.gh.hub.repository(NAME)
        ours = place.issues[made.id or 0]
    shop.gh.create_issue(NAME, "AI spend in October", BODY, ours.author.login)
    with shop.gh.hub.lock:
        copy = max(place.issues.values(), key=lambda issue: issue.number)
        copy.app_id, copy.labels = ours.app_id, [LABEL]
    assert put(shop).id == made.id
    assert [issue["state"] for issue in shop.gh.issues(NAME)] == ["open", "closed"]


def test_a_body_that_github_silently_did_not_take_is_refused(shop: Shop) -> None:
    made = put(shop)
    with pytest.raises(Refused, match="kept the issue's old text"):
        put(shop, "x" * 270_000 + MARK, made.id)
    assert [issue["body"] for issue in shop.gh.issues(NAME)] == [BODY]


def test_a_repository_without_issues_refuses(shop: Shop) -> None:
    shop.gh.enable_issues(NAME, enabled=False)
    with pytest.raises(Refused, match="enable them") as no:
        put(shop)
    assert no.value.status == 410


def test_an_issue_in_a_repository_whose_issues_were_disabled_is_refused_and_not_taken_for_deleted(shop: Shop) -> None:
    made = put(shop)
    shop.gh.enable_issues(NAME, enabled=False)
    with pytest.raises(Refused, match="enable them"):
        put(shop, BODY + "!", made.id)
    shop.gh.enable_issues(NAME, enabled=True)
    assert put(shop, BODY + "!", made.id).state == "updated"


def test_a_body_without_its_marker_is_our_own_mistake(shop: Shop) -> None:
    with pytest.raises(ValueError, match="marker"):
        put(shop, "no marker")


def test_a_number_that_is_another_s_issue_in_another_repository_is_not_touched(shop: Shop) -> None:
    planted = shop.gh.create_issue(NAME, "A person's", "words")
    bot = shop.gh.create_issue(NAME, "Bump", "a dependency", "dependabot[bot]")
    for number in (planted, bot):
        assert put(shop, known_id=number).state == "deleted_by_hand"
    assert [issue["body"] for issue in shop.gh.issues(NAME)] == ["words", "a dependency"]


def test_our_issue_is_known_by_its_number_where_github_does_not_name_the_app(shop: Shop) -> None:
    made = put(shop)
    with shop.gh.hub.lock:
        shop.gh.hub.repository(NAME).issues[made.id or 0].app_id = None
    assert put(shop, BODY + "!", made.id, shop.another_process()).state == "updated"


def test_an_issue_is_closed_and_opened_again(shop: Shop) -> None:
    number = put(shop).id or 0
    for is_open, state, reason in ((False, "closed", "completed"), (True, "open", "reopened")):
        shop.client.set_issue_open("acme", "shop", number, is_open=is_open)
        (issue,) = shop.gh.issues(NAME)
        assert (issue["state"], issue["state_reason"]) == (state, reason)


def test_those_are_assigned_who_may_read_the_repository(shop: Shop) -> None:
    number = put(shop).id or 0
    shop.gh.permit(NAME, "ada", "read")
    shop.gh.permit(NAME, "bob", "none")
    assert shop.client.assign("acme", "shop", number, ["ada", "bob", "nobody-here"]) == ["ada"]
    assert [person["login"] for person in shop.gh.issues(NAME)[0]["assignees"]] == ["ada"]
    shop.gh.permit(NAME, "helper[bot]", "write")
    assert shop.client.assign("acme", "shop", number, ["helper[bot]"]) == []
    assert shop.client.assign("acme", "shop", number, ["bob"]) == []
    assert [person["login"] for person in shop.gh.issues(NAME)[0]["assignees"]] == ["ada"]

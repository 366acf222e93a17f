import time

import pytest

from app.core.outcomes import Refused
from app.github import promptness
from app.github.failures import GitHubFailed
from app.github.put import Authorship, same_text
from tests.github.shop import MARK, NAME, Shop

BODY = f"This pull cost $3.20.\n\n{MARK}"


def put(shop: Shop, body: str = BODY, known_id: int | None = None):  # type: ignore[no-untyped-def]
    return shop.client.put_comment("acme", "shop", shop.number, body, MARK, known_id)


def test_a_comment_is_created_once_and_told_by_id_and_address(shop: Shop) -> None:
    made = put(shop)
    assert (made.state, shop.bodies()) == ("created", [BODY])
    assert made.url.endswith(f"#issuecomment-{made.id}")


def test_only_the_creation_counts_as_one_that_notifies(shop: Shop) -> None:
    made = put(shop)
    put(shop, BODY.replace("3.20", "4.10"), made.id)
    assert shop.limits.writes == [True, False]


def test_the_same_words_are_not_written_again(shop: Shop) -> None:
    made = put(shop)
    assert put(shop, known_id=made.id).state == "unchanged"
    assert put(shop).state == "unchanged"
    assert len(shop.gh.writes()) == 1


def test_line_ends_and_outer_white_space_are_no_difference(shop: Shop) -> None:
    made = put(shop, BODY.replace("\n", "\r\n") + "\r\n")
    assert put(shop, known_id=made.id).state == "unchanged"


def test_other_words_are_edited_in_place(shop: Shop) -> None:
    made = put(shop)
    changed = put(shop, BODY.replace("3.20", "4.10"), made.id)
    assert (changed.id, changed.state) == (made.id, "updated")
    assert shop.bodies() == [BODY.replace("3.20", "4.10")]


def test_a_comment_whose_id_was_lost_is_found_by_its_marker(shop: Shop) -> None:
    made = put(shop)
    again = shop.another_process().put_comment("acme", "shop", shop.number, BODY + " More.", MARK, None)
    assert (again.id, again.state, len(shop.bodies())) == (made.id, "updated", 1)


def test_a_comment_is_found_behind_a_hundred_others(shop: Shop) -> None:
    for number in range(130):
        shop.gh.comment(NAME, shop.number, "ada", f"talk {number}")
    made = put(shop)
    for number in range(130):
        shop.gh.comment(NAME, shop.number, "ada", f"more talk {number}")
    assert put(shop).id == made.id


def test_a_marker_planted_by_a_person_is_not_ours(shop: Shop) -> None:
    planted = shop.gh.comment(NAME, shop.number, "mallory", f"It cost nothing! {MARK}")
    made = put(shop)
    assert made.state == "created"
    assert made.id != planted
    assert shop.bodies() == [f"It cost nothing! {MARK}", BODY]


def test_a_marker_planted_by_another_app_is_not_ours(shop: Shop) -> None:
    other = shop.gh.register_app(slug="other")
    shop.gh.comment(NAME, shop.number, other["bot_login"], f"It cost nothing! {MARK}")
    assert put(shop).state == "created"
    assert len(shop.bodies()) == 2


def test_a_comment_that_a_person_deleted_is_not_posted_again(shop: Shop) -> None:
    made = put(shop)
    assert made.id is not None
    shop.gh.delete_comment(NAME, made.id)
    gone = put(shop, known_id=made.id)
    assert (gone.id, gone.state, shop.bodies()) == (None, "deleted_by_hand", [])


def test_an_id_that_is_gone_gives_way_to_a_copy_that_stands(shop: Shop) -> None:
    made = put(shop)
    assert put(shop, known_id=999).id == made.id
    assert len(shop.bodies()) == 1


def duplicate(shop: Shop, body: str) -> int:
    """A second comment of ours, as a frozen replica leaves it."""
    with shop.gh.hub.lock:
        ours = shop.gh.hub.apps[shop.app.app_id]
        copy = shop.gh.comment(NAME, shop.number, ours.bot.login, body)
        shop.gh.hub.repository(NAME).comments[copy].app_id = ours.app_id
        return copy


def test_copies_converge_on_the_oldest(shop: Shop) -> None:
    oldest = duplicate(shop, BODY)
    duplicate(shop, BODY)
    duplicate(shop, BODY + " Or so.")
    assert put(shop).id == oldest
    assert [comment["id"] for comment in shop.gh.comments(NAME, shop.number)] == [oldest]


def test_a_copy_made_while_we_looked_away_stays_and_ours_goes(shop: Shop) -> None:
    """Between our look and our creation another replica posts, and its comment is the older one."""
    elder: list[int] = []

    def meanwhile(creating: bool) -> None:
        if creating and not elder:
            elder.append(duplicate(shop, BODY + " Fresher."))

    shop.limits.before_write = meanwhile  # type: ignore[method-assign]
    made = put(shop)
    assert (made.id, made.state) == (elder[0], "adopted")
    assert shop.bodies() == [BODY + " Fresher."]


def test_a_creation_whose_answer_was_lost_is_not_repeated(shop: Shop) -> None:
    shop.gh.fail("drop", method="POST", path="/comments$", after=True)
    with pytest.raises(GitHubFailed):
        put(shop)
    assert put(shop).state == "unchanged"
    assert shop.bodies() == [BODY]


def test_what_was_permitted_too_long_ago_is_not_sent(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may be frozen between its leave to write and the sending; others go on meanwhile."""
    monkeypatch.setattr(promptness, "SOON_S", 0.05)
    shop.limits.before_write = lambda creating: time.sleep(0.1)  # type: ignore[method-assign]
    with pytest.raises(GitHubFailed, match="permitted too long ago"):
        put(shop)
    assert shop.bodies() == []


def test_our_comments_are_known_by_our_bot_where_github_names_no_app() -> None:
    ours = Authorship(1234, set())
    nameless = {"user": {"id": 41, "type": "Bot"}, "performed_via_github_app": None, "body": "x"}
    assert not ours.is_ours(nameless)
    ours.learn(nameless)
    assert ours.is_ours(nameless)
    assert not ours.is_ours({**nameless, "user": {"id": 42, "type": "Bot"}})


def test_a_person_who_acts_through_our_app_is_a_person() -> None:
    through = {"user": {"id": 5, "type": "User"}, "performed_via_github_app": {"id": 1234}}
    assert not Authorship(1234, {5}).is_ours(through)


def test_a_deleted_account_is_nobody() -> None:
    assert not Authorship(1234, set()).is_ours({"user": None, "performed_via_github_app": None})


@pytest.mark.parametrize(("left", "right"), [("a\r\nb", "a\nb"), ("a\rb\n", "a\nb"), (None, ""), (" a ", "a")])
def test_texts_that_read_alike_are_the_same(left: str | None, right: str) -> None:
    assert same_text(left, right)


def test_inner_white_space_is_a_difference() -> None:
    assert not same_text("a  b", "a b")


def test_a_locked_conversation_refuses(shop: Shop) -> None:
    shop.gh.lock(NAME, shop.number)
    with pytest.raises(Refused, match="unlock it") as no:
        put(shop)
    assert no.value.status == 403


def test_an_archived_repository_refuses(shop: Shop) -> None:
    shop.gh.archive_repository(NAME)
    with pytest.raises(Refused, match="archived"):
        put(shop)


def test_a_missing_permission_refuses(shop: Shop) -> None:
    shop.gh.grant(shop.installation_id, {"metadata": "read", "pull_requests": "read"})
    with pytest.raises(Refused, match="lacks a permission"):
        put(shop)


def test_a_suspended_installation_refuses(shop: Shop) -> None:
    shop.gh.suspend(shop.installation_id)
    with pytest.raises(Refused, match="suspended"):
        put(shop)


def test_a_deleted_repository_refuses_even_with_a_known_id(shop: Shop) -> None:
    made = put(shop)
    shop.gh.delete_repository(NAME)
    with pytest.raises(Refused) as no:
        put(shop, known_id=made.id)
    assert no.value.status == 404


def test_a_body_over_githubs_limit_is_a_failure_that_says_so(shop: Shop) -> None:
    with pytest.raises(GitHubFailed, match="too long"):
        put(shop, "x" * 270_000 + MARK)


def test_a_body_without_its_marker_is_our_own_mistake(shop: Shop) -> None:
    with pytest.raises(ValueError, match="marker"):
        put(shop, "no marker")

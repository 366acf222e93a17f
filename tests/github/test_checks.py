from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.core.outcomes import Refused
from app.core.report.values import Annotation, CheckOutput
from tests.github.shop import NAME, Shop

if TYPE_CHECKING:
    from app.github.client import GitHubClient

OUTPUT = CheckOutput("AI cost", "$3.20 · 4 agent runs", "It cost $3.20.", "Details", "success")
EXTERNAL = "mergemeter:5:1"
WORKFLOW = ".github/workflows/agent.yml"


def note(line: int, message: str = "This step cost $3.20") -> Annotation:
    return Annotation(WORKFLOW, line, "AI cost", message)


def put(shop: Shop, output: CheckOutput = OUTPUT, known_id: int | None = None, **options: Any) -> int:
    client: GitHubClient = options.pop("client", shop.client)
    head = options.pop("head", shop.head)
    return client.put_check("acme", "shop", head, output, options.pop("external_id", EXTERNAL), known_id, **options)


def shown(shop: Shop) -> dict[str, Any]:
    """What people see: the youngest."""
    return max(shop.gh.checks(NAME, shop.number), key=lambda run: int(run["id"]))


def messages(run: dict[str, Any]) -> list[tuple[int, str]]:
    return [(one["start_line"], one["message"]) for one in run["annotations"]]


def test_a_check_is_created_complete(shop: Shop) -> None:
    made = put(shop)
    run = shown(shop)
    assert (run["id"], run["head_sha"], run["external_id"]) == (made, shop.head, EXTERNAL)
    assert (run["status"], run["conclusion"]) == ("completed", "success")
    assert (run["output"]["title"], run["output"]["summary"], run["output"]["text"]) == (
        OUTPUT.title,
        OUTPUT.summary,
        OUTPUT.text,
    )


def test_the_same_words_are_not_written_again(shop: Shop) -> None:
    made = put(shop)
    assert put(shop, known_id=made) == put(shop) == made
    assert len(shop.gh.writes()) == 1


def test_a_check_without_text_is_not_written_again(shop: Shop) -> None:
    bare = replace(OUTPUT, text="")
    put(shop, bare)
    put(shop, bare)
    assert len(shop.gh.writes()) == 1


@pytest.mark.parametrize(
    "change",
    [{"title": "other"}, {"summary": "other"}, {"text": "other"}, {"conclusion": "neutral"}],
    ids=lambda change: next(iter(change)),
)
def test_any_difference_is_edited_in_place(change: dict[str, Any], shop: Shop) -> None:
    made = put(shop)
    assert put(shop, replace(OUTPUT, **change), made) == made
    assert len(shop.gh.checks(NAME, shop.number)) == 1
    run = shown(shop)
    assert {**run["output"], "conclusion": run["conclusion"]}.items() >= change.items()


def test_a_check_is_answered_when_someone_asks_again_though_nothing_differs(shop: Shop) -> None:
    made = put(shop)
    assert put(shop, known_id=made, force=True) == made
    assert [method for method, _, _ in shop.gh.writes()] == ["POST", "PATCH"]


def test_a_check_whose_id_was_lost_is_found_by_its_external_id(shop: Shop) -> None:
    made = put(shop)
    assert put(shop, client=shop.another_process()) == made


def test_a_new_head_gets_its_own_check(shop: Shop) -> None:
    first = put(shop)
    shop.gh.push_to_pull(NAME, shop.number, {"src/till.py": "print(2)\n"})
    assert put(shop, known_id=first) != first
    assert shown(shop)["head_sha"] == shop.head


def test_two_pulls_with_one_head_have_a_check_each(shop: Shop) -> None:
    first = put(shop)
    second = put(shop, external_id="mergemeter:5:2")
    assert first != second
    assert put(shop) == first
    assert len(shop.gh.writes()) == 2


def test_a_check_of_another_app_is_not_ours(shop: Shop) -> None:
    other = shop.gh.register_app(slug="other")
    made = put(shop)
    with shop.gh.hub.lock:
        shop.gh.hub.checks[made].app_id = other["app_id"]
    assert put(shop, known_id=made) != made


def test_a_check_that_is_gone_is_made_again(shop: Shop) -> None:
    made = put(shop)
    with shop.gh.hub.lock:
        del shop.gh.hub.checks[made]
    assert put(shop, known_id=made) != made


def test_a_creation_whose_answer_was_lost_is_not_repeated(shop: Shop) -> None:
    shop.gh.fail("drop", method="POST", path="/check-runs$", after=True)
    with pytest.raises(Exception, match="check-runs"):
        put(shop)
    put(shop)
    assert len(shop.gh.checks(NAME, shop.number)) == 1


def test_of_several_copies_the_one_that_people_see_is_edited(shop: Shop) -> None:
    elder = put(shop)
    younger = copy_of(shop, elder, "stale")
    assert put(shop, known_id=elder) == younger
    assert shown(shop)["output"]["title"] == OUTPUT.title


def copy_of(shop: Shop, elder: int, title: str) -> int:
    """Another check run of ours on the same head, as a frozen replica leaves it."""
    with shop.gh.hub.lock:
        number = shop.gh.hub.next_id("check")
        shop.gh.hub.checks[number] = replace(shop.gh.hub.checks[elder], check_run_id=number, title=title)
        return number


def test_a_copy_made_while_we_looked_away_lends_its_words_to_ours(shop: Shop) -> None:
    """Another replica posts between our look and our creation: it knows better, and people see ours."""
    elder: list[int] = []

    def meanwhile(creating: bool) -> None:
        if not elder:
            elder.append(0)
            fresher = replace(OUTPUT, title="$4.10 · 5 agent runs", conclusion="neutral")
            elder[0] = put(shop, fresher, client=shop.another_process())

    shop.limits.before_write = meanwhile  # type: ignore[method-assign]
    made = put(shop)
    assert made > elder[0]
    assert (shown(shop)["id"], shown(shop)["output"]["title"]) == (made, "$4.10 · 5 agent runs")
    assert shown(shop)["conclusion"] == "neutral"


# ---- annotations ---------------------------------------------------------------------------------------------


def test_annotations_are_put_on_their_lines(shop: Shop) -> None:
    put(shop, replace(OUTPUT, annotations=(note(3),)))
    (annotation,) = shown(shop)["annotations"]
    assert (annotation["path"], annotation["start_line"], annotation["end_line"]) == (WORKFLOW, 3, 3)
    assert (annotation["annotation_level"], annotation["title"]) == ("notice", "AI cost")


def test_annotations_that_stand_are_not_sent_again(shop: Shop) -> None:
    noted = replace(OUTPUT, annotations=(note(3), note(9)))
    made = put(shop, noted)
    assert put(shop, replace(noted, title="other"), made) == made
    assert messages(shown(shop)) == [(3, "This step cost $3.20"), (9, "This step cost $3.20")]


def test_an_annotation_more_is_added_to_those_that_stand(shop: Shop) -> None:
    made = put(shop, replace(OUTPUT, annotations=(note(3),)))
    assert put(shop, replace(OUTPUT, annotations=(note(3), note(9))), made) == made
    assert [line for line, _ in messages(shown(shop))] == [3, 9]


@pytest.mark.parametrize("now", [(note(3, "This step cost $4.10"),), ()], ids=["changed", "gone"])
def test_an_annotation_that_is_no_longer_true_goes_with_its_check(now: tuple[Annotation, ...], shop: Shop) -> None:
    made = put(shop, replace(OUTPUT, annotations=(note(3),)))
    again = put(shop, replace(OUTPUT, annotations=now), made)
    assert again != made
    assert messages(shown(shop)) == [(one.line, one.message) for one in now]
    assert put(shop, replace(OUTPUT, annotations=now), again) == again


def test_more_than_fifty_annotations_go_in_several_requests(shop: Shop) -> None:
    many = replace(OUTPUT, annotations=tuple(note(line) for line in range(1, 121)))
    made = put(shop, many)
    assert [method for method, _, _ in shop.gh.writes()] == ["POST", "PATCH", "PATCH"]
    assert put(shop, many, made) == made
    assert [line for line, _ in messages(shown(shop))] == list(range(1, 121))
    assert len(shop.gh.writes()) == 3


def test_annotations_cut_off_by_an_outage_are_completed(shop: Shop) -> None:
    many = replace(OUTPUT, annotations=tuple(note(line) for line in range(1, 61)))
    shop.gh.fail("status", method="PATCH", path="/check-runs/", status=502)
    with pytest.raises(Exception, match="502"):
        put(shop, many)
    put(shop, many)
    assert [line for line, _ in messages(shown(shop))] == list(range(1, 61))
    assert len(shop.gh.checks(NAME, shop.number)) == 1


# ---- refusals ------------------------------------------------------------------------------------------------


def test_a_missing_permission_refuses(shop: Shop) -> None:
    shop.gh.grant(shop.installation_id, {"metadata": "read"})
    with pytest.raises(Refused, match="lacks a permission"):
        put(shop)


def test_an_archived_repository_refuses(shop: Shop) -> None:
    shop.gh.archive_repository(NAME)
    with pytest.raises(Refused, match="archived"):
        put(shop)


def test_a_check_on_a_merged_pull_is_still_edited(shop: Shop) -> None:
    made = put(shop)
    shop.gh.merge(NAME, shop.number, "squash")
    assert put(shop, replace(OUTPUT, title="$5.00, late record"), made) == made

"""What counts as exact, as marked and as wrong, without playing anything."""

import json
import re
from dataclasses import replace

import pytest

from tests.clients.campaign import cases
from tests.clients.installed import PINS
from tests.clients.truth import Served, by_model, tokens
from tests.clients.verdict import Booked, judge


def served(number: int, *, api: str = "anthropic", kind: str = "main", whole: bool = True) -> Served:
    ids = (f"msg_{number}", f"req_{number}")
    return Served(number, api, "a-model", kind, "basic", 0, *ids, True, 0.0, tokens(api, number), whole)


TWO = [served(1), served(2)]


def booked(some: list[Served], *marks: str, **more: int) -> Booked:
    """An App that has booked just these, and `more` tokens of a class."""
    usage = by_model(some)
    for name, count in more.items():
        usage["a-model"][name] += count
    return Booked(usage, marks=marks)


@pytest.mark.parametrize(
    ("charged", "found", "outcome", "lacks"),
    [
        (TWO, booked(TWO, "complete"), "exact", ""),
        (TWO, booked(TWO, "lower_bound"), "exact", ""),
        (TWO, booked(TWO[:1], "complete"), "WRONG", None),
        (TWO, booked(TWO[:1], "lower_bound"), "marked", None),
        (TWO, Booked({}), "WRONG", None),
        (TWO, booked(TWO, "lower_bound", output=1), "WRONG", "a-model output +1"),
        (TWO, booked(TWO, "estimated", output=1), "marked", "a-model output +1"),
        (TWO, booked(TWO, "lower_bound", responses=1), "WRONG", "a-model responses +1"),
        (TWO, booked(TWO, "lower_bound", input=1, cache_read=-1), "marked", "a-model input +1, a-model cache_read -1"),
        (TWO, booked(TWO, "complete", input=1, cache_read=-1), "WRONG", "a-model input +1, a-model cache_read -1"),
        (
            TWO,
            booked(TWO, "lower_bound", cache_write_5m=-653, cache_write_1h=-10, cache_write_other=663),
            "marked",
            "cache writes without their lifetime",
        ),
        ([*TWO, served(3, whole=False)], booked(TWO, "lower_bound"), "marked", "without the answer in flight"),
        ([*TWO, served(3, whole=False)], booked(TWO, "complete"), "WRONG", "without the answer in flight"),
        ([*TWO, served(3, kind="side")], booked(TWO, "complete"), "WRONG", "without side calls"),
        (
            [served(1, api="chat")],
            booked([served(1, api="chat")], "complete", reasoning=-22),
            "exact",
            "reasoning is not told apart",
        ),
    ],
)
def test_a_record_is_exact_or_marked_or_wrong(
    charged: list[Served], found: Booked, outcome: str, lacks: str | None
) -> None:
    verdict = judge(charged, found)
    assert verdict.outcome == outcome
    assert lacks is None or verdict.lacks == lacks


def test_a_model_that_was_never_asked_is_too_much() -> None:
    other = by_model([replace(served(1), model="another")])
    assert judge(TWO, Booked(by_model(TWO) | other, marks=("lower_bound",))).outcome == "WRONG"


def test_no_two_cases_have_the_same_title() -> None:
    titles = [case.title for case in cases()]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("folder", [".", "older"])
def test_the_clients_are_pinned_to_the_version(folder: str) -> None:
    wanted = json.loads((PINS / folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    locked = json.loads((PINS / folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert [name for name, version in wanted.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted

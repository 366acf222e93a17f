"""From lines to statements: fees, shares, numbers; what they come to is what there was."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.core.chargeback.assembly import MonthBooks, statements_of
from app.core.chargeback.statement import Line, Proof, Statement, canonical, digest, parsed
from app.core.chargeback.terms import Chargeback
from app.core.config import read
from app.core.money import NanoUsd
from app.core.month import Month

OCTOBER = Month(2026, 10)
AT = datetime(2026, 11, 10, tzinfo=UTC)
AMOUNTS = st.dictionaries(
    st.sampled_from(["a", "b", "c", "unassigned", "shared:bots"]), st.integers(0, 10**15), max_size=5
)
METHODS = st.sampled_from(["proportional", "even", "none"])


def terms(unassigned: str = "proportional", bots: str = "even", more: str = "") -> Chargeback:
    config, problems = read(
        f"""\
cost_centers: {{centers: {{a: {{chargeback_from: 2026-10}}, b: {{chargeback_from: 2026-11}}, c: {{}}}}}}
shared_costs:
  unassigned: {{method: {unassigned}}}
  pools: {{bots: {{method: {bots}, agents: [codex]}}}}
{more}
""",
        public=False,
    )
    assert config is not None, problems
    return config.chargeback


def made(
    amounts: dict[str, int], rules: Chargeback, used: dict[str, dict[str, NanoUsd]] | None = None
) -> dict[str, Statement]:
    lines = {
        name: (Line(1, "acme/x", "unattributed", 0, NanoUsd(amount), NanoUsd(0), 1, (), Proof(2, "")),)
        for name, amount in amounts.items()
    }
    books = MonthBooks(1, "acme", OCTOBER, AT, 9, "", lines, used=used or {})
    return {each.cost_center: each for each in statements_of(books, rules)}


def test_example_c() -> None:
    direct = dict.fromkeys("abc", 100 * 10**9)
    found = made({**direct, "unassigned": 100 * 10**9}, terms())
    assert [each.shared[0].cents for name, each in found.items() if name in direct] == [3333, 3333, 3334]
    assert [each.total_cents for each in found.values()] == [13333, 13333, 13334, 0]
    assert found["unassigned"].distributed == -100 * 10**9


@given(AMOUNTS, METHODS, METHODS, st.booleans())
def test_statements_come_to_what_there_was(amounts: dict[str, int], one: str, two: str, seats: bool) -> None:
    fee = "subscriptions: [{name: S, vendor: v, monthly_usd: 10, from: 2026-01-01, method: even}]" if seats else ""
    found = made(amounts, terms(one, two, fee)).values()
    total = sum(amounts.values()) + (10 * 10**9 if seats else 0)
    assert sum(each.total for each in found) == total
    assert abs(sum(each.total_cents for each in found) * 10**7 - total) <= 5 * 10**6
    for each in found:
        groups = each.lines, each.fees, each.shared, each.adjustments
        cents = [part.cents for group in groups for part in group]
        assert sum(cents) + each.distributed_cents == each.total_cents


@given(AMOUNTS)
def test_the_same_input_gives_the_same_bytes_and_they_can_be_read_again(amounts: dict[str, int]) -> None:
    for one, again in zip(made(amounts, terms()).values(), made(amounts, terms()).values(), strict=True):
        assert canonical(one) == canonical(again)
        assert parsed(canonical(one)) == one
        assert len(digest(canonical(one))) == 64


def test_half_of_a_letter_in_a_name_stops_no_close() -> None:
    (one,) = made({"a": 5}, terms()).values()
    odd = replace(one, label="\ud800")
    assert parsed(canonical(odd)) == odd


def test_cost_centers_come_first_and_the_switch_to_chargeback_has_its_month() -> None:
    found = made({"unassigned": 5, "shared:bots": 7, "c": 1, "b": 2, "a": 3, "Zed": 4}, terms("none", "none"))
    assert [(each.number, each.cost_center) for each in found.values()] == [
        ("2026-10-001", "a"),
        ("2026-10-002", "b"),
        ("2026-10-003", "c"),
        ("2026-10-004", "Zed"),
        ("2026-10-005", "shared:bots"),
        ("2026-10-006", "unassigned"),
    ]
    assert [each.cost_center for each in found.values() if each.chargeback] == ["a"]
    assert found["shared:bots"].label == "Shared: bots"


def test_a_fee_is_its_cost_centers_or_shared() -> None:
    own = "subscriptions: [{name: S, vendor: v, seats: 3, seat_fee_usd: 2.5, from: 2026-10-01, cost_center: b}]"
    found = made({"a": 10**9}, terms(more=own))
    assert [(name, each.total) for name, each in found.items()] == [("a", 10**9), ("b", 75 * 10**8)]
    late = own.replace("2026-10-01", "2026-10-02")
    assert list(made({"a": 10**9}, terms(more=late))) == ["a"]


def test_credits_are_paid_by_what_they_covered() -> None:
    credit = """subscriptions:
  - {name: S, vendor: v, kind: credits, monthly_usd: 90, from: 2026-10-01, method: use, agents: [codex]}
  - {name: T, vendor: v, monthly_usd: 2, from: 2026-10-01, method: use, agents: [aider]}"""
    used = {"subscription:S": {"a": NanoUsd(10**9), "b": NanoUsd(2 * 10**9), "unassigned": NanoUsd(5)}}
    found = made({"a": 0, "b": 0}, terms(more=credit), used)
    assert [(name, each.total) for name, each in found.items()] == [
        ("a", 31 * 10**9), ("b", 61 * 10**9), ("subscription:S", 0), ("subscription:T", 0),
    ]  # fmt: skip
    assert [(each.label, each.method, each.fell_back) for each in found["a"].shared] == [
        ("Subscription: S", "use", False), ("Subscription: T", "use", True),
    ]  # fmt: skip

"""Reconciliation: what a bucket's state is, and that no nano-dollar gets lost, whatever is billed and what is ours."""

from collections import Counter, defaultdict
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.model_names import canonical_by
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.pricing import PriceList
from app.core.reconcile import Billed, Known, Names, Ours, State, propose, reconcile, sums
from app.core.vendors.accounts import AgentSpend, Residuals, VendorRules
from app.core.vendors.values import Bucket

OCTOBER = Month(2026, 10)
PLAIN = Names(lambda provider, model: (provider, model.lower()))
ANTHROPIC = AgentSpend("anthropic", frozenset({"ci"}))
RULES = VendorRules((ANTHROPIC,), tolerance_percent=Decimal(1), tolerance=NanoUsd(5))


def ours(model: str, day: int, cost: int, center: str = "") -> Ours:
    return Ours("anthropic", model, day, NanoUsd(cost), calls=1, cost_center=center)


def bill(account: str, model: str, day: int, amount: int, vendor: str = "anthropic", final: bool = True) -> Billed:
    return Billed(Bucket(vendor, account, model, OCTOBER, day), NanoUsd(amount), final)


def known(own: list[Ours], billed: list[Billed], final: bool = True) -> Known:
    return Known(OCTOBER, own, billed, lambda _provider, _day: final)


def states(own: list[Ours], billed: list[Billed], rules: VendorRules = RULES, final: bool = True) -> list[State]:
    return [line.state for line in reconcile(known(own, billed, final), PLAIN, rules)]


def test_a_bucket_within_the_percentage_is_reconciled_and_one_beyond_it_differs() -> None:
    assert states([ours("a", 1, 1_000)], [bill("ci", "A", 1, 1_010)]) == [State.RECONCILED]
    assert states([ours("a", 1, 1_000)], [bill("ci", "A", 1, 1_012)]) == [State.DIFFERS]


def test_a_small_difference_is_none_by_the_absolute_tolerance() -> None:
    assert states([ours("a", 1, 10)], [bill("ci", "a", 1, 15)]) == [State.RECONCILED]
    assert states([ours("a", 1, 10)], [bill("ci", "a", 1, 16)]) == [State.DIFFERS]


def test_what_only_one_side_knows_is_a_residual_however_small() -> None:
    assert states([ours("a", 1, 3)], [bill("ci", "b", 2, 3)]) == [State.OURS_ONLY, State.VENDOR_ONLY]


def test_figures_that_can_move_are_estimated() -> None:
    assert states([ours("a", 1, 10)], [bill("ci", "a", 1, 10, final=False)]) == [State.ESTIMATED]
    assert states([ours("a", 1, 10)], [], final=False) == [State.ESTIMATED]
    assert states([], [bill("ci", "a", 1, 10, final=False)]) == [State.ESTIMATED]


def test_a_month_is_estimated_until_every_bucket_is_final() -> None:
    billed = [bill("ci", "a", 1, 10), bill("ci", "a", 2, 10, final=False)]
    (told,) = sums(reconcile(known([ours("a", 1, 10), ours("a", 2, 10)], billed), PLAIN, RULES), RULES)
    assert told.state is State.ESTIMATED


def test_a_month_is_reconciled_by_its_sums_as_a_call_at_midnight_has_two_days() -> None:
    billed = [bill("ci", "a", 1, 90), bill("ci", "a", 2, 110)]
    (told,) = sums(reconcile(known([ours("a", 1, 100), ours("a", 2, 100)], billed), PLAIN, RULES), RULES)
    assert (told.state, told.difference) == (State.RECONCILED, 0)


def test_ours_lies_beside_the_accounts_in_proportion_to_what_each_is_billed() -> None:
    lines = reconcile(known([ours("a", 1, 100)], [bill("x", "a", 1, 30), bill("y", "a", 1, 60)]), PLAIN, RULES)
    assert [(line.bucket.account, line.ours, line.billed) for line in lines] == [("x", 33, 30), ("y", 67, 60)]
    assert {line.state for line in lines} == {State.DIFFERS}


def test_a_line_for_the_whole_month_is_held_against_all_days_of_its_model() -> None:
    own = [ours("a", 1, 40), ours("a", 20, 60), ours("b", 2, 7)]
    lines = reconcile(known(own, [bill("ci", "a", 0, 100), bill("ci", "b", 2, 7)]), PLAIN, RULES)
    assert [(line.bucket.model, line.bucket.day, line.ours, line.state) for line in lines] == [
        ("a", 0, 100, State.RECONCILED),
        ("b", 2, 7, State.RECONCILED),
    ]


def test_an_invoice_that_names_no_model_is_held_against_all_models() -> None:
    own = [ours("a", 1, 40), ours("b", 2, 60)]
    assert states(own, [bill("ci", "", 0, 100)]) == [State.RECONCILED]
    assert states(own, [bill("ci", "", 1, 40), bill("ci", "", 2, 60)]) == [State.RECONCILED, State.RECONCILED]


def test_claude_enterprise_bills_calls_of_anthropics_models() -> None:
    rules = VendorRules((AgentSpend("claude-enterprise", frozenset({"claude_code"})),))
    lines = reconcile(known([ours("a", 1, 9), ours("b", 1, 1)], [bill("claude_code", "a", 1, 9, "claude-enterprise")]),
                      PLAIN, rules)  # fmt: skip
    assert [(line.bucket.vendor, line.bucket.account, line.state) for line in lines] == [
        ("claude-enterprise", "", State.OURS_ONLY),
        ("claude-enterprise", "claude_code", State.RECONCILED),
    ]


@pytest.mark.parametrize(
    ("vendor", "theirs", "provider", "reported"),
    [
        ("anthropic", "claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet-4-5"),
        ("openai", "gpt-5-2025-08-07", "openai", "gpt-5"),
        ("claude-enterprise", "claude-opus-4-6", "anthropic", "claude-opus-4-6"),
        ("github", "Claude Sonnet 4.6", "github", "claude-sonnet-4.6"),
        ("aws", "anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("nobody", "thing-20260101", "nobody", "Thing-latest"),
    ],
)
def test_dated_and_spelled_names_of_a_model_are_one(vendor: str, theirs: str, provider: str, reported: str) -> None:
    names = Names(canonical_by(PriceList.load()))
    assert names.of(vendor, theirs) == names.of(provider, reported)


# ---- what is proposed -----------------------------------------------------------------------------------------


def test_without_a_rule_only_what_is_within_the_tolerance_is_shared() -> None:
    own = [ours("a", 1, 600, "pay"), ours("a", 1, 300, "web"), ours("b", 2, 50, "web")]
    billed = [bill("ci", "a", 1, 909), bill("ci", "c", 3, 40)]
    found = propose(known(own, billed), PLAIN, RULES)
    assert [(each.cost_center, each.amount) for each in found.proposals] == [("pay", 6), ("web", 3)]
    assert found.left == {"anthropic": -50 + 40}
    assert found.final == ("anthropic",)


def test_a_rule_shares_residuals_by_what_each_used() -> None:
    own = [ours("a", 1, 600, "pay"), ours("a", 1, 300, "web"), ours("b", 2, 50, "web")]
    rules = VendorRules((ANTHROPIC,), residuals=Residuals.PROPORTIONAL)
    found = propose(known(own, [bill("ci", "a", 1, 900), bill("ci", "c", 3, 950)]), PLAIN, rules)
    # b was not billed: web gets its 50 back. c is nobody's: by 600 to 350.
    assert [(each.cost_center, each.amount) for each in found.proposals] == [("pay", 600), ("web", 350 - 50)]
    assert found.left == {}


def test_nothing_is_proposed_while_anything_is_estimated() -> None:
    billed = [bill("ci", "a", 1, 101), bill("ci", "a", 2, 10, final=False)]
    found = propose(known([ours("a", 1, 100, "pay")], billed), PLAIN, RULES)
    assert (found.proposals, found.final) == ((), ())


def test_a_residual_of_a_vendor_that_nobody_used_stays() -> None:
    rules = VendorRules((ANTHROPIC,), residuals=Residuals.PROPORTIONAL)
    found = propose(known([], [bill("ci", "a", 1, 101)]), PLAIN, rules)
    assert (found.proposals, found.left) == ((), {"anthropic": 101})


# ---- laws -----------------------------------------------------------------------------------------------------

MODELS = st.sampled_from(["a", "b", "c", "A"])
AMOUNTS = st.integers(-(10**12), 10**15)
OWN = st.builds(
    Ours,
    st.sampled_from(["anthropic", "openai"]),
    st.sampled_from(["a", "b", "c"]),
    st.integers(1, 31),
    st.integers(0, 10**15).map(NanoUsd),
    st.integers(0, 3),
    st.integers(0, 2),
    st.sampled_from(["pay", "web", "unassigned"]),
)
BILLS = st.builds(
    lambda vendor, account, model, day, amount, final: bill(account, model, day, amount, vendor, final),
    st.sampled_from(["anthropic", "openai", "claude-enterprise", "elsewhere"]),
    st.sampled_from(["x", "y"]),
    st.one_of(MODELS, st.just("")),
    st.integers(0, 31),
    AMOUNTS,
    st.booleans(),
)
EVERY_RULE = st.builds(
    VendorRules,
    st.just((ANTHROPIC,)),
    st.decimals(0, 100, places=2),
    st.integers(0, 10**9).map(NanoUsd),
    st.sampled_from(list(Residuals)),
)


def unique(bills: list[Billed]) -> list[Billed]:
    return list({each.bucket: each for each in bills}.values())


@given(st.lists(OWN, max_size=20), st.lists(BILLS, max_size=20), EVERY_RULE, st.booleans())
def test_nothing_is_lost_between_what_is_billed_and_the_lines(
    own: list[Ours], bills: list[Billed], rules: VendorRules, final: bool
) -> None:
    billed = unique(bills)
    lines = reconcile(known(own, billed, final), PLAIN, rules)
    by_state: Counter[State] = Counter()
    for line in lines:
        by_state[line.state] += line.billed
    residuals = by_state.pop(State.VENDOR_ONLY, 0) + by_state.pop(State.OURS_ONLY, 0)
    assert sum(by_state.values()) + residuals == sum(each.amount for each in billed)
    assert sum(line.ours for line in lines) == sum(each.cost for each in own)
    assert sum(line.ours + line.difference for line in lines) == sum(each.amount for each in billed)
    assert sum(line.unpriced_calls for line in lines) == sum(each.unpriced_calls for each in own)
    told = sums(lines, rules)
    assert sum(each.billed for each in told) == sum(each.amount for each in billed)
    assert sum(each.ours for each in told) == sum(each.cost for each in own)


@given(st.lists(OWN, max_size=20), st.lists(BILLS, max_size=20), EVERY_RULE, st.booleans())
def test_what_is_proposed_and_what_stays_is_all_that_differs(
    own: list[Ours], bills: list[Billed], rules: VendorRules, final: bool
) -> None:
    month = known(own, unique(bills), final)
    found = propose(month, PLAIN, rules)
    by_vendor: dict[str, int] = defaultdict(int)
    for line in reconcile(month, PLAIN, rules):
        by_vendor[line.bucket.vendor] += line.difference
    for vendor, difference in by_vendor.items():
        shared = sum(each.amount for each in found.proposals if each.vendor == vendor)
        assert shared + found.left.get(vendor, 0) == difference
        assert vendor in found.final or not shared


@given(st.lists(OWN, max_size=4), st.lists(BILLS, max_size=4), EVERY_RULE)
def test_the_order_in_which_things_became_known_changes_nothing(
    own: list[Ours], bills: list[Billed], rules: VendorRules
) -> None:
    billed = unique(bills)
    expected = reconcile(known(own, billed), PLAIN, rules), propose(known(own, billed), PLAIN, rules)
    for some in list(permutations(own))[:6]:
        for others in list(permutations(billed))[:6]:
            month = known(list(some), list(others))
            assert (reconcile(month, PLAIN, rules), propose(month, PLAIN, rules)) == expected

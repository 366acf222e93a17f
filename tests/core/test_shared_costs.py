"""Shared costs are divided by the method that was chosen, and nothing is lost: not a nano-dollar, not a cent."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chargeback.shared_costs import SharedPool, Shares, in_cents, paper, share_out
from app.core.chargeback.statement import Statement
from app.core.chargeback.terms import UNASSIGNED, Method, Sharing
from app.core.money import NANO_PER_CENT, ZERO, NanoUsd, per
from tests.core.statement_samples import MONTHS_STATEMENTS, fee, line, shared, statement, usd

ONE_TO_ONE_TO_ONE = {"api": usd("5.00"), "ops": usd("5.00"), "web": usd("5.00")}
# The first and the last one below $1 and $100 among them.
PRIMES = (2, 7, 97, 101, 9_973, 999_999_937, 99_999_999_977)


def pool(
    total: NanoUsd,
    method: Method,
    weights: Mapping[str, int] | None = None,
    key: str = "unassigned",
    used: Mapping[str, NanoUsd] | None = None,
) -> SharedPool:
    return SharedPool(key, key, Sharing(method, weights or {}), total, used or {})


def amounts(shares: Shares) -> dict[str, list[NanoUsd]]:
    return {name: [part.amount for part in parts] for name, parts in shares.taken.items()}


def test_example_c_gives_the_last_cost_center_the_cent() -> None:
    shares = share_out([pool(usd("100.00"), Method.PROPORTIONAL)], ONE_TO_ONE_TO_ONE)
    found = paper([statement(name, shares=parts) for name, parts in shares.taken.items()])
    assert [each.total_cents for each in found] == [3333, 3333, 3334]
    assert sum(each.total for each in found) == usd("100.00")


@pytest.mark.parametrize(
    ("method", "direct", "wanted"),
    [
        (Method.PROPORTIONAL, {"api": usd("30"), "web": usd("10")}, {"api": usd("6"), "web": usd("2")}),
        (Method.PROPORTIONAL, {"api": usd("30"), "web": ZERO}, {"api": usd("8")}),
        (Method.PROPORTIONAL, {"api": usd("30"), "web": NanoUsd(-usd("10"))}, {"api": usd("8")}),
        (Method.EVEN, {"api": usd("30"), "web": ZERO}, {"api": usd("4"), "web": usd("4")}),
        (Method.NONE, {"api": usd("30"), "web": ZERO}, {}),
        (Method.EVEN, {}, {}),
        (Method.PROPORTIONAL, {}, {}),
        (Method.EVEN, {"api": ZERO, UNASSIGNED: usd("9"), "shared:bots": usd("1")}, {"api": usd("8")}),
    ],
)
def test_a_method_decides_who_takes_what(
    method: Method, direct: dict[str, NanoUsd], wanted: dict[str, NanoUsd]
) -> None:
    shares = share_out([pool(usd("8"), method)], direct)
    assert amounts(shares) == {name: [amount] for name, amount in wanted.items()}
    left = sum(wanted.values())
    assert shares.distributed == {"unassigned": -left}
    assert shares.stayed == {"unassigned": usd("8") - left}


def test_a_fixed_method_also_charges_who_had_no_agent_run() -> None:
    shares = share_out([pool(usd("8"), Method.FIXED, {"api": 25, "idle": 75})], {"api": usd("1"), "web": usd("1")})
    assert amounts(shares) == {"api": [usd("2")], "idle": [usd("6")]}


def test_a_fixed_method_passes_over_who_has_no_percent() -> None:
    assert amounts(share_out([pool(usd("8"), Method.FIXED, {"api": 100, "web": 0})], {})) == {"api": [usd("8")]}


def test_of_equal_remainders_the_last_name_gets_the_nano_dollar_however_they_were_written() -> None:
    for names in ("abc", "cba", "bca"):
        shares = share_out([pool(NanoUsd(100), Method.FIXED, dict.fromkeys(names, 1))], {})
        assert amounts(shares) == {"a": [33], "b": [33], "c": [34]}


def test_without_direct_cost_a_proportional_method_shares_evenly_and_says_so() -> None:
    shares = share_out([pool(usd("8"), Method.PROPORTIONAL)], {"api": ZERO, "web": ZERO})
    parts = [part for parts in shares.taken.values() for part in parts]
    assert [(part.amount, part.fell_back, part.method) for part in parts] == [(usd("4"), True, "proportional")] * 2
    direct = share_out([pool(usd("8"), Method.PROPORTIONAL)], {"api": usd("1"), "web": ZERO})
    assert not direct.taken["api"][0].fell_back


def test_prepaid_credits_are_paid_by_who_used_them_and_evenly_where_nobody_did() -> None:
    direct = {"api": ZERO, "ops": usd("30"), "web": usd("90")}
    used = {"api": usd("3"), "web": usd("1"), "unassigned": usd("7"), "gone": usd("5")}
    shares = share_out([pool(usd("100"), Method.USE, used=used)], direct)
    assert amounts(shares) == {"api": [usd("75")], "web": [usd("25")]}
    assert (shares.taken["api"][0].weight, shares.taken["api"][0].weights) == (usd("3"), usd("4"))
    nobody = share_out([pool(usd("9"), Method.USE, used={"unassigned": usd("7")})], direct)
    assert [(name, part.amount, part.fell_back) for name, (part,) in nobody.taken.items()] == [
        (name, usd("3"), True) for name in ("api", "ops", "web")
    ]


def test_a_share_tells_its_weight_and_its_pool() -> None:
    shares = share_out([pool(usd("8"), Method.PROPORTIONAL, key="shared:bots")], {"api": usd("30"), "web": usd("10")})
    part = shares.taken["web"][0]
    assert (part.pool, part.label, part.pool_total) == ("shared:bots", "shared:bots", usd("8"))
    assert (part.weight, part.weights, part.cents) == (usd("10"), usd("40"), 0)


def test_the_shares_of_several_pools_stand_in_the_order_of_the_pools() -> None:
    pools = [pool(usd("8"), Method.EVEN, key=key) for key in ("unassigned", "subscription:Copilot", "shared:bots")]
    shares = share_out(pools, {"api": ZERO})
    assert [part.pool for part in shares.taken["api"]] == [each.key for each in pools]


def test_a_pool_without_cost_gives_nobody_a_share() -> None:
    shares = share_out([pool(ZERO, Method.EVEN)], {"api": ZERO})
    assert (shares.taken, shares.distributed, shares.stayed) == ({}, {"unassigned": 0}, {"unassigned": 0})


@pytest.mark.parametrize("total", [*PRIMES, *(-prime for prime in PRIMES)])
def test_a_prime_number_of_nano_dollars_has_one_to_a_thousand_parts(total: int) -> None:
    for count in range(1, 1001):
        names = {f"team-{number:04}": ZERO for number in range(count)}
        parts = [
            part.amount for own in share_out([pool(NanoUsd(total), Method.EVEN)], names).taken.values() for part in own
        ]
        assert (sum(parts), len(parts)) == (total, count)
        assert max(parts) - min(parts) <= 1


NAMES = st.text("abcdefgh", min_size=1, max_size=3)
DIRECT = st.dictionaries(NAMES, st.integers(-(10**6), 10**13).map(NanoUsd), max_size=12)
POOLS = st.lists(
    st.builds(
        pool,
        st.integers(-(10**15), 10**15).map(NanoUsd),
        st.sampled_from(Method),
        st.dictionaries(NAMES, st.integers(0, 10**8), max_size=5),
        st.sampled_from(["unassigned", "shared:a", "shared:b", "subscription:a"]),
        st.dictionaries(NAMES, st.integers(0, 10**12).map(NanoUsd), max_size=5),
    ),
    unique_by=lambda each: each.key,
    max_size=4,
)


@given(POOLS, DIRECT)
def test_what_is_taken_and_what_stays_is_what_there_was(pools: list[SharedPool], direct: dict[str, NanoUsd]) -> None:
    shares = share_out(pools, direct)
    for each in pools:
        taken = sum(part.amount for parts in shares.taken.values() for part in parts if part.pool == each.key)
        assert taken == -shares.distributed[each.key]
        assert taken + shares.stayed[each.key] == each.total
        assert shares.stayed[each.key] in {0, each.total}


@given(POOLS, DIRECT)
def test_nobody_gets_money_for_a_cost_or_pays_for_a_credit(pools: list[SharedPool], direct: dict[str, NanoUsd]) -> None:
    for parts in share_out(pools, direct).taken.values():
        for part in parts:
            assert part.amount == 0 or (part.amount > 0) == (part.pool_total > 0)


@given(POOLS, DIRECT)
def test_a_share_is_within_a_nano_dollar_of_the_exact_one(pools: list[SharedPool], direct: dict[str, NanoUsd]) -> None:
    for parts in share_out(pools, direct).taken.values():
        for part in parts:
            assert abs(part.amount - Fraction(part.pool_total * part.weight, part.weights)) < 1


@given(POOLS, DIRECT, st.randoms(use_true_random=False))
def test_the_order_in_which_cost_centers_are_known_changes_nothing(
    pools: list[SharedPool], direct: dict[str, NanoUsd], chance: Random
) -> None:
    def mixed(known: Mapping[str, int]) -> dict[str, int]:
        items = list(known.items())
        chance.shuffle(items)
        return dict(items)

    others = [replace(each, sharing=replace(each.sharing, weights=mixed(each.sharing.weights))) for each in pools]
    shares = share_out(others, {name: NanoUsd(amount) for name, amount in mixed(direct).items()})
    assert shares == share_out(pools, direct)
    assert list(shares.taken) == sorted(shares.taken)


@given(POOLS, DIRECT)
def test_a_pools_shares_do_not_depend_on_other_pools(pools: list[SharedPool], direct: dict[str, NanoUsd]) -> None:
    together = share_out(pools, direct)
    for each in pools:
        alone = share_out([each], direct)
        assert alone.taken == {
            name: own
            for name, parts in together.taken.items()
            if (own := tuple(part for part in parts if part.pool == each.key))
        }


# ---- cents ---------------------------------------------------------------------------------------------------------


@given(MONTHS_STATEMENTS)
def test_cents_add_up_from_parts_to_statements_to_the_month(statements: list[Statement]) -> None:
    found = paper(statements)
    assert sum(each.total_cents for each in found) == per(sum(each.total for each in found), NANO_PER_CENT)
    for each in found:
        groups = (each.lines, each.fees, each.shared, each.adjustments)
        parts = [part for group in groups for part in group]
        assert sum(part.cents for part in parts) + each.distributed_cents == each.total_cents
        in_nano = [(part.cents, part.amount) for part in parts]
        for shown, amount in (*in_nano, (each.distributed_cents, each.distributed), (each.total_cents, each.total)):
            assert abs(shown * NANO_PER_CENT - amount) < NANO_PER_CENT


@given(MONTHS_STATEMENTS, st.randoms(use_true_random=False))
def test_the_order_of_statements_changes_no_cent(statements: list[Statement], chance: Random) -> None:
    mixed = list(statements)
    chance.shuffle(mixed)
    assert paper(mixed) == paper(statements)


@given(MONTHS_STATEMENTS)
def test_on_paper_nothing_but_cents_changes(statements: list[Statement]) -> None:
    assert [(each.total, each.direct, each.adjusted) for each in paper(statements)] == [
        (each.total, each.direct, each.adjusted) for each in statements
    ]


def test_a_statement_without_anything_is_zero_cents() -> None:
    assert paper([statement()])[0].total_cents == 0


def test_cents_that_parts_cannot_add_up_to_are_refused() -> None:
    whole = statement(lines=[line(usd("1.00"))], fees=[fee(usd("2.00"))], shares=[shared(usd("3.00"))])
    assert in_cents(whole, 600).total_cents == 600
    with pytest.raises(ValueError, match="cannot be 599 cents"):
        in_cents(whole, 599)

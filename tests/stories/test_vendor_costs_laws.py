"""Readings of reports against a plain model of them: the last reading of a day counts, and every version is kept."""

from datetime import UTC, date, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.money import NanoUsd
from app.core.month import Month
from app.core.vendors.values import Bucket, VendorCost
from app.store.database import Database
from app.store.invoices import billed_by_bucket
from app.store.vendor_costs import Read, days_between, save_reading

MONTH = Month(2026, 10)
ACCOUNTS = count(1)
COSTS = st.dictionaries(
    st.tuples(st.sampled_from(["x", "y"]), st.sampled_from(["m", ""]), st.integers(1, 31)),
    st.integers(-(10**12), 10**15),
    max_size=8,
)
READINGS = st.lists(st.tuples(st.integers(1, 31), st.integers(1, 31), COSTS), min_size=1, max_size=6)
Key = tuple[str, str, int]


@given(READINGS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_counts_is_the_last_reading_of_each_day(
    sqlite: Database, readings: list[tuple[int, int, dict[Key, int]]]
) -> None:
    account_id = next(ACCOUNTS)
    model: dict[Key, int] = {}
    told: dict[Key, list[int]] = {}
    for number, (one, other, costs) in enumerate(readings):
        first, last = min(one, other), max(one, other)
        inside = {key: amount for key, amount in costs.items() if first <= key[2] <= last}
        model = {key: amount for key, amount in model.items() if not first <= key[2] <= last} | inside
        for key in {*told, *inside}:
            if first <= key[2] <= last:
                values = told.setdefault(key, [])
                values += [] if values and values[-1] == inside.get(key, 0) else [inside.get(key, 0)]
        days = days_between(date(2026, 10, first), date(2026, 10, last) + timedelta(days=1))
        read = [VendorCost(Bucket("v", a, m, MONTH, d), NanoUsd(amount)) for (a, m, d), amount in inside.items()]
        for _ in range(2):  # a repeat changes nothing
            with sqlite.transaction() as session:
                now = datetime(2026, 11, 1 + number, tzinfo=UTC)
                save_reading(session, Read(account_id, "v", days), read, now)
    with sqlite.reading() as session:
        found = billed_by_bucket(session, account_id, MONTH)
        past = session.connection().exec_driver_sql(
            "SELECT vendor_account, model, day, billed_nano_usd FROM vendor_cost_past WHERE account_id = ?"
            " ORDER BY version",
            (account_id,),
        )
        kept: dict[Key, list[int]] = {}
        for account, name, day, amount in past:
            kept.setdefault((account, name, day), []).append(amount)
        assert billed_by_bucket(session, account_id + 10**9, MONTH) == []
    assert {(b.bucket.account, b.bucket.model, b.bucket.day): b.billed for b in found if b.billed} == {
        key: amount for key, amount in model.items() if amount
    }
    assert kept == {key: values[:-1] for key, values in told.items() if len(values) > 1}

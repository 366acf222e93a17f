"""Vendors' reports over HTTP: whole or not at all, with limits as later times, and no key in any text."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from app.core.outcomes import Later, Refused
from app.core.vendors.accounts import AgentSpend
from app.core.vendors.values import Told
from app.vendors.connection import LONGEST_WAIT, MOST_RESTARTS, VendorFailed
from app.vendors.reports import Access, Asked, read_report
from tests.vendors.loopback import (
    COSTS,
    ENTERPRISE,
    KEY,
    OPENAI_COSTS,
    OPENAI_USAGE,
    USAGE,
    LoopbackVendor,
    Trouble,
    loopback_vendor,
)

NOW = datetime(2026, 11, 9, 4, tzinfo=UTC)
FIRST, LAST = date(2026, 10, 28), date(2026, 11, 3)
CI = AgentSpend("anthropic", frozenset({"wrkspc_ci"}))
BILLING = "/organizations/acme/settings/billing/ai_credit/usage"


@pytest.fixture
def vendor() -> Iterator[LoopbackVendor]:
    with loopback_vendor() as made:
        yield made


def read(vendor: LoopbackVendor, spend: AgentSpend = CI, key: str = KEY, last: date = LAST) -> Told:
    return read_report(Access(spend.vendor, vendor.url, key, lambda: NOW), Asked(spend, FIRST, last))


def by_day(told: Told) -> dict[str, int]:
    return {f"{each.bucket.month}-{each.bucket.day:02}": each.billed for each in told.costs}


def test_every_page_of_a_report_is_read(vendor: LoopbackVendor) -> None:
    for day in (FIRST, date(2026, 10, 31), LAST):
        vendor.spend(day, "250")
        vendor.spend(day, "999999", workspace="wrkspc_production")
    told = read(vendor)
    assert by_day(told) == {"2026-10-28": 2_500_000_000, "2026-10-31": 2_500_000_000, "2026-11-03": 2_500_000_000}
    assert told.left_out == 3
    assert [path for path, _ in vendor.asked] == [COSTS] * 3 + [USAGE] * 3
    question = vendor.asked[0][1]
    assert question["group_by[]"] == ["workspace_id", "description"]
    assert "workspace_ids[]" not in question  # the cost report cannot be asked so
    assert vendor.asked[-1][1]["workspace_ids[]"] == ["wrkspc_ci"]
    assert (question["starting_at"], question["ending_at"]) == (["2026-10-28T00:00:00Z"], ["2026-11-04T00:00:00Z"])


@pytest.mark.parametrize(
    "spend",
    [
        AgentSpend("anthropic", frozenset({"wrkspc_ci", "default"})),
        AgentSpend("anthropic", frozenset({"wrkspc_ci"}), frozenset({"apikey_1"})),
    ],
)
def test_usage_of_all_workspaces_is_asked_for_where_that_is_needed(vendor: LoopbackVendor, spend: AgentSpend) -> None:
    read(vendor, spend)
    assert all("workspace_ids[]" not in question for _, question in vendor.asked)


def test_paging_begins_again_when_the_figures_were_renewed_meanwhile(vendor: LoopbackVendor) -> None:
    vendor.spend(FIRST, "100")
    vendor.spend(LAST, "100")
    vendor.renew_after_pages = 1
    assert by_day(read(vendor)) == {"2026-10-28": 1_000_000_000, "2026-11-03": 1_000_000_000}
    assert [question.get("page") for path, question in vendor.asked if path == COSTS] == [
        None, ["0:3"], None, ["1:3"], ["1:6"],
    ]  # fmt: skip


def test_figures_that_are_renewed_all_the_time_are_read_later(vendor: LoopbackVendor) -> None:
    vendor.renew_after_pages = 100
    with pytest.raises(Later) as later:
        read(vendor)
    assert later.value.until == NOW + timedelta(minutes=1)
    assert len(vendor.asked) == 2 * MOST_RESTARTS


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"retry-after": "90"}, timedelta(seconds=90)),
        (429, {"retry-after": "1.5"}, timedelta(seconds=1.5)),
        (429, {"retry-after": "Mon, 09 Nov 2026 04:05:00 GMT"}, timedelta(minutes=5)),
        (429, {"retry-after": "soon"}, timedelta(minutes=1)),
        (429, {"retry-after": "-5"}, timedelta(seconds=1)),
        (429, {"retry-after": "1e9"}, LONGEST_WAIT),
        (429, {"retry-after": "inf"}, timedelta(minutes=1)),
        (429, {}, timedelta(minutes=1)),
        (529, {"retry-after": "7"}, timedelta(seconds=7)),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1794197400"}, timedelta(minutes=10)),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "x"}, timedelta(minutes=1)),
    ],
)
def test_a_limit_is_a_later_time_and_never_a_sleep(
    vendor: LoopbackVendor, status: int, headers: dict[str, str], wait: timedelta
) -> None:
    vendor.trouble[COSTS].append(Trouble(status, headers=headers))
    with pytest.raises(Later) as later:
        read(vendor)
    assert later.value.until - NOW == wait
    assert len(vendor.asked) == 1


@pytest.mark.parametrize(("status", "sentence"), [(401, "does not accept the key"), (403, "may not"), (404, "no such")])
def test_a_refusal_says_what_to_mend(vendor: LoopbackVendor, status: int, sentence: str) -> None:
    vendor.trouble[USAGE].append(Trouble(status))
    with pytest.raises(Refused, match=sentence):
        read(vendor)


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(500),
        Trouble(302, headers={"location": "http://127.0.0.1:1/"}),
        Trouble(200, b'{"data": [{"starting_at": "2026-10-'),
        Trouble(200, b"<html>"),
        Trouble(200, b"[]"),
        Trouble(200, b'{"data": {}}'),
        Trouble(200, b'{"data": [], "has_more": true, "next_page": null}'),
        Trouble(200, b'{"data": [7], "has_more": false}'),
        Trouble(200, b'{"data": [{"starting_at": "x", "results": [{"amount": "1", "currency": "USD"}]}]}'),
        Trouble(200, b'{"data": [], "has_more": true, "next_page": "0:3"}'),
        Trouble(200, b"[" * 100_000),
    ],
)
def test_an_answer_that_cannot_be_read_fails_and_gives_nothing(vendor: LoopbackVendor, trouble: Trouble) -> None:
    vendor.spend(FIRST, "100")
    vendor.trouble[COSTS].extend([trouble, Trouble(200, b'{"data": [], "has_more": true, "next_page": "0:3"}')])
    with pytest.raises(VendorFailed) as failed:
        read(vendor)
    assert KEY not in str(failed.value)


def test_a_vendor_that_does_not_answer_fails_without_a_word_of_the_key() -> None:
    with pytest.raises(VendorFailed) as failed:
        read(LoopbackVendor(url="http://127.0.0.1:1"))
    assert failed.value.__cause__ is None
    assert KEY not in repr(failed.value)
    assert KEY not in repr(Access("anthropic", "http://127.0.0.1:1", KEY, lambda: NOW))


def test_another_key_is_refused(vendor: LoopbackVendor) -> None:
    with pytest.raises(Refused):
        read(vendor, key="sk-ant-admin01-another0000000000")


def test_openai_is_asked_for_named_projects_alone(vendor: LoopbackVendor) -> None:
    amount = {"value": 1.25, "currency": "usd"}
    row = {"amount": amount, "line_item": "gpt-5-2025-08-07, input", "project_id": "proj_ci", "api_key_id": "key_1"}
    vendor.rows[OPENAI_COSTS][LAST].append(row)
    assert by_day(read(vendor, AgentSpend("openai", frozenset({"proj_ci"})))) == {"2026-11-03": 1_250_000_000}
    assert {path for path, _ in vendor.asked} == {OPENAI_COSTS, OPENAI_USAGE}
    assert all(question["project_ids[]"] == ["proj_ci"] for _, question in vendor.asked)


def test_openai_is_asked_for_all_where_keys_are_named_and_only_those_are_kept(vendor: LoopbackVendor) -> None:
    for key in ("key_bot", "key_shop"):
        amount = {"value": 2, "currency": "usd"}
        row = {"amount": amount, "line_item": "gpt-5, input", "project_id": "proj_shop", "api_key_id": key}
        vendor.rows[OPENAI_COSTS][LAST].append(row)
    told = read(vendor, AgentSpend("openai", frozenset(), frozenset({"key_bot"})))
    assert [(each.bucket.account, each.billed) for each in told.costs] == [("key_bot", 2_000_000_000)]
    assert told.left_out == 1


def test_github_is_asked_day_by_day(vendor: LoopbackVendor) -> None:
    item = {"sku": "coding_agent_ai_credit", "model": "GPT-5", "netAmount": 0.1, "grossAmount": 0.3}
    vendor.rows[BILLING][date(2026, 10, 29)].append(item)
    told = read(vendor, AgentSpend("github", frozenset({"acme"})), last=date(2026, 10, 29))
    assert [(each.bucket.day, each.billed, each.listed) for each in told.costs] == [(29, 100_000_000, 300_000_000)]
    assert [question["day"] for _, question in vendor.asked] == [["28"], ["29"]]


def test_claude_enterprise_is_asked_by_product_and_model_alone(vendor: LoopbackVendor) -> None:
    row = {"product": "claude_code", "model": "claude-opus-4-6", "currency": "USD", "amount": "41280.000000",
           "list_amount": "51600"}  # fmt: skip
    vendor.rows[ENTERPRISE][FIRST].append(row)
    told = read(vendor, AgentSpend("claude-enterprise", frozenset({"claude_code"})))
    assert by_day(told) == {"2026-10-28": 412_800_000_000}
    assert vendor.asked[0][1]["group_by[]"] == ["product", "model"]

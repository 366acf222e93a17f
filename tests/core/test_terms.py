"""What a file may say about paying, what it means, and what is told about its mistakes."""

from datetime import date
from pathlib import Path

import pytest

from app.core.chargeback.terms import Chargeback, CloseTerms, Method, Pattern
from app.core.config import CONFIDENTIAL
from app.core.money import NanoUsd
from app.core.month import Month
from tests.core.test_config import good, told

MISTAKES = Path(__file__).parents[1] / "data" / "chargeback_mistakes.txt"
CASES = [case.split("\n----\n") for case in MISTAKES.read_text(encoding="utf-8").split("====\n")]
DAY = date(2026, 10, 14)
WHOLE = """\
teams:
  pay: {repositories: [pay-*]}
cost_centers:
  property: Cost-Center
  centers:
    platform: {owners: ["@Bob"]}
    payments:
      label: Payments
      values: [PAY, 4711]
      owners: [Alice]
      workflows: [Widgets/fix.yml]
      teams: [pay]
      repositories: ["Pay-*", {match: Ledger, from: 2026-10-15, until: 2026-11-01}]
      chargeback_from: 2027-01
      account: 6400
      project: P-17
shared_costs:
  unassigned: {method: proportional}
  pools:
    bots: {method: fixed, percent: {payments: 33.4, platform: "66.6"}, agents: ["copilot*"]}
subscriptions:
  - {name: Team, vendor: anthropic, from: 2026-02-01, seats: 40, seat_fee_usd: 25.1, cost_center: payments}
  - {name: Credits, vendor: openai, from: 2026-01-01, until: 2026-04-01, kind: credits, monthly_usd: 0.3, method: even}
journal: {expense_account: 6400, delimiter: tab, decimal: ",", columns: [{Soll: debit}, {Haben: credit}]}
close: {day: 10, time_zone: Europe/Berlin, repository: finance, remind_after_days: [7, 3, 7], accept_after_days: 14}
"""


@pytest.mark.parametrize(("text", "sentences"), CASES, ids=[text for text, _ in CASES])
def test_a_mistake_is_told_with_its_line(text: str, sentences: str) -> None:
    assert told(text) == sentences.splitlines()


@pytest.mark.parametrize("setting", ["subscriptions: []", "journal: {delimiter: tab}"])
def test_what_is_agreed_with_others_is_refused_where_everybody_reads(setting: str) -> None:
    key = setting.partition(":")[0]
    assert told(setting, public=True) == [f"line 1: {key} {CONFIDENTIAL}"]


def test_a_file_without_a_word_means_the_defaults() -> None:
    assert good("comment: off").chargeback == Chargeback()


def test_a_cost_center_is_read_in_small_letters_where_case_does_not_count() -> None:
    terms = good(WHOLE).chargeback
    payments = terms.centers["payments"]
    assert list(terms.centers) == ["payments", "platform"]
    assert terms.property_name == "Cost-Center"
    assert (payments.label, terms.centers["platform"].label) == ("Payments", "platform")
    assert (payments.values, payments.owners, payments.teams) == (("PAY", "4711"), ("alice",), ("pay",))
    assert payments.workflows == (Pattern("widgets/fix.yml"),)
    assert payments.repositories == (Pattern("pay-*"), Pattern("ledger", date(2026, 10, 15), date(2026, 11, 1)))
    assert (payments.account, payments.project, terms.centers["platform"].account) == ("6400", "P-17", "")
    assert terms.centers["platform"].owners == ("bob",)


def test_chargeback_begins_with_its_month_and_never_without_one() -> None:
    centers = good(WHOLE).chargeback.centers
    assert [centers["payments"].charges(Month(*month)) for month in ((2026, 12), (2027, 1), (2028, 1))] == [
        False, True, True,
    ]  # fmt: skip
    assert not centers["platform"].charges(Month(2030, 1))


def test_percentages_are_exact_and_methods_known() -> None:
    terms = good(WHOLE).chargeback
    assert terms.unassigned.method is Method.PROPORTIONAL
    [bots] = terms.pools
    assert (bots.name, bots.sharing.method) == ("bots", Method.FIXED)
    assert bots.sharing.weights == {"payments": 33_400_000, "platform": 66_600_000}
    assert bots.agents == (Pattern("copilot*"),)


def test_a_fee_is_seats_times_their_price_or_an_amount() -> None:
    seats, credit = good(WHOLE).chargeback.subscriptions
    assert (seats.monthly, seats.seats, seats.kind, seats.cost_center) == (1_004 * 10**9, 40, "seats", "payments")
    assert (credit.monthly, credit.kind, credit.sharing.method) == (NanoUsd(300_000_000), "credits", Method.EVEN)


def test_a_fee_is_due_for_each_month_on_whose_first_day_it_holds() -> None:
    seats, credit = good(WHOLE).chargeback.subscriptions
    assert [seats.due(Month(2026, number)) for number in (1, 2, 12)] == [False, True, True]
    assert [credit.due(Month(2026, number)) for number in (1, 3, 4)] == [True, True, False]


@pytest.mark.parametrize(
    ("named", "agent", "repository", "day", "covered"),
    [
        ("", "codex", "widgets", DAY, False),
        ("agents: [codex]", "codex", "widgets", DAY, True),
        ("agents: [cod*]", "codex", "widgets", DAY, True),
        ("agents: [codex]", "claude-code", "widgets", DAY, False),
        ("repositories: [wid*]", "codex", "widgets", DAY, True),
        ("repositories: [pay-*]", "codex", "widgets", DAY, False),
        ("agents: [codex], repositories: [wid*]", "codex", "widgets", DAY, True),
        ("agents: [codex], repositories: [pay-*]", "codex", "widgets", DAY, False),
        ("agents: [codex]", "codex", "widgets", date(2026, 9, 30), False),
        ("agents: [codex]", "codex", "widgets", date(2026, 10, 1), True),
        ("agents: [codex]", "codex", "widgets", date(2026, 10, 31), True),
        ("agents: [codex]", "codex", "widgets", date(2026, 11, 1), False),
        ("repositories: [{match: widgets, from: 2026-10-15}]", "codex", "widgets", DAY, False),
        ("repositories: [{match: widgets, until: 2026-10-15}]", "codex", "widgets", DAY, True),
    ],
)
def test_a_subscription_covers_what_it_names_while_it_holds(
    named: str, agent: str, repository: str, day: date, covered: bool
) -> None:
    more = f", {named}" if named else ""
    [found] = good(
        "subscriptions:\n"
        f"  - {{name: T, vendor: v, from: 2026-10-01, until: 2026-11-01, monthly_usd: 1, method: none{more}}}"
    ).chargeback.subscriptions
    assert found.covers(agent, repository, day) is covered


def test_how_months_close_is_read() -> None:
    assert good(WHOLE).chargeback.close == CloseTerms(10, "Europe/Berlin", "finance", (3, 7), 14)


def test_a_journal_is_written_as_the_file_says() -> None:
    terms = good(WHOLE).chargeback.journal
    assert (terms.expense_account, terms.clearing_account) == ("6400", "AI-CLEARING")
    assert (terms.delimiter, terms.decimal, terms.columns) == ("\t", ",", (("Soll", "debit"), ("Haben", "credit")))


def test_only_what_decides_who_pays_is_among_the_payers_rules() -> None:
    terms = good(WHOLE).chargeback
    for before, after in (
        ("owners: [Alice]", "owners: [Carol]"),
        ("label: Payments", "label: Money"),
        ("account: 6400", "account: 6401"),
        ('percent: {payments: 33.4, platform: "66.6"}', "percent: {payments: 50, platform: 50}"),
        ("seats: 40", "seats: 41"),
    ):
        assert good(WHOLE.replace(before, after)).chargeback.payer_rules == terms.payer_rules
    for before, after in (
        ("property: Cost-Center", "property: team"),
        ("PAY, 4711", "PAY"),
        ("Widgets/fix.yml", "widgets/other.yml"),
        ("teams: [pay]", "teams: []"),
        ("until: 2026-11-01", "until: 2026-12-01"),
        ("copilot*", "codex"),
    ):
        assert good(WHOLE.replace(before, after, 1)).chargeback.payer_rules != terms.payer_rules

"""A month that has something of everything, as values: no database is needed to write its files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from app.commands.export import folder_of, write
from app.core.agreements import Discount
from app.core.chargeback.terms import Sharing, Subscription
from app.core.config import Config
from app.core.costing import costs_of
from app.core.focus.billing import Billing, Bucket, BucketKey
from app.core.focus.builder import Builder, Terms
from app.core.focus.catalogue import Catalogue, Deal, Used
from app.core.focus.columns import Version
from app.core.focus.description import InvoiceLine, State, description
from app.core.focus.fees import Amount, Credit, fee_of, told_amount, told_credit
from app.core.focus.origins import Allocation, Run
from app.core.focus.pulls import PullLine
from app.core.focus.rows import Basis, Invoice, Metered, Told
from app.core.focus.spread import NOTHING, Holding, Spot, Stated
from app.core.focus.view import View
from app.core.ledger import Book
from app.core.metrics import PullFate
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.pricing import PriceList
from app.core.usage import ModelCall, Tokens
from app.export.files import Format, opened

OCTOBER, SEPTEMBER = Month(2026, 10), Month(2026, 9)
ACCOUNT, LOGIN = 42, "acme"
HALF_HOUR_S = 1800
DISCOUNTED = Config(discounts=(Discount("openai", Decimal("0.125"), date(2026, 1, 1), None),))
LIST_OF_PRICES = cache(PriceList.load)


def at(day: int, hour: int = 9, minute: int = 0, month: Month = OCTOBER) -> datetime:
    return datetime(month.year, month.number, day, hour, minute, tzinfo=UTC)


def call(provider: str, model: str, when: datetime, tokens: Tokens, **more: Any) -> ModelCall:
    return ModelCall(provider, "", model, when, tokens, **more)


def summed(calls: Sequence[ModelCall], config: Config = DISCOUNTED) -> list[tuple[Deal, Used]]:
    """Calls as the store sums them: by what decides their price, each half hour."""
    prices = LIST_OF_PRICES()
    starts = sorted(prices.tier_starts({each.model for each in calls}))
    costs = costs_of(prices, config, calls)
    found: dict[Deal, Used] = {}
    for each, cost, listed, name in zip(calls, costs.contracted, costs.listed, costs.price_lists, strict=True):
        prompt = max((start + 1 for start in starts if each.tokens.prompt > start), default=0)
        half_hour = int(each.at.timestamp()) // HALF_HOUR_S
        deal = Deal(
            half_hour, each.provider, each.model, each.service_tier, each.speed, name, prompt, int(cost is not None),
            int(listed is not None),
        )  # fmt: skip
        used = Used(1, *each.tokens, each.web_searches, cost or 0, listed or 0)
        found[deal] = used if deal not in found else Used(*map(sum, zip(found[deal], used, strict=True)))
    return list(found.items())


def booked(used: Sequence[tuple[Deal, Used]]) -> int:
    return sum(each.cost for _, each in used)


def run(number: int, repository: str = "acme/payments", cost_center: str = "payments", **more: Any) -> Run:
    return Run(f"{number:032x}", more.pop("agent", "claude-code"), number, repository, **more, cost_center=cost_center)


def pull(number: int, repository: str = "acme/payments") -> Spot:
    return Spot(Book.PULL, number, repository)


SONNET = [
    call("anthropic", "claude-sonnet-4-5", at(5), Tokens(42_000, 5_200_0, 31_000, 700, 0, 6_100), web_searches=2),
    call("anthropic", "claude-sonnet-4-5", at(5, minute=40), Tokens(1_000, 230_000, 0, 0, 11, 900)),
    call("anthropic", "claude-sonnet-4-5", at(5, 23), Tokens(7, 0, 0, 0, 0, 3)),
]
GPT = [
    call("openai", "gpt-5", at(7), Tokens(420_001, 13, 0, 0, 0, 6_101, 4_000)),
    call("openai", "gpt-5-mini", at(8), Tokens(33, 1_000_003, 0, 0, 0, 17)),
]
GEMINI = [call("google", "gemini-2.5-flash-lite", at(9, n), Tokens(101 + n, 7, 0, 0, 0, 3 + n)) for n in range(9)]
BATCH = [call("anthropic", "claude-haiku-4-5", at(11), Tokens(1_001, output=77), service_tier="batch")]
UNKNOWN = [call("somebody", "model-of-nobody", at(12), Tokens(1_000, output=10))]
CREDITS = (
    Deal(int(at(13, 12).timestamp()) // HALF_HOUR_S, "github", "gpt-5", "standard", "standard", "GitHub AI credits"),
    Used(1, cost=123_456_789, list_cost=123_456_789),
)
SEATS = Subscription(
    "Copilot Business", "github", "seats", NanoUsd(228 * 10**9), 12, date(2026, 1, 1), None, "platform", Sharing()
)  # fmt: skip
CREDIT_PACK = Subscription(
    "Team credits", "anthropic", "credits", NanoUsd(100 * 10**9 + 1), 3, date(2026, 1, 1), None, "", Sharing()
)  # fmt: skip
LATE = [call("anthropic", "claude-sonnet-4-5", at(28, 10, month=SEPTEMBER), Tokens(50_000, output=4_000))]
SPLIT = Allocation("proportional", {"payments": 333, "platform": 666, "web": 1})


@dataclass
class Sample:
    """What `write` asks of a month, from values. `extra`: also what is corrected, shared and told."""

    view: View
    invoiced: bool = False
    config: Config = DISCOUNTED

    def __post_init__(self) -> None:
        allocations = {"shared:bots": SPLIT} if self.view.splits else {}
        billing = Billing(BUCKETS, OCTOBER, same_name) if self.invoiced else None
        self.builder = Builder(Catalogue(LIST_OF_PRICES(), self.config), Terms(OCTOBER, allocations, billing))

    def batches(self) -> Iterator[tuple[Metered, Metered]]:
        for stated, used in statements(self.config):
            self.builder.add(stated, used)
        yield self.builder.take()

    def told(self) -> list[Told]:
        rows = [fee_of(SEATS, OCTOBER), fee_of(CREDIT_PACK, OCTOBER)]
        rows += [
            told_amount(Amount("a1", "payments", SEPTEMBER, NanoUsd(-1_500_000_001), "owner was right", "dispute"))
        ]
        credit = Credit("c1", "anthropic", "Promotional credit", NanoUsd(-5 * 10**9))
        rows += [told_credit(credit, OCTOBER)]
        return rows + self.builder.rest()

    def pulls(self) -> list[PullLine]:
        merged = PullFate(1, 412, at(20), at(20))
        return [
            PullLine("acme/payments", "payments", merged, 1, 5, 7, 0),
            PullLine("acme/web", "web", PullFate(2, 7), 1, 0, 3, 0),
        ]

    def state(self) -> State:
        return State(False, at(30), self.builder.unpriced_calls)

    def invoice_lines(self) -> Sequence[InvoiceLine]:
        billed = Counter[Invoice]()
        for bucket in BUCKETS.values() if self.invoiced else ():
            billed[bucket.invoice] += bucket.billed
        return [
            InvoiceLine(*ISSUERS[each], each.invoice_id, each.detail_id, "API usage", "Usage", NanoUsd(amount), at(31))
            for each, amount in billed.items()
        ]


def statements(config: Config = DISCOUNTED) -> Iterator[tuple[Stated, list[tuple[Deal, Used]]]]:
    """What the month states. Each first run's holding is what is booked for it."""
    one, many, small, batch = (summed(calls, config) for calls in (SONNET, GPT, GEMINI, BATCH))
    yield whole(run(1, team="core", workflow=".github/workflows/agent.yml"), one, pull(412)), one
    cost = booked(many)
    shared: Holding = {pull(415): cost // 3, pull(7, "acme/web"): cost - cost // 3}
    yield Stated(run(2, agent="codex"), OCTOBER, shared), many
    yield whole(run(3, "acme/web", "web", agent="gemini-cli"), small, Spot(Book.UNATTRIBUTED)), small
    yield whole(run(4, "acme/bots", "shared:bots"), batch, Spot(Book.OVERHEAD)), batch
    unknown = summed(UNKNOWN, config)
    yield Stated(run(5), OCTOBER, {pull(412): 0}), unknown
    yield whole(run(6, agent="copilot-agent"), [CREDITS], pull(412)), [CREDITS]
    covered = summed(SONNET[:1], config)
    yield Stated(run(7), OCTOBER, {pull(412): booked(covered)}, NOTHING, "Claude Team"), covered
    late = summed(LATE, config)
    yield whole(run(8), late, Spot(Book.UNATTRIBUTED), SEPTEMBER), late
    moved = booked(late)
    yield Stated(run(9), SEPTEMBER, {pull(300): moved}, {Spot(Book.UNATTRIBUTED): moved}), late
    repriced = summed(BATCH, config)
    yield Stated(run(10), OCTOBER, {Spot(Book.ABANDONED): booked(repriced) + 1_000_000}), repriced


def whole(of: Run, used: Sequence[tuple[Deal, Used]], spot: Spot, month: Month = OCTOBER) -> Stated:
    return Stated(of, month, {spot: booked(used)})


def same_name(provider: str, model: str) -> tuple[str, str]:
    return provider, model


FIRST = int(OCTOBER.start.timestamp()) // HALF_HOUR_S


def _bucket(calls: Sequence[ModelCall], rate: Decimal, invoice: Invoice) -> dict[BucketKey, Bucket]:
    found: dict[BucketKey, int] = {}
    for deal, used in summed(calls):
        key = (deal.provider, deal.model, (deal.half_hour - FIRST) // 48 + 1)
        found[key] = found.get(key, 0) + used.cost
    return {key: Bucket(NanoUsd(int(cost * rate)), NanoUsd(cost), invoice) for key, cost in found.items()}


ANTHROPICS, OPENAIS = Invoice("ANT-2026-10-1", "ANT-2026-10-1-1"), Invoice("OAI-2026-10-1", "OAI-2026-10-1-1")
ISSUERS = {ANTHROPICS: ("anthropic", "Anthropic"), OPENAIS: ("openai", "OpenAI")}
BUCKETS = {
    **_bucket(SONNET, Decimal("0.9"), ANTHROPICS),
    **_bucket(GPT, Decimal("1.01"), OPENAIS),
}


def view(version: str = "1.4", **more: Any) -> View:
    return View(Version(version), OCTOBER, LOGIN, ACCOUNT, **more)


def delivered(folder: Path, told: View, kind: str = "parquet", invoiced: bool = False) -> Path:
    """The folder with the files of the sample."""
    write_to(str(folder), told, kind, invoiced)
    return folder / LOGIN / folder_of(told) / str(OCTOBER)


def write_to(url: str, told: View, kind: str = "parquet", invoiced: bool = False) -> None:
    sample = Sample(told, invoiced)
    delivery = opened(url, f"{LOGIN}/{folder_of(told)}/{OCTOBER}", Format(kind))
    datasets = write(sample, told, delivery)
    files = {name: {"Rows": each.rows, "SHA256": each.sha256} for name, each in delivery.files.items()}
    delivery.finish(description(told, sample.state(), datasets, files, at(30)))


SHOWN = Basis.SHOWN_AS_BILLED

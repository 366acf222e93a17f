"""How many model calls are priced in a second, in one thread: at list prices, with a discount, with own prices.

The calls are those of a long session: one model, prompts on both sides of a price tier, cache reads and writes, some of
them in fast mode or in a batch.
"""

import json
import time
from datetime import UTC, datetime, timedelta

from app.core.config import Config, in_force
from app.core.costing import costs_of
from app.core.pricing import PriceList
from app.core.usage import ModelCall, Tokens

CALLS = 100  # of one record
ROUNDS = 2_000
START = datetime(2026, 11, 20, tzinfo=UTC)
DISCOUNT = "discounts:\n- {provider: anthropic, percent: 12.5, from: 2026-01-01}\n"
OWN = "prices:\n- {provider: anthropic, model: claude-*, from: 2026-01-01, input: 2.55, output: 12.75}\n"


def measure(rounds: int = ROUNDS) -> dict[str, int]:
    """Model calls/s of the pricing alone, by what is agreed; nothing is read or written."""
    prices = PriceList.load()
    calls = [_call(number) for number in range(CALLS)]
    agreed = {"list": "", "discount": DISCOUNT, "own_price": OWN}
    return {
        f"{name}_calls_per_s": _speed(prices, in_force(text, False), calls, rounds) for name, text in agreed.items()
    }


def _call(number: int) -> ModelCall:
    tokens = Tokens(1_000 + number, 5_000 * number, 700, 30, 0, 900 + number, 200)
    tier, speed = ("batch" if number % 20 == 7 else "standard"), ("fast" if number % 20 == 13 else "standard")
    model = "claude-haiku-4-5" if number % 10 == 9 else "claude-sonnet-4-5-20250929"
    return ModelCall("anthropic", f"msg_{number}", model, START + timedelta(seconds=number), tokens, tier, speed)


def _speed(prices: PriceList, config: Config, calls: list[ModelCall], rounds: int) -> int:
    costs_of(prices, config, calls)
    began = time.perf_counter()
    for _ in range(rounds):
        costs_of(prices, config, calls)
    return round(rounds * len(calls) / (time.perf_counter() - began))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))

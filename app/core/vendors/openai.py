"""OpenAI's costs by project, key and line item, and its usage of completions.

https://platform.openai.com/docs/api-reference/usage. A line item begins with the model ("gpt-5-2025-08-07, input");
what is no model there is kept under its own words. Usage counts cached input within the input.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from app.core.money import NanoUsd
from app.core.usage import Tokens
from app.core.vendors.accounts import OPENAI, AgentSpend
from app.core.vendors.pages import buckets
from app.core.vendors.values import Bucket, Reader, Told, VendorCost, summed

DEFAULT_PROJECT = "default"
MODEL = re.compile(r"[a-z][a-z0-9.:_-]+, .+|(?=.*[0-9])[a-z][a-z0-9.:_-]+")


def vendor_costs(costs: Iterable[Any], usage: Iterable[Any], spend: AgentSpend) -> Told:
    """What of pages of GET /v1/organization/costs and /v1/organization/usage/completions is agent spend."""
    reader = Reader()
    found: list[VendorCost] = []
    left_out = 0
    for start, row in buckets(costs, reader, "start_time"):
        account = account_of(row, spend, reader)
        if not account:
            left_out += 1
            continue
        amount = row.get("amount")
        amount = amount if isinstance(amount, dict) else {}
        reader.currency(amount.get("currency"), "amount.currency")
        model = model_of(reader.text(row.get("line_item"), "line_item", missing=""))
        billed = reader.usd(amount.get("value"), "amount.value")
        found.append(VendorCost(Bucket.on(OPENAI, account, model, day_of(start, reader)), billed))
    for start, row in buckets(usage, reader, "start_time"):
        if account := account_of(row, spend, reader):
            model = reader.text(row.get("model"), "model", missing="")
            where = Bucket.on(OPENAI, account, model, day_of(start, reader))
            found.append(VendorCost(where, NanoUsd(0), None, _tokens(row, reader)))
    return Told(tuple(summed(found)), left_out, tuple(reader.mistakes))


def account_of(row: Mapping[str, Any], spend: AgentSpend, reader: Reader) -> str:
    """The project of a row where it is named, else its key where that is named; "" for another's."""
    project = reader.text(row.get("project_id"), "project_id", missing=DEFAULT_PROJECT)
    key = reader.text(row.get("api_key_id"), "api_key_id", missing="")
    return project if spend.takes(project) else key if key in spend.api_keys else ""


def model_of(line_item: str) -> str:
    """The model that a line item names; the whole of it where it names none."""
    return line_item.partition(",")[0] if MODEL.fullmatch(line_item) else line_item


def day_of(start: Any, reader: Reader) -> date:
    """The UTC day on which a bucket starts."""
    try:
        return datetime.fromtimestamp(int(start), UTC).date()
    except (TypeError, ValueError, OverflowError, OSError):
        reader.wrong("start_time is not a time")
        return date(2000, 1, 1)


def _tokens(row: Mapping[str, Any], reader: Reader) -> Tokens:
    whole = reader.count(row.get("input_tokens"), "input_tokens")
    cached = reader.count(row.get("input_cached_tokens"), "input_cached_tokens")
    if cached > whole:
        reader.wrong("input_cached_tokens are more than input_tokens, which hold them")
        return Tokens()
    return Tokens(
        input=whole - cached, cache_read=cached, output=reader.count(row.get("output_tokens"), "output_tokens")
    )

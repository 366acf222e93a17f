"""GitHub's AI credits: its answer for one organisation's day, and the same usage as the CSV that people download.

https://docs.github.com/en/rest/billing/usage and …/billing/reference/billing-reports. Net is billed, gross is what it
would have cost without the credits that the plan includes. No repository is told by the API.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from app.core.usage import Tokens
from app.core.vendors.accounts import GITHUB, AgentSpend
from app.core.vendors.sheet import Row
from app.core.vendors.values import Bucket, Reader, Told, VendorCost, summed

COLUMNS = ("date", "sku", "model", "gross_amount", "net_amount", "organization")
# A model that Copilot chose by itself is told as "Auto: GPT-5".
CHOSEN = "auto: "


def vendor_costs(body: Mapping[str, Any], organization: str, day: date, spend: AgentSpend) -> Told:
    """What of GET /organizations/{org}/settings/billing/ai_credit/usage of one day is agent spend."""
    reader = Reader(place="the answer")
    items = body.get("usageItems")
    if not isinstance(items, list):
        reader.wrong("has no usageItems")
        return Told(mistakes=tuple(reader.mistakes))
    found: list[VendorCost] = []
    left_out = 0
    for number, item in enumerate(items):
        reader.place = f"usageItems[{number}]"
        if not isinstance(item, dict):
            reader.wrong("is not an item")
            continue
        if not spend.takes_sku(reader.text(item.get("sku"), "sku")):
            left_out += 1
            continue
        where = Bucket.on(GITHUB, organization.lower(), model_of(item.get("model"), reader), day)
        billed, listed = (reader.usd(item.get(name), name) for name in ("netAmount", "grossAmount"))
        found.append(VendorCost(where, billed, listed))
    return Told(tuple(summed(found)), left_out, tuple(reader.mistakes))


def rows_told(rows: list[Row], spend: AgentSpend | None) -> Told:
    """What of the AI usage report is agent spend: rows of people, models and days."""
    reader = Reader()
    found: list[VendorCost] = []
    left_out = 0
    for row in rows:
        reader.place = row.place
        organization = reader.text(row.get("organization"), "organization").lower()
        sku = reader.text(row.get("sku"), "sku")
        if spend is None or not spend.takes(organization) or not spend.takes_sku(sku):
            left_out += 1
            continue
        where = Bucket.on(GITHUB, organization, model_of(row.get("model"), reader), reader.day(row.get("date"), "date"))
        billed, listed = (reader.usd(row.get(name), name) for name in ("net_amount", "gross_amount"))
        found.append(VendorCost(where, billed, listed, _tokens(row, reader)))
    return Told(tuple(summed(found)), left_out, tuple(reader.mistakes))


def model_of(value: Any, reader: Reader) -> str:
    """A model by GitHub's name of it, also where Copilot chose it."""
    name = reader.text(value, "model", missing="")
    return name[len(CHOSEN) :] if name.lower().startswith(CHOSEN) else name


def _tokens(row: Row, reader: Reader) -> Tokens:
    """The counts of a newer report; older ones have none."""
    return Tokens(
        input=reader.count(row.get("input"), "input"),
        cache_read=reader.count(row.get("cache_read"), "cache_read"),
        cache_write_other=reader.count(row.get("cache_write"), "cache_write"),
        output=reader.count(row.get("output"), "output"),
    )

"""Claude Enterprise's analytics of cost by product and model.

https://platform.claude.com/docs/en/api/admin/analytics/cost. Its amounts are after discounts and before credits.
Asked by product and model alone: groups of people overlap, and their sums exceed the total.
"""

from collections.abc import Iterable
from typing import Any

from app.core.vendors.accounts import CLAUDE_ENTERPRISE, AgentSpend
from app.core.vendors.anthropic import CENTS
from app.core.vendors.pages import buckets
from app.core.vendors.values import Bucket, Reader, Told, VendorCost, summed

# More groups than this are not told, and nothing says that some are missing.
MOST_GROUPS = 100
UNNAMED_PRODUCT = "other"


def vendor_costs(pages: Iterable[Any], spend: AgentSpend) -> Told:
    """What of pages of GET /v1/organizations/analytics/cost_report is agent spend, by product."""
    reader = Reader()
    whole = list(pages)
    found: list[VendorCost] = []
    left_out = 0
    for number, page in enumerate(whole, 1):
        for place, bucket in enumerate(page["data"]):
            if isinstance(bucket, dict) and len(bucket.get("results") or ()) >= MOST_GROUPS:
                reader.place = f"page {number}, data[{place}]"
                reader.wrong(f"has {MOST_GROUPS} groups, and Claude Enterprise tells no more: the sum is not certain")
    for start, row in buckets(whole, reader, "starting_at"):
        product = reader.text(row.get("product"), "product", missing=UNNAMED_PRODUCT)
        if not spend.takes(product):
            left_out += 1
            continue
        reader.currency(row.get("currency"))
        model = reader.text(row.get("model"), "model", missing="")
        where = Bucket.on(CLAUDE_ENTERPRISE, product, model, reader.day(start, "starting_at"))
        billed, listed = (reader.usd(row.get(name), name, per_usd=CENTS) for name in ("amount", "list_amount"))
        found.append(VendorCost(where, billed, listed))
    return Told(tuple(summed(found)), left_out, tuple(reader.mistakes))

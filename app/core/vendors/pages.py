"""The pages that Anthropic and OpenAI answer with: time buckets with results, and how to go on."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.vendors.values import Reader


@dataclass(frozen=True, slots=True)
class Page:
    """One answer and the cursor of the next one; "" on the last."""

    body: Mapping[str, Any]
    next: str


def page_of(body: Any) -> Page | None:
    """An answer as a page; None where it is none."""
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        return None
    cursor = body.get("next_page") or ""
    if not isinstance(cursor, str) or (body.get("has_more") is True and not cursor):
        return None
    return Page(body, cursor if body.get("has_more", bool(cursor)) else "")


def buckets(pages: Iterable[Any], reader: Reader, start: str) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Each result with the start of its time bucket; the reader's place is set to it."""
    for number, page in enumerate(pages, 1):
        for place, bucket in enumerate(page["data"]):
            reader.place = f"page {number}, data[{place}]"
            results = bucket.get("results") if isinstance(bucket, dict) else None
            if not isinstance(results, list):
                reader.wrong("has no list of results")
                continue
            for index, row in enumerate(results):
                reader.place = f"page {number}, data[{place}].results[{index}]"
                if isinstance(row, dict):
                    yield bucket.get(start), row
                else:
                    reader.wrong("is not a result")

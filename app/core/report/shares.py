"""Each agent run's share in each pull, as CSV (RFC 4180) for a spreadsheet. Exact, and with nothing that it would run.

A cell that begins as a formula does gets an apostrophe before it: names of models and teams come from outside.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from io import StringIO

from app.core.money import NanoUsd, usd

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Share:
    """A row. `cost_nano_usd` is None where nobody knows it; `pull` is None in the books that are no pull's.

    `cost_usd` is the same amount in decimals. The column sums to the month's charges.
    """

    month: str
    repository_id: int
    repository: str
    book: str
    pull: int | None
    pull_state: str
    pull_merged_at: datetime | None
    agent_run_id: str
    agent: str
    models: str
    team: str
    purpose: str
    workflow: str
    workflow_run_id: int
    workflow_run_attempt: int
    started_at: datetime
    provenance: str
    completeness: str
    unpriced_calls: int
    evidence: str
    evidence_label: str
    cost_nano_usd: NanoUsd | None
    cost_usd: str


COLUMNS = tuple(field.name for field in fields(Share))


def decimal_usd(amount: NanoUsd | None) -> str:
    """ "0.022500000": all nine digits; "" for None."""
    return "" if amount is None else f"{usd(amount):.9f}"


def csv_lines(shares: Iterable[Share]) -> Iterator[str]:
    """The head and a line for each share, each with its line end."""
    yield _line(COLUMNS)
    for share in shares:
        yield _line([_cell(value) for value in astuple(share)])


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    text = str(value).replace("\0", "")
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text


def _line(cells: Iterable[str]) -> str:
    out = StringIO()
    csv.writer(out).writerow(list(cells))
    return out.getvalue()

"""The statement as CSV: a row for each part of a line, whose amounts and whose cents each add up to the total.

Amounts are exact, in nano-USD and in USD; cents stand once for each line, on its first row. A text that a
spreadsheet would compute gets an apostrophe before it, and is text.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from app.core.chargeback.statement import Line, Proof
from app.core.money import NanoUsd
from app.core.report.escape import plain
from app.core.report.statement.paper import Paper
from app.core.report.statement.parts import adjustments
from app.core.report.statement.said import usd_decimal

COLUMNS = (
    "statement", "version", "account_id", "account", "month", "original_month", "cost_center", "mode", "row", "line",
    "part", "repository_id", "repository", "book", "pull", "agent", "model", "agent_runs", "item", "vendor", "method",
    "weight", "weights", "whole_nano_usd", "amount_nano_usd", "amount_usd", "cents", "covered_nano_usd", "covered_usd",
    "currency", "kind", "reason", "evidence", "ledger_entries", "ledger_sha256",
)  # fmt: skip
COMPUTED = re.compile(r"\s*[=+\-@＝＋－＠|%]")  # where a spreadsheet, or what opens it, may take a text for a formula
LONGEST_TEXT = 2_000


def table(paper: Paper) -> str:
    """The whole statement, with a head; lines end in CR LF as the format has it."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    same = _same(paper)
    writer.writerows({name: _cell(value) for name, value in {**same, **row}.items()} for row in _rows(paper))
    return text.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    shown = plain(value, LONGEST_TEXT)
    return f"'{shown}" if COMPUTED.match(shown) and not _is_number(shown) else shown


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def _same(paper: Paper) -> dict[str, Any]:
    """What every row says."""
    of = paper.statement
    return {
        "statement": of.number,
        "version": of.version,
        "account_id": of.account_id,
        "account": of.account,
        "month": str(of.month),
        "original_month": str(of.month),
        "cost_center": of.cost_center,
        "mode": "chargeback" if of.chargeback else "showback",
        "currency": of.currency,
    }


def _rows(paper: Paper) -> Iterator[dict[str, Any]]:
    statement = paper.statement
    for number, line in enumerate(statement.lines, 1):
        yield from _line(number, line)
    for fee in statement.fees:
        yield {"row": "fee", "item": fee.subscription, "vendor": fee.vendor, "kind": fee.kind, "cents": fee.cents,
               **_amount(fee.amount)}  # fmt: skip
    for share in statement.shared:
        yield {"row": "shared", "item": share.label or share.pool, "cents": share.cents, "weight": share.weight,
               "method": f"{share.method}, fell back to even" if share.fell_back else share.method,
               "weights": share.weights, "whole_nano_usd": share.pool_total, **_amount(share.amount)}  # fmt: skip
    for row in adjustments(statement):
        each = row.adjustment
        yield {
            "row": "adjustment", "line": row.number, "original_month": str(each.original), "kind": each.kind.value,
            "agent_runs": each.agent_runs, "reason": each.reason, "evidence": each.evidence, "cents": each.cents,
            **_place(each.repository_id, each.repository, each.book, each.number), **_amount(each.amount, each.covered),
            **_proof(each.proof),
        }  # fmt: skip
    if statement.distributed or statement.distributed_cents:
        yield {"row": "shared out", "cents": statement.distributed_cents, **_amount(statement.distributed)}


def _line(number: int, line: Line) -> Iterator[dict[str, Any]]:
    """A row for each part; what no part has, which should be nothing, in one more."""
    same = {"row": "line", "line": number, **_place(line.repository_id, line.repository, line.book, line.number)}
    parts = [(each.agent, each.model, each.agent_runs, each.amount, each.covered) for each in line.parts]
    rest = NanoUsd(line.amount - sum(each.amount for each in line.parts))
    covered = NanoUsd(line.covered - sum(each.covered for each in line.parts))
    if rest or covered or not parts:
        parts.append(("", "", 0 if parts else line.agent_runs, rest, covered))
    for part, (agent, model, agent_runs, amount, worth) in enumerate(parts, 1):
        told = {"part": part, "agent": agent, "model": model, "agent_runs": agent_runs, **_amount(amount, worth)}
        yield {**same, **told, **({"cents": line.cents, **_proof(line.proof)} if part == 1 else {})}


def _amount(amount: NanoUsd, covered: NanoUsd | None = None) -> dict[str, Any]:
    told = {"amount_nano_usd": amount, "amount_usd": usd_decimal(amount)}
    if covered is not None:
        told |= {"covered_nano_usd": covered, "covered_usd": usd_decimal(covered)}
    return told


def _place(repository_id: int, repository: str, book: str, number: int) -> dict[str, Any]:
    return {"repository_id": repository_id or "", "repository": repository, "book": book, "pull": number or ""}


def _proof(proof: Proof | None) -> dict[str, Any]:
    return {} if proof is None else {"ledger_entries": proof.entries, "ledger_sha256": proof.sha256}

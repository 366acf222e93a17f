"""What became of a month's work: token yield in one line, and where the money went by what came of it, folded."""

from collections.abc import Iterator
from fractions import Fraction

from app.core.money import NanoUsd
from app.core.report.numbers import Amounts, percent
from app.core.report.tables import folded, table
from app.core.report.values import MonthReport
from app.core.scope_metrics import Metrics
from app.core.yields import Dead, ShareClass

DEAD_ROWS = {
    Dead.REVERTED: "Reverted within 14 days",
    Dead.REJECTED: "Rejected: pull closed unmerged",
    Dead.ABANDONED: "Abandoned: no pull after 14 days",
    Dead.UNATTRIBUTED: "Unattributed: no pull yet, or a tie",
    Dead.SUPERSEDED_RETRY: "Superseded: replaced by a later attempt",
    Dead.FAILED: "Failed, timed out or cancelled",
}
MEANING = [
    "**Token yield**: of the output tokens whose work is decided, those for pulls that merged and stayed.",
    "**Retry tax**: cost of attempts that a later one replaced ÷ spend. **Support**: reviews, triage and CI fixes.",
]


def meaning(report: MonthReport) -> list[str]:
    """What its words mean, where the section is told."""
    return MEANING if report.metrics is not None and report.metrics.agent_runs else []


def became(report: MonthReport) -> Iterator[str]:
    """The section; nothing for a month without agent runs."""
    found = report.metrics
    if found is None or not found.agent_runs:
        return
    yield "### What became of it"
    yield _yield(found)
    if report.money and found.cost.cost > 0:
        yield _shares(found)
        yield folded("Spend by what became of it", _by_outcome(found))


def _yield(found: Metrics) -> str:
    yields, cache = found.yields, f"{_percent(found.cache_read_share)} of input from cache"
    if yields.insufficient:
        told = f"**Token yield**: insufficient, usage is known of {_percent(yields.coverage)} only"
    elif yields.generated is None:
        told = "**Token yield**: nothing is decided yet"
    else:
        told = f"**Token yield {_percent(yields.generated)}** (coverage {_percent(yields.coverage)})"
    return f"{told} · {cache}{_pending(found)}"


def _pending(found: Metrics) -> str:
    """Early in a month what failed is decided, and what merged is not: a yield says little then."""
    classes = found.yields.classes
    pending, output = classes[ShareClass.PENDING].output_tokens, sum(part.output_tokens for part in classes.values())
    return f" · {percent(pending, output)} of output not decided yet" if pending else ""


def _shares(found: Metrics) -> str:
    """Parts of the month's spend, in one line."""
    dead = percent(found.dead_total, found.cost.cost)
    support = f" · support {_percent(found.support_share)} of what counts" if found.support_share is not None else ""
    return f"Dead spend {dead} · retry tax {_percent(found.retry_tax)}{support}"


def _by_outcome(found: Metrics) -> str:
    rows = [(name, amount) for name, amount in _outcomes(found) if amount]
    amounts = Amounts.of([amount for _, amount in rows])
    lines = [
        [name, amounts.text([number]), percent(amount, found.cost.cost)] for number, (name, amount) in enumerate(rows)
    ]
    total = ["**Total**", f"**{amounts.total}**", ""]
    return table(["What became of it", "Spend", "Share"], "lrr", [*lines, total])


def _outcomes(found: Metrics) -> Iterator[tuple[str, NanoUsd]]:
    """The parts of the spend; together they are all of it."""
    kinds = found.yields.classes
    productive, support = kinds[ShareClass.PRODUCTIVE].cost, kinds[ShareClass.SUPPORT].cost
    yield "Merged and stayed", productive
    yield "Support of what merged and stayed", support
    yield from ((name, found.dead[why]) for why, name in DEAD_ROWS.items())
    yield "Not decided yet, or usage unknown", NanoUsd(found.cost.cost - productive - support - found.dead_total)


def _percent(part: Fraction | None) -> str:
    return "–" if part is None else percent(part.numerator, part.denominator)

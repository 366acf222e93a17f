"""The comment of the Action alone, without an App: what one job of one workflow run cost, and that it is no more.

Nobody adds up here: totals, evidence and months are the App's. Needs nothing but Python.
"""

from dataclasses import dataclass

from app.core.report import tables, words
from app.core.report.escape import code, codes, link
from app.core.report.numbers import count, tokens_text
from app.core.report.values import PullCost

NO_AMOUNTS = "No amounts: this repository is public, or nobody says that it is not. The input `show-money` allows them."


@dataclass(frozen=True, slots=True)
class Origin:
    """Which job of which workflow run the lines of a comment are from. Names come from outside."""

    workflow: str
    job: str
    run_id: int  # of the workflow run
    run_attempt: int
    run_url: str


def one_job(pull: PullCost, origin: Origin, marker: str) -> str:
    """The comment's Markdown with the hidden `marker` at its end. `pull` holds the agent runs of this job alone."""
    sheet = tables.Sheet.of(pull)
    parts = [
        f"{_headline(sheet)} · in one job of one workflow run",
        words.second_line(pull, sheet.lines, sheet.amounts),
        tables.by_agent(sheet),
        "\n".join(f"- {sentence}" for sentence in [*words.gaps(pull), *words.remarks(pull)]),
        f"<sub>{_whose(origin)}<br>{_basis(pull)}</sub>",
        marker,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(sheet: tables.Sheet) -> str:
    pull = sheet.pull
    used = pull.tokens.total
    if pull.money:
        figure = sheet.cost(range(len(sheet.lines))) if pull.cost_known else "cost unknown"
    else:
        figure = f"{tokens_text(used)} tokens" if used else "usage unknown"
    return f"**{figure}** · {count(len(pull.lines), 'agent run')}"


def _whose(origin: Origin) -> str:
    attempt = f", attempt {origin.run_attempt}" if origin.run_attempt > 1 else ""
    run = link(f"workflow run {code(str(origin.run_id))}", origin.run_url)
    return (
        f"Job {code(origin.job, 60)} of workflow {code(origin.workflow, 60)}, {run}{attempt}. It is this run alone: "
        "other runs and other jobs are not in it, and the job's next run replaces it. Totals need the Mergemeter App."
    )


def _basis(pull: PullCost) -> str:
    if not pull.money:
        return NO_AMOUNTS
    return f"Estimate, not an invoice · list prices: {codes(pull.price_lists, most=3)}"

"""The check run on a pull's head: title, summary and text.

Its conclusion is never red, and is the same before and after the merge: "success" when the figure is whole,
"neutral" when something is unknown, unpriced, incomplete, still running or tied equally well elsewhere. A cost is
not a fault; a red check on a merged pull could never be mended.
"""

from app.core.report import tables, words
from app.core.report.comment import bullets, details, footer
from app.core.report.escape import plain
from app.core.report.numbers import count
from app.core.report.values import Annotation, CheckOutput, PullCost

NAME = "Mergemeter"
LONGEST_TITLE = 255
LONGEST_TEXT = 65_535  # characters, for summary and text each


def check(pull: PullCost, annotations: tuple[Annotation, ...] = ()) -> CheckOutput:
    """The check of a pull; the same pull gives the same check."""
    sheet = tables.Sheet.of(pull)
    first = [words.headline(pull, sheet.amounts)]
    text = ""
    if pull.lines:
        first += [words.second_line(pull, sheet.lines, sheet.amounts), tables.by_agent(sheet)]
        text = "\n\n".join([details(sheet), "**How each was tied to this pull**", tables.ties(sheet)])
    first += [bullets(words.gaps(pull)), footer(pull)]
    return CheckOutput(
        name=NAME,
        title=plain(_title(pull, sheet), LONGEST_TITLE),
        summary="\n\n".join(part for part in first if part)[:LONGEST_TEXT],
        text=text[:LONGEST_TEXT],
        conclusion=conclusion(pull),
        annotations=annotations,
    )


def conclusion(pull: PullCost) -> str:
    """ "success" when the figure is whole, else "neutral"."""
    whole = pull.lines and pull.cost_complete and not pull.tied_candidates
    return "success" if whole else "neutral"


def _title(pull: PullCost, sheet: tables.Sheet) -> str:
    if not pull.lines:
        return "No agent run is tied to this pull"
    figure = words.figure(pull, sheet.amounts)
    return f"{figure[0].upper()}{figure[1:]} · {count(len(pull.lines), 'agent run')}"

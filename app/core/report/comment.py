"""The one comment on a pull: its text, and whether it is worth writing."""

from app.core.config import CommentMode
from app.core.facts import PullState
from app.core.money import NanoUsd
from app.core.report import tables, words
from app.core.report.numbers import count
from app.core.report.values import PullCost

LONGEST = 60_000  # characters; GitHub refuses above 65,536 by its own words
HOW_TO_STOP = "One comment, edited in place; `comment: off` in `mergemeter.yml` stops it."


def comment(pull: PullCost, marker: str) -> str:
    """The comment's Markdown with the hidden `marker` at its end; the same pull gives the same text."""
    sheet = tables.Sheet.of(pull)
    parts = [words.headline(pull, sheet.amounts)]
    if pull.lines:
        parts += [words.second_line(pull, sheet.lines, sheet.amounts), tables.by_agent(sheet)]
    parts += [bullets(words.gaps(pull))]
    if pull.lines:
        parts += [details(sheet), tables.folded("How each was tied to this pull", tables.ties(sheet))]
    parts += [footer(pull, HOW_TO_STOP)]
    return within("\n\n".join(part for part in parts if part), marker, LONGEST)


def wanted(pull: PullCost, mode: CommentMode, threshold: NanoUsd, stands: bool) -> bool:
    """Whether the comment is to be written. `stands`: it is on the pull already, and is then kept true.

    A new one needs a tied agent run, the mode's moment, and a cost that reaches the threshold or is not wholly
    known: what nobody knows is not small.
    """
    if mode is CommentMode.OFF:
        return False
    if stands:
        return True
    if not pull.lines or (mode is CommentMode.ON_MERGE and pull.state is not PullState.MERGED):
        return False
    return pull.cost >= threshold or not pull.cost_complete


def details(sheet: tables.Sheet) -> str:
    """The folded table of agent runs, with what there is to say about single ones."""
    content = "\n\n".join(part for part in (tables.runs(sheet), bullets(words.remarks(sheet.pull))) if part)
    return tables.folded(count(len(sheet.lines), "agent run"), content)


def footer(pull: PullCost, *more: str) -> str:
    """What kind of number this is, small."""
    said = [
        words.basis(pull.money, pull.discounted, pull.own_prices, pull.price_lists),
        words.unattributed(pull),
        *more,
    ]
    return "<sub>" + "<br>".join(sentence for sentence in said if sentence) + "</sub>"


def bullets(sentences: list[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def within(text: str, marker: str, longest: int) -> str:
    """The text with its marker; cut at a line's end, and saying so, in the case that should never come."""
    ending = f"\n\n{marker}\n"
    if len(text) + len(ending) <= longest:
        return text + ending
    cut = "\n\n… cut here: more than a comment can hold."
    kept = text[: longest - len(cut) - len(ending)]
    return kept[: kept.rfind("\n")] + cut + ending

"""Mermaid charts as GitHub draws them. A chart always stands beside the table of its numbers.

Refuses no text: titles, units and names have to be words of ours, or what `escape.label` made of others'.
Only what every version of Mermaid since 10.3 reads is written: xychart-beta, categories, one bar and one line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from json import dumps

BLUE = "#1f6feb"  # seen on GitHub's light and dark pages alike
# A line over bars, told apart from them in grey too.
LIGHT_BLUE, DARK_ORANGE = "#6ea8fe", "#a63d00"
MANY = 10_000 * 100  # from so many on an axis's numbers run into each other


@dataclass(frozen=True, slots=True)
class Axis:
    """The axis of the numbers, from 0 on: its unit, and how far it goes at least (hundredths of the unit)."""

    unit: str
    least: int = 100


def money(cents: Sequence[int]) -> tuple[list[int], Axis]:
    """Amounts as heights, and their axis: in USD, or in thousands of it."""
    if max(cents, default=0) < MANY:
        return list(cents), Axis("USD", 1)
    return [(each + 500) // 1000 for each in cents], Axis("thousand USD", 1)


def bars(title: str, names: Sequence[str], heights: Sequence[int], axis: Axis) -> str:
    """Horizontal bars. Heights are hundredths of the axis's unit, none below zero."""
    look = {"xyChart": {"height": 120 + 40 * len(names)}, "themeVariables": {"xyChart": {"plotColorPalette": BLUE}}}
    return _chart("xychart-beta horizontal", look, title, names, axis, [("bar", heights)])


def columns(
    title: str, names: Sequence[str], heights: Sequence[int], axis: Axis, line: Sequence[int] | None = None
) -> str:
    """Upright bars, and a line over them."""
    palette = BLUE if line is None else f"{LIGHT_BLUE}, {DARK_ORANGE}"
    look = {"xyChart": {"height": 320}, "themeVariables": {"xyChart": {"plotColorPalette": palette}}}
    plots = [("bar", heights), *([("line", line)] if line is not None else [])]
    return _chart("xychart-beta", look, title, names, axis, plots)


def _chart(
    kind: str,
    look: dict[str, object],
    title: str,
    names: Sequence[str],
    axis: Axis,
    plots: Sequence[tuple[str, Sequence[int]]],
) -> str:
    highest = max(axis.least, *(height for _, heights in plots for height in heights))
    lines = [
        "```mermaid",
        f"%%{{init: {dumps(look)}}}%%",
        kind,
        f'    title "{title}"',
        f"    x-axis {dumps(_told_apart(names))}",
        # Without its ends the axis would begin at the smallest bar.
        f'    y-axis "{axis.unit}" 0 --> {_decimal(highest)}',
        *(f"    {plot} [{', '.join(map(_decimal, heights))}]" for plot, heights in plots),
        "```",
    ]
    return "\n".join(lines)


def _told_apart(names: Sequence[str]) -> list[str]:
    """Mermaid draws categories of one name over each other, so the second one gets a number."""
    found: list[str] = []
    for name in names:
        number = 1
        while (shown := name if number == 1 else f"{name} {number}") in found:
            number += 1
        found.append(shown)
    return found


def _decimal(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02}"

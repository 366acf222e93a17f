"""Draws the Mermaid charts that we write, bars and columns with a line, so that a page looks as it does on GitHub.

What it cannot read stays text. Everything that is drawn is a number or escaped.
"""

import json
import re
from dataclasses import dataclass
from html import escape, unescape

BLOCK = re.compile(r'<pre><code class="language-mermaid">(?P<source>.*?)</code></pre>', re.DOTALL)
TITLE = re.compile(r'^\s*title (?P<value>"[^"\n]*")$', re.MULTILINE)
NAMES = re.compile(r"^\s*x-axis (?P<value>\[.*\])$", re.MULTILINE)
HIGHEST = re.compile(r'^\s*y-axis (?P<unit>"[^"\n]*") 0 --> (?P<value>\d+(?:\.\d+)?)$', re.MULTILINE)
BARS = re.compile(r"^\s*bar (?P<value>\[.*\])$", re.MULTILINE)
LINE = re.compile(r"^\s*line (?P<value>\[.*\])$", re.MULTILINE)
LABEL, WIDTH, ROW, TOP, FOOT, HEIGHT = 160, 600, 34, 34, 40, 220


def with_charts(html: str) -> str:
    """The HTML of a Markdown text with its bar charts drawn."""
    return BLOCK.sub(lambda found: _drawn(unescape(found["source"])) or found[0], html)


@dataclass(frozen=True, slots=True)
class Chart:
    """What a source says. `line`: a point for each bar, or none."""

    title: str
    labels: list[str]
    unit: str
    highest: str
    bars: list[float]
    line: list[float]


def _drawn(source: str) -> str | None:
    chart = _read(source)
    if chart is None:
        return None
    return _lying(chart) if "xychart-beta horizontal" in source else _upright(chart)


def _read(source: str) -> Chart | None:
    title, names, highest, bars = (pattern.search(source) for pattern in (TITLE, NAMES, HIGHEST, BARS))
    if "xychart-beta" not in source or not (title and names and highest and bars):
        return None
    over = LINE.search(source)
    try:
        labels = [str(label) for label in json.loads(names["value"])]
        sizes, line = ([float(size) for size in json.loads(row["value"] if row else "[]")] for row in (bars, over))
        title_text, unit = str(json.loads(title["value"])), str(json.loads(highest["unit"]))
    except (ValueError, TypeError):
        return None
    if len(sizes) != len(labels) or len(line) not in (0, len(labels)) or not labels:
        return None
    return Chart(title_text, labels, unit, highest["value"], sizes, line)


def _lying(chart: Chart) -> str:
    scale = WIDTH / max(float(chart.highest), *chart.bars, 0.01)
    rows = [_row(n, label, size * scale) for n, (label, size) in enumerate(zip(chart.labels, chart.bars, strict=True))]
    height = TOP + ROW * len(rows)
    axis = f'<path class="axis" d="M{LABEL} {TOP}V{height}H{LABEL + WIDTH}"/>'
    ends = _text(LABEL, height + 16, "0", "middle") + _text(LABEL + WIDTH, height + 16, chart.highest, "middle")
    unit = _text(LABEL + WIDTH / 2, height + 32, chart.unit, "middle")
    return _svg(chart, height + FOOT, "".join(rows) + axis + ends + unit)


def _upright(chart: Chart) -> str:
    scale = HEIGHT / max(float(chart.highest), *chart.bars, *chart.line, 0.01)
    step, base = WIDTH / len(chart.labels), TOP + HEIGHT
    middles = [LABEL + step * (n + 0.5) for n in range(len(chart.labels))]
    bars = "".join(
        f'<rect x="{x - step * 0.3:.1f}" y="{base - size * scale:.1f}" width="{step * 0.6:.1f}"'
        f' height="{size * scale:.1f}"/>{_text(x, base + 16, label, "middle")}'
        for x, label, size in zip(middles, chart.labels, chart.bars, strict=True)
    )
    points = " ".join(f"{x:.1f},{base - size * scale:.1f}" for x, size in zip(middles, chart.line or [], strict=False))
    line = f'<polyline class="line" points="{points}"/>' if points else ""
    axis = f'<path class="axis" d="M{LABEL} {TOP}V{base}H{LABEL + WIDTH}"/>'
    ends = _text(LABEL - 8, base, "0", "end") + _text(LABEL - 8, TOP + 8, chart.highest, "end")
    unit = _text(LABEL - 8, TOP + HEIGHT / 2, chart.unit, "end")
    return _svg(chart, base + FOOT, bars + line + axis + ends + unit)


def _svg(chart: Chart, height: float, drawn: str) -> str:
    head = _text(LABEL + WIDTH / 2, 18, chart.title, "middle", "title")
    size = f'viewBox="0 0 {LABEL + WIDTH + 40} {height:g}" width="{LABEL + WIDTH + 40}"'
    return f'<svg class="chart" role="img" {size}>{head}{drawn}</svg>'


def _row(number: int, label: str, length: float) -> str:
    y = TOP + ROW * number
    bar = f'<rect x="{LABEL}" y="{y + 6}" width="{length:.1f}" height="{ROW - 12}"/>'
    return _text(LABEL - 8, y + ROW / 2 + 4, label, "end") + bar


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'

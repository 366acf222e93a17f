"""Draws the one kind of Mermaid chart that we write, horizontal bars, so that a page looks as it does on GitHub.

What it cannot read stays text. Everything that is drawn is a number or escaped.
"""

import json
import re
from html import escape, unescape

BLOCK = re.compile(r'<pre><code class="language-mermaid">(?P<source>.*?)</code></pre>', re.DOTALL)
TITLE = re.compile(r'^\s*title (?P<value>"[^"\n]*")$', re.MULTILINE)
NAMES = re.compile(r"^\s*x-axis (?P<value>\[.*\])$", re.MULTILINE)
HIGHEST = re.compile(r'^\s*y-axis (?P<unit>"[^"\n]*") 0 --> (?P<value>\d+(?:\.\d+)?)$', re.MULTILINE)
BARS = re.compile(r"^\s*bar (?P<value>\[.*\])$", re.MULTILINE)
LABEL, WIDTH, ROW, TOP, FOOT = 160, 600, 34, 34, 40


def with_charts(html: str) -> str:
    """The HTML of a Markdown text with its bar charts drawn."""
    return BLOCK.sub(lambda found: _drawn(unescape(found["source"])) or found[0], html)


def _drawn(source: str) -> str | None:
    found = [pattern.search(source) for pattern in (TITLE, NAMES, HIGHEST, BARS)]
    title, names, highest, bars = found
    if "xychart-beta horizontal" not in source or not (title and names and highest and bars):
        return None
    try:
        labels, sizes = json.loads(names["value"]), [float(size) for size in json.loads(bars["value"])]
    except (ValueError, TypeError):
        return None
    scale = WIDTH / max(float(highest["value"]), *sizes, 0.01)
    rows = [_row(n, str(label), size * scale) for n, (label, size) in enumerate(zip(labels, sizes, strict=False))]
    height = TOP + ROW * len(rows)
    axis = f'<path class="axis" d="M{LABEL} {TOP}V{height}H{LABEL + WIDTH}"/>'
    ends = _text(LABEL, height + 16, "0", "middle") + _text(LABEL + WIDTH, height + 16, highest["value"], "middle")
    unit = _text(LABEL + WIDTH / 2, height + 32, json.loads(highest["unit"]), "middle")
    head = _text(LABEL + WIDTH / 2, 18, json.loads(title["value"]), "middle", "title")
    size = f'viewBox="0 0 {LABEL + WIDTH + 40} {height + FOOT}" width="{LABEL + WIDTH + 40}"'
    return f'<svg class="chart" role="img" {size}>{head}{"".join(rows)}{axis}{ends}{unit}</svg>'


def _row(number: int, label: str, length: float) -> str:
    y = TOP + ROW * number
    bar = f'<rect x="{LABEL}" y="{y + 6}" width="{length:.1f}" height="{ROW - 12}"/>'
    return _text(LABEL - 8, y + ROW / 2 + 4, label, "end") + bar


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'

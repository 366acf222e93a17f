"""The pictures as SVG inside a page: no request, patterns beside colours, a number at each bar, a text beside it.

Every text passes markupsafe.
"""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from app.core.report.escape import plain
from app.core.report.statement.pictures import Picture
from app.core.report.statement.said import cents_text

WIDTH, LEFT, TOP, FOOT = 640, 0, 16, 28
HEIGHT = 150  # of the columns
ROW, NAMES = 24, 190
LETTERS = 30

# Drawn once for a page; charts name them. Solid, hatched, and dense enough to be told apart in grey.
PATTERNS = Markup(
    '<svg class="patterns" aria-hidden="true" width="0" height="0"><defs>'
    '<pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="#fff"/><rect width="2.5" height="6" fill="#8a3b00"/></pattern>'
    "</defs></svg>"
)


def upright(picture: Picture, name: str) -> Markup:
    """Columns by month, one or two side by side, each with its number on top. `name` makes ids unique in the page."""
    highest = max(*picture.heights, *picture.others, 1)
    step = (WIDTH - LEFT) / len(picture.names)
    rows = [picture.heights, *([picture.others] if picture.others else [])]
    wide = min(64.0, step * 0.8 / len(rows))
    drawn = Markup().join(_columns(picture, rows, step, wide, highest))
    base = TOP + 14 + HEIGHT
    # Months stand beside each other, and so do the numbers of two columns.
    size = max(12.0, min(20.0, step / 5.2, wide / 2.5 if picture.others else 20.0))
    axis = Markup('<path class="axis" d="M{} {}H{}"/>').format(LEFT, base, WIDTH)
    return _figure(picture, name, base + FOOT, size, drawn + axis)


def _columns(
    picture: Picture, rows: Sequence[tuple[int, ...]], step: float, wide: float, highest: int
) -> Iterator[Markup]:
    base = TOP + 14 + HEIGHT
    for at, month in enumerate(picture.names):
        middle = LEFT + step * (at + 0.5)
        yield _text(middle, base + 22, month, "middle")
        for row, heights in enumerate(rows):
            x = middle + wide * (row - len(rows) / 2)
            height = HEIGHT * heights[at] / highest
            yield _bar(x, base - height, wide - 4, height, row)
            yield _text(x + (wide - 4) / 2, base - height - 4, _number(picture, heights[at]), "middle")


def lying(picture: Picture, name: str) -> Markup:
    """Bars from left to right, the name before and the amount behind each."""
    scale = (WIDTH - NAMES - 90) / max(*picture.heights, 1)
    drawn = Markup().join(
        _text(NAMES - 8, TOP + ROW * at + 15, plain(title, LETTERS), "end")
        + _bar(NAMES, TOP + ROW * at + 4, height * scale, ROW - 8, 0)
        + _text(NAMES + height * scale + 6, TOP + ROW * at + 15, _number(picture, height), "start")
        for at, (title, height) in enumerate(zip(picture.labels, picture.heights, strict=True))
    )
    return _figure(picture, name, TOP + ROW * len(picture.labels) + 8, 13.0, drawn)


FIGURE = Markup(
    '<figure><figcaption>{title}{legend}</figcaption><svg class="chart" role="img" aria-labelledby="{id}-t {id}-d"'
    ' viewBox="0 0 {width} {height}" font-size="{size}"><title id="{id}-t">{title}</title>'
    '<desc id="{id}-d">{words}</desc>{drawn}</svg>'
    "{beside}</figure>"
)


def _figure(picture: Picture, name: str, height: int, size: float, drawn: Markup) -> Markup:
    beside = Markup('<p class="dim">{}</p>').format(picture.beside) if picture.beside else ""
    return FIGURE.format(
        title=picture.title,
        legend=_legend(picture),
        id=name,
        width=WIDTH,
        height=height,
        size=f"{size:.1f}",
        words=described(picture),
        drawn=drawn,
        beside=beside,
    )


def _legend(picture: Picture) -> Markup:
    if not picture.others:
        return Markup(" <span class='dim'>({})</span>").format(picture.unit)
    swatch = Markup('<svg class="swatch" aria-hidden="true" viewBox="0 0 12 12">{}</svg> {}')
    return Markup(" ").join(
        Markup("<span class='legend'>{}</span>").format(swatch.format(_bar(0.5, 0.5, 11, 11, row), said))
        for row, said in enumerate(picture.legend)
    )


def described(picture: Picture) -> str:
    """What the picture shows, in words."""
    first, second = picture.legend
    points = []
    for at, name in enumerate(picture.labels):
        said = f"{first} {_number(picture, picture.heights[at])}".strip()
        other = f", {second} {_number(picture, picture.others[at])}" if picture.others else ""
        points.append(f"{plain(name, LETTERS)}: {said}{other}")
    return f"{'; '.join(points)}. {picture.beside}".strip()


def _number(picture: Picture, hundredths: int) -> str:
    return cents_text(hundredths) if picture.unit == "USD" else f"{(hundredths + 50) // 100} %"


def _bar(x: float, y: float, width: float, height: float, row: int) -> Markup:
    kind = "hatched" if row else "solid"
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        kind, x, y, width, height
    )


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, text)

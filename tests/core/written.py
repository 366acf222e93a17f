"""What stands on a written page: tables of Markdown and of HTML as cells, tags, attributes, amounts as cents."""

import re
from html.parser import HTMLParser

AMOUNT = re.compile(r"(−?)\$?([\d,]+)\.(\d\d)")


def cents_in(cell: str) -> int:
    """ "**−$1,234.56**" as cents. Raises ValueError for what is no amount."""
    found = AMOUNT.fullmatch(cell.strip().strip("*"))
    if found is None:
        raise ValueError(f"no amount: {cell!r}")
    size = int(found[2].replace(",", "")) * 100 + int(found[3])
    return -size if found[1] else size


def markdown_tables(text: str) -> list[list[list[str]]]:
    """The rows of each table below its head, as cells. A bar in a code span is none: code spans hold no bar."""
    tables: list[list[list[str]]] = []
    rows: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("| "):
            rows.append([cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")])
        elif rows:
            tables.append(rows[2:])
            rows = []
    return tables


class Written(HTMLParser):
    """An HTML file: its tags, attributes, styles, tables, and the text of everything."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.tables: list[list[list[str]]] = []
        self.totals: list[list[str]] = []
        self.text = ""
        self.style = ""
        self._in: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in {"meta", "br"}:
            self._in.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if self._in[-1:] != [tag]:
            raise ValueError(f"</{tag}> closes {self._in[-1:]}")
        self._in.pop()

    def handle_data(self, data: str) -> None:
        if "style" in self._in:
            self.style += data
            return
        self.text += data
        if {"td", "th"} & set(self._in):
            self.tables[-1][-1][-1] += data


def off_by(tables: list[list[list[str]]]) -> list[int]:
    """By how many cents the last column of each table that has a total is off it."""
    summed = [rows for rows in tables if rows and rows[-1][0].strip("*").startswith("Total")]
    return [
        sum(cents_in(row[-1]) for row in rows[:-1] if AMOUNT.fullmatch(row[-1].strip("*").strip()))
        - cents_in(rows[-1][-1])
        for rows in summed
    ]

"""Markdown as GitHub would show it: a real renderer, and then what GitHub itself would link in the finished page."""

import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

OURS = {
    "a", "br", "code", "details", "em", "h3", "hr", "li", "ol", "p", "pre", "strong", "sub", "summary",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
LINKED = {
    "mention or address": r"@[A-Za-z0-9_-]",
    "issue": r"#\d",
    "old issue": r"\bGH-\d",
    "commit": r"(?<![\w.,$])[0-9a-fA-F]{7,40}\b",
    "web address": r"(?i)\b(https?|ftp|mailto)://?|\bwww\.",
    "emoji": r":[a-z0-9_+-]+:",
    "maths": r"\$[^\d]|\$`",
    "invisible": r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u0000-\u0008]",
}


class Page(HTMLParser):
    """A rendered text: its tags, addresses, comments, and the words outside and inside of code."""

    def __init__(self, markdown: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.comments: list[str] = []
        self.outside = ""
        self.inside: list[str] = []
        self.depth = 0
        self.html = RENDERER.render(markdown)
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "code":
            self.depth += 1
            self.inside.append("")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "code"

    def handle_data(self, data: str) -> None:
        if self.depth:
            self.inside[-1] += data
        else:
            self.outside += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def harms(page: Page, url: str = "https://github.com/acme/widgets/actions/runs/") -> list[str]:
    """What the text does that it must not: tags that we never write, foreign addresses, things GitHub would link."""
    wrong = [f"tag {tag}" for tag in page.tags if tag not in OURS]
    wrong += [f"attribute {name}" for name, _ in page.attributes if name not in {"href", "style", "class"}]
    wrong += [
        f"link to {value}" for name, value in page.attributes if name == "href" and not (value or "").startswith(url)
    ]
    wrong += [f"{name}: {found[0]}" for name, pattern in LINKED.items() if (found := re.search(pattern, page.outside))]
    return wrong

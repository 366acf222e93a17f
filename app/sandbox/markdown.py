"""Markdown as GitHub shows it: tables, <details>, hidden comments, mentions; raw HTML cut to what is harmless.

An honest renderer: what gets through here gets through on GitHub. Images are named, never fetched.
"""

import re
from html import escape
from html.parser import HTMLParser
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

from app.sandbox.charts import with_charts

ALLOWED = (
    "h1 h2 h3 h4 h5 h6 br b i strong em a pre code tt div ins del sup sub p ol ul table thead tbody tfoot blockquote "
    "dl dt dd kbd q samp var hr ruby rt rp li tr td th s strike summary details caption figure figcaption abbr bdo "
    "cite dfn mark small span time wbr"
)
TAGS = frozenset(ALLOWED.split())
VOID = frozenset({"br", "hr", "wbr"})
SWALLOWED = frozenset({"script", "style", "iframe", "title", "textarea", "xmp", "noembed", "noframes", "plaintext"})
ATTRIBUTES = frozenset({"align", "title", "open", "colspan", "rowspan", "start", "lang", "dir", "width", "height"})
SCHEMES = frozenset({"", "http", "https", "mailto"})
LINKED = re.compile(
    r"(?P<url>\bhttps?://[^\s<>()]+)"
    r"|(?<![\w/@.`])@(?P<user>[a-zA-Z0-9][a-zA-Z0-9-]{0,38}(?:/[a-zA-Z0-9._-]+)?)"
    r"|(?<![\w/&])(?P<place>[\w.-]+/[\w.-]+)?#(?P<number>\d+)\b"
)


class Sanitizer(HTMLParser):
    """Writes HTML again with allowed tags only, balanced, and links the text between them."""

    def __init__(self, url: str, repository: str) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._url = url
        self._repository = repository
        self._open: list[str] = []
        self._swallowing: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._swallowing:
            return
        if tag in SWALLOWED:
            self._swallowing = tag
        elif tag == "img":
            given = dict(attrs)
            self.parts.append(f'<span class="image">image: {escape(given.get("alt") or given.get("src") or "")}</span>')
        elif tag in TAGS:
            self.parts.append(f"<{tag}{self._attributes(tag, attrs)}>")
            if tag not in VOID:
                self._open.append(tag)

    def _attributes(self, tag: str, attrs: list[tuple[str, str | None]]) -> str:
        kept = [f' {name}="{escape(value or "")}"' for name, value in attrs if name in ATTRIBUTES]
        aligned = re.fullmatch(r"text-align:(left|right|center)", dict(attrs).get("style") or "")
        if tag in {"td", "th"} and aligned:  # the table's own colons; GitHub writes them so
            kept.append(f' align="{aligned[1]}"')
        href = dict(attrs).get("href") if tag == "a" else None
        if href is not None and _harmless(href):
            kept.append(f' href="{escape(href)}" rel="nofollow"')
        language = dict(attrs).get("class") or ""
        if tag == "code" and re.fullmatch(r"language-[\w-]+", language):
            kept.append(f' class="{language}"')
        return "".join(kept)

    def handle_endtag(self, tag: str) -> None:
        if self._swallowing:
            self._swallowing = None if tag == self._swallowing else self._swallowing
        elif tag in self._open:
            while self._open[-1] != tag:
                self.parts.append(f"</{self._open.pop()}>")
            self.parts.append(f"</{self._open.pop()}>")

    def handle_data(self, data: str) -> None:
        if self._swallowing:
            return
        verbatim = {"a", "code", "pre", "tt", "kbd", "samp"} & set(self._open)
        self.parts.append(escape(data) if verbatim else self._linked(data))

    def _linked(self, text: str) -> str:
        parts, end = [], 0
        for found in LINKED.finditer(text):
            parts += [escape(text[end : found.start()]), self._link(found)]
            end = found.end()
        return "".join([*parts, escape(text[end:])])

    def _link(self, found: re.Match[str]) -> str:
        shown = escape(found[0])
        if found["url"]:
            return f'<a href="{shown}" rel="nofollow">{shown}</a>'
        if found["user"]:
            return f'<a class="mention" href="{self._url}/{escape(found["user"])}">{shown}</a>'
        place = found["place"] or self._repository
        return f'<a href="{self._url}/{escape(place)}/issues/{found["number"]}">{shown}</a>'

    def finished(self) -> str:
        """What was written, with every open tag closed."""
        self.close()
        while self._open:
            self.parts.append(f"</{self._open.pop()}>")
        return "".join(self.parts)


def _harmless(href: str) -> bool:
    try:
        return urlsplit(href.strip()).scheme.lower() in SCHEMES
    except ValueError:
        return False


def rendered(text: str | None, url: str, repository: str) -> str:
    """The text as harmless HTML. `url` is the sandbox's, `repository` the one that "#1" means."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    sanitizer = Sanitizer(url, repository)
    sanitizer.feed(parser.render(text or ""))
    return with_charts(sanitizer.finished())

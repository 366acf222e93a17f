"""Text from outside, made harmless for GitHub's Markdown. Nothing from outside reaches a page but through here.

GitHub links mentions, issue numbers, commit shas and addresses *after* Markdown, in the text of the finished
page, so neither a backslash nor an HTML entity stops it. It leaves the content of code alone: a code span is the
one container that stops mentions, references, addresses, emoji, maths, HTML and Markdown at once.

Refuses nothing: every string gives some text, never longer than its limit plus the marks around it.
"""

import re
import unicodedata

NOTHING = "–"
WORD = 80  # characters of a name before it is cut
SENTENCE = 300

# Not shown, or shown as space, though Unicode does not call them control or format characters.
INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    chr(point)
    for start, end in ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0000, 0xE0FFF))
    for point in range(start, end + 1)
)
GONE = {"Cc", "Cf", "Cs", "Co", "Cn"}  # controls, bidi and zero-width, halves of pairs, private, unassigned
MARKS = {"Mn", "Me"}
MARKS_IN_A_ROW = 2  # a letter needs no more; towers of them cover the lines around

PLAIN_WORD = re.compile(r"[(]?(?:[A-Za-z]{1,24}(?:['’][a-z]{1,2})?)[)]?[.,;:]?|[0-9]{1,6}[,;:]?")
LOGIN = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}(?:_[A-Za-z0-9]{1,20})?")  # the end: of managed users
SHA = re.compile(r"[0-9a-f]{7,}", re.IGNORECASE)


def plain(text: str, limit: int = WORD) -> str:
    """One line of visible characters, at most `limit` of them: for places where GitHub renders no Markdown."""
    return _cut(" ".join(_visible(text[: limit * 8]).split()), limit)


def code(text: str, limit: int = WORD) -> str:
    """A code span, safe in a sentence, a list, a link and a table cell; "–" for a text that shows nothing.

    Look-alikes replace what a code span in a table cannot hold (the backtick, the bar) and the openings and ends
    of HTML comments, so that a marker of ours is never found in what others wrote; and the colon behind a bracket, as
    a link that begins a paragraph with such a text would be read as the definition of a link, and vanish.
    """
    shown = plain(text, limit).replace("`", "'").replace("|", "¦")
    shown = shown.replace("<!", "‹!").replace("-->", "--›").replace("--!>", "--!›")
    shown = shown.replace("]:", "]∶")
    return f"`{shown}`" if shown else NOTHING


def prose(text: str, limit: int = SENTENCE) -> str:
    """A sentence: plain words stay, every word that could mean more to GitHub becomes a code span."""
    words: list[str] = []
    odd: list[str] = []
    for word in [*plain(text, limit).split(" "), ""]:
        harmless = not word or (PLAIN_WORD.fullmatch(word) and not SHA.search(word))
        if harmless and odd:
            span = " ".join(odd)
            stop = span[-1] if span[-1] in ".,;:" else ""
            words.append(code(span.removesuffix(stop), limit) + stop)
            odd = []
        (words if harmless else odd).append(word)
    return " ".join(word for word in words if word)


def mention(login: str) -> str:
    """A person told on purpose, "@alice": for the few who are asked for something. What is no login is a code span."""
    return f"@{login}" if LOGIN.fullmatch(login) else code(login)


def codes(texts: tuple[str, ...], most: int = 2, limit: int = 40) -> str:
    """A few names in a row: "`a`, `b` and 3 more"."""
    named = [text for text in texts if plain(text)]
    shown = ", ".join(code(text, limit) for text in named[:most])
    rest = len(named) - most
    return f"{shown} and {rest} more" if rest > 0 else shown or NOTHING


def label(text: str, limit: int = 24) -> str:
    """A name for a Mermaid diagram, to stand in quotes: letters of ASCII, digits and `._-` only."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", plain(text, limit * 2)).strip("-")
    return _cut(kept, limit).replace("…", "..") or "unnamed"


def link(shown: str, url: str) -> str:
    """A Markdown link on a page of our own making; without a link when the address is not a plain web address.

    `shown` is Markdown already (a code span, a word of ours).
    """
    return f"[{shown}]({url})" if re.fullmatch(r"https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._/%-]*)?", url) else shown


def _visible(text: str) -> str:
    shown: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in MARKS else 0
        if character.isspace() or category in {"Zl", "Zp"}:
            shown.append(" ")
        elif category not in GONE and character not in INVISIBLE and marks <= MARKS_IN_A_ROW:
            shown.append(character)
    return "".join(shown)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"

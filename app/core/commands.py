"""Commands that people write in a pull's conversation or on a statement's issue, as values.

It reads text: who may give them is no matter here.

Only what a reader of the finished page sees as a line of its own counts: nothing quoted, nothing in code, nothing that
HTML hides. Where this is stricter than Markdown, a command is not seen, which is safe; never the other way.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.core.facts import PullNumber

NAME = "/mergemeter"
LONGEST_REASON = 300
LONGEST_LINE = 1000
USAGE = (
    f"`{NAME} attribute <agent run's id or workflow run's address> [to #N] [because …]`, "
    f"`{NAME} detach <the same> [because …]` and `{NAME} explain`"
)
DECISIONS = f"`{NAME} accept`, `{NAME} accept v2` (that version and no other) and `{NAME} dispute <reason>`"
LINE_END = re.compile(r"\r\n|\r|\n")
STARTS = re.compile(rf"{NAME}(?![\w/-])")
FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
QUOTE = re.compile(r" {0,3}>")
BACKTICKS = re.compile(r"`+")
# What stands between these is shown as it is, or not at all, whatever lines there are in it.
# https://spec.commonmark.org/0.31.2/#html-blocks
HIDES = re.compile(r"<!--|<\?|<!\[CDATA\[|<(?:pre|script|style|textarea|code)\b", re.IGNORECASE)
ENDINGS = {"<!--": "-->", "<?": "?>", "<![cdata[": "]]>"}
# What a paragraph leaves open takes in its next lines: a tag's attributes, a link's title, a link's definition.
LEFT_OPEN = re.compile(r"<[A-Za-z/][^>]*\Z|\]\([^)]*\Z|\A {0,3}\[[^\]]+\]:")
RUN_ID = re.compile(r"[0-9a-f]{32}")
RUN_URL = re.compile(
    r"(?P<host>https?://[A-Za-z0-9.:-]+)/(?P<owner>[\w.-]{1,100})/(?P<name>[\w.-]{1,100})/actions/runs/(?P<run>[1-9]\d{0,17})"
    r"(?:/attempts/(?P<attempt>[1-9]\d{0,5}))?(?:/jobs?/(?P<job>[1-9]\d{0,17}))?/?(?:[?#]\S*)?",
    re.ASCII,
)
WORDS = re.compile(r"(?P<verb>attribute|detach)\s+(?P<target>\S+)(?P<rest>.*)", re.ASCII)
DECISION = re.compile(
    r"accept(?:\s+[vV](?P<version>[1-9]\d{0,5}))?|(?P<dispute>dispute)(?:\s+(?P<reason>\S.*))?", re.ASCII
)
REST = re.compile(r"(?:\s+to\s+#(?P<number>[1-9]\d{0,9}))?(?:\s+because\s+(?P<reason>\S.*))?", re.ASCII)


class UnreadableCommandError(ValueError):
    """The line is meant for us and is no command; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class WorkflowRunNamed:
    """A workflow run by its page's address: all its agent runs, or those of one attempt or one job."""

    host: str  # "https://github.com"
    owner: str
    name: str
    run_id: int
    attempt: int | None = None
    job_id: int | None = None


Target = str | WorkflowRunNamed  # an agent run's id, or a workflow run


@dataclass(frozen=True, slots=True)
class Attribute:
    """`number` None: the pull on which it was written."""

    target: Target
    number: PullNumber | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Detach:
    target: Target
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Explain:
    pass


@dataclass(frozen=True, slots=True)
class Accept:
    """`version` None: the one that is in force."""

    version: int | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """Of the version in force. `reason` "": none was given."""

    reason: str = ""


Command = Attribute | Detach | Explain
Decision = Accept | Dispute


def may_hold_command(body: str) -> bool:
    """Whether a comment is worth keeping: some line of it begins with our name. Cheap, and true for quoted ones too."""
    return any(STARTS.match(line) for line in LINE_END.split(body))


def command_in(body: str) -> Command | None:
    """The command in a comment, None where there is none. Raises UnreadableCommandError; two are no command."""
    line = _one_line(body)
    return None if line is None else command(line)


def decision_in(body: str) -> Decision | None:
    """What a comment on a statement's issue decides, None where it decides nothing. Raises as `command_in`."""
    line = _one_line(body)
    if line is None:
        return None
    said = line.removeprefix(NAME).strip()
    if len(said) > LONGEST_LINE:
        raise UnreadableCommandError(
            f"A command has at most {LONGEST_LINE} characters: give the reason in short, and the rest below it."
        )
    words = DECISION.fullmatch(said)
    if words is None:
        raise UnreadableCommandError(f"That is no command here; on a statement's issue there are {DECISIONS}.")
    if words["dispute"]:
        return Dispute(words["reason"] or "")
    return Accept(int(words["version"]) if words["version"] else None)


def _one_line(body: str) -> str | None:
    lines = [line.strip() for line in visible_lines(body) if STARTS.match(line)]
    if len(lines) > 1:
        raise UnreadableCommandError("This comment has several commands; write each in a comment of its own.")
    return lines[0] if lines else None


def command(line: str) -> Command:
    """What one line says. Raises UnreadableCommandError."""
    said = line.removeprefix(NAME).strip()
    if said == "explain":
        return Explain()
    if re.match(r"(?:accept|dispute)\b", said):
        raise UnreadableCommandError(f"That is for a statement's issue; here the commands are {USAGE}.")
    words = WORDS.fullmatch(said) if len(said) <= LONGEST_LINE else None
    rest = REST.fullmatch(words["rest"].rstrip()) if words else None
    if words is None or rest is None or (rest["number"] and words["verb"] == "detach"):
        raise UnreadableCommandError(f"That is no command; the commands are {USAGE}.")
    reason = (rest["reason"] or "")[:LONGEST_REASON]
    if words["verb"] == "detach":
        return Detach(target(words["target"]), reason)
    return Attribute(target(words["target"]), PullNumber(int(rest["number"])) if rest["number"] else None, reason)


def target(word: str) -> Target:
    """An agent run's id or a workflow run's address. Raises UnreadableCommandError."""
    bare = word.removeprefix("<").removesuffix(">").strip("`")
    if RUN_ID.fullmatch(bare):
        return bare
    found = RUN_URL.fullmatch(bare)
    if found is None:
        raise UnreadableCommandError("That is neither an agent run's id nor the address of a workflow run.")
    attempt, job = found["attempt"], found["job"]
    return WorkflowRunNamed(
        found["host"],
        found["owner"],
        found["name"],
        int(found["run"]),
        int(attempt) if attempt else None,
        int(job) if job else None,
    )


def visible_lines(body: str) -> Iterator[str]:
    """The lines that are neither in code, nor quoted, nor in HTML that hides them."""
    fence, hidden_until, paragraph, quoted = "", "", "", False
    for line in LINE_END.split(body):
        if fence:
            fence = "" if _closes(line, fence) else fence
        elif hidden_until:
            hidden_until = "" if hidden_until in line.lower() else hidden_until
        elif opening := FENCE.match(line):
            fence, paragraph, quoted = opening[1], "", False
        elif not line.strip():
            paragraph, quoted = "", False
        else:
            quoted = quoted or QUOTE.match(line) is not None  # a line right below a quote belongs to it
            if not quoted and not _is_open(paragraph):
                yield line
            paragraph += line + "\n"
            hidden_until = _hides_until(line)


def _closes(line: str, fence: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(fence) and set(bare) == {fence[0]} and len(line) - len(line.lstrip(" ")) <= 3


def _is_open(paragraph: str) -> bool:
    """Whether a code span, a tag or a link goes on in the next line."""
    return len(BACKTICKS.findall(paragraph)) % 2 == 1 or LEFT_OPEN.search(paragraph) is not None


def _hides_until(line: str) -> str:
    """What ends the HTML that a line leaves open; "" where it leaves none open."""
    until = ""
    for found in HIDES.finditer(line):
        opening = found[0].lower()
        ending = ENDINGS.get(opening, f"</{opening[1:]}")
        until = "" if ending in line[found.end() :].lower() else ending
        if until:
            break
    return until

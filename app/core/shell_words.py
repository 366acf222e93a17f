"""Which commands a shell script calls, read with the eye: no shell is built here, and nothing is run.

Looks for a few known names and errs on the side of not seeing one. Linear in the script's length.
"""

import re
from collections.abc import Container, Iterator

# What may stand before the command that counts; the words after an option of theirs may be its value.
BEFORE = frozenset({
    "sudo", "env", "exec", "time", "nohup", "nice", "timeout", "xvfb-run", "stdbuf", "bash", "sh", "eval", "retry",
    "if", "then", "else", "elif", "while", "until", "do", "!", "{", "--",
    "npx", "bunx", "pnpx", "uvx", "npm", "pnpm", "yarn", "bun", "pipx", "uv", "dlx", "x", "run", "tool",
})  # fmt: skip
INSTALLS = frozenset(("i", "ci", "install", "add", "upgrade", "update", "remove", "uninstall"))
# Asked for these, an agent calls no model.
NO_CALL = ("--version", "-v", "-V", "version", "--help", "-h", "help", "mcp", "login", "logout", "auth", "config",
           "update", "upgrade", "doctor", "extensions", "install", "plugin", "completion")  # fmt: skip
EXPRESSION = re.compile(r"\$\{\{[^}]{0,300}\}\}")
HERE_DOCUMENT = re.compile(r"""(?<!<)<<-?[ \t]{0,4}['"\\]?([A-Za-z_]\w*)""")
SEPARATOR = re.compile(r"[;|&]|\$\(")
COMMENT = re.compile(r"(^|\s)#.*")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
DURATION = re.compile(r"\d+[smh]?")
MOST_WORDS = 16


def commands(script: str, names: Container[str]) -> Iterator[str]:
    """Those of the names that the script calls, in its order: a program's, also by its path, or a package's."""
    for line in _lines(EXPRESSION.sub("_", script).replace("\\\n", " ")):
        for part in SEPARATOR.split(COMMENT.sub("", line)):
            found = _called(part.split(None, MOST_WORDS)[:MOST_WORDS], names)
            if found:
                yield found


def _lines(script: str) -> Iterator[str]:
    """The script's lines without the texts of its here-documents."""
    end = ""
    for line in script.splitlines():
        if end:
            end = "" if line.strip() == end else end
            continue
        yield line
        opened = HERE_DOCUMENT.search(line)
        end = opened[1] if opened else ""


def _called(words: list[str], names: Container[str]) -> str:
    """The name that a simple command calls, or ""."""
    before = value_follows = False
    for number, word in enumerate(words):
        plain = word.strip("\"'(){}`") or word
        name = _name(plain)
        if name in names:
            asked = words[number + 1].strip("\"'") if number + 1 < len(words) else ""
            return "" if asked in NO_CALL or asked.startswith("=") else name
        if plain in INSTALLS:
            return ""
        if plain in BEFORE:
            before, value_follows = True, False
        elif before and plain.startswith("-"):
            value_follows = True
        elif ASSIGNMENT.match(plain) or (before and DURATION.fullmatch(plain)):
            continue
        elif value_follows:
            value_follows = False
        else:
            return ""
    return ""


def _name(word: str) -> str:
    """A program without its path, a package without its version."""
    bare = word[:1] + word[1:].partition("@")[0]
    return bare if word.startswith("@") else bare.rpartition("/")[2]

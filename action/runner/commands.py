"""Speaks with the runner: workflow commands on standard output, and values through its files.

Refuses to let a value become a command, or end a value early.
"""

from __future__ import annotations

import os
import sys


def escape(message: str) -> str:
    """A message as the data of a workflow command: one line, nothing that starts another command."""
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace("##[", "# #[")


def say(kind: str, message: str) -> None:
    """Show a message on the job's page. Kind is notice, warning or error."""
    sys.stdout.write(f"::{kind} title=Mergemeter::{escape(message)}\n")
    sys.stdout.flush()


def fail(strict: bool, sentence: str) -> int:
    """One sentence, and a failed step (exit code 1) only for who asked for it."""
    say("error" if strict else "notice", sentence)
    return 1 if strict else 0


def put(file: str, name: str, value: str) -> None:
    """Add name and value to one of the runner's files (GITHUB_ENV, GITHUB_STATE, GITHUB_OUTPUT), whatever they hold."""
    delimiter = f"mergemeter_{os.urandom(16).hex()}"
    append(file, f"{name}<<{delimiter}\n{value}\n{delimiter}\n")


def append(file: str, content: str) -> None:
    """Add text to a file that the runner gave. Without a file, as outside a workflow, nothing happens."""
    if not file:
        return
    try:
        with open(file, "a", encoding="utf-8", errors="replace", newline="\n") as opened:
            opened.write(content)
    except OSError:
        say("notice", f"could not write to {os.path.basename(file)}")

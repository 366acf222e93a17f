"""What the demo says on the terminal: a line for each stage, then where to look."""

import shlex
import sys
import threading
import time
from collections.abc import Callable

from app.core.report.words import month_text
from app.demo.play import play, show
from app.demo.stage import APPS, FINANCE, GADGETS, PLATFORM, SUMMARY, WEBSITE, WIDGETS, Play

Write = Callable[[str], None]
FOR_BOOKS = ("DATABASE_URL", "GITHUB_WEB_URL")  # all that commands need which only read


def demo(write: Write, once: bool) -> None:
    """Play the story. `once` prints what stands on GitHub and ends; else the pages stay up until interrupted."""
    began = time.monotonic()

    def say(stage: str) -> None:
        write(f"[{time.monotonic() - began:5.1f} s] {stage}")

    play(say, lambda stage: _print(stage, write) if once else _stay(stage, write))
    say("Done")


def _print(stage: Play, write: Write) -> None:
    write(show(stage))


def _stay(stage: Play, write: Write) -> None:
    write(f"\n{where_to_look(stage)}\nCtrl-C ends it all.")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        write("")


def where_to_look(stage: Play) -> str:
    """The pages that are worth it, and how to go on from there."""
    pulls, server = stage.pulls, stage.server
    statement, waiting, summary = (
        stage.issue(*words) or {} for words in (PLATFORM, APPS, (*SUMMARY, month_text(stage.month)))
    )
    pages = {
        f"{WIDGETS}/pull/{pulls['limits']}": "a merged pull: its check, the note on the workflow line, its comment",
        f"{WIDGETS}/pull/{pulls['parser']}": "merged and then reverted",
        f"{GADGETS}/pull/{pulls['search']}": "closed without a merge: what it cost all the same",
        f"{GADGETS}/pull/{pulls['colours']}": "open: an agent answered a comment",
        f"{WEBSITE}/pull/{pulls['footer']}": "a public repository: no money anywhere",
        f"{FINANCE}/issues/{summary['number']}": "the month",
        f"{FINANCE}/issues/{statement['number']}": "a statement of the month before, accepted by its owner and booked",
        f"{FINANCE}/issues/{waiting['number']}": "a statement that waits for its owner's answer",
        "": "everything else",
    }
    wide = max(map(len, pages))
    settings = " ".join(f"MERGEMETER_{name}={server.environ[f'MERGEMETER_{name}']}" for name in FOR_BOOKS)
    number = statement["title"].removeprefix("Statement ").partition(":")[0]
    return "\n".join([
        "Look at",
        *(f"  {stage.gh.url}/{path:<{wide}}  {what}" for path, what in pages.items()),
        "Why is the first line of the booked statement what it is?",
        f"  {settings} {shlex.quote(sys.executable)} -m app statement why {number} 1",
        f"The App runs at {server.url} (its log: {server.log_file}).",
    ])  # fmt: skip

"""What the demo says on the terminal: a line for each stage, then where to look."""

import threading
import time
from collections.abc import Callable

from app.demo.play import Play, play, show

Write = Callable[[str], None]


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
    url = stage.gh.url
    write(f"""
Look at
  {url}/acme/widgets/pull/1      a merged pull: its check, the annotation on the workflow line, the comment
  {url}/acme/widgets/pull/2      merged and then reverted
  {url}/acme/gadgets/pull/1      closed without a merge: what it cost all the same
  {url}/acme/gadgets/pull/2      open: an agent answered a comment
  {url}/acme/website/pull/1      a public repository: no money anywhere
  {url}/acme/finance/issues/1    the month
  {url}/                         everything else
The App runs at {stage.server.url} (its log: {stage.server.log_file}).
Ctrl-C ends it all.""")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        write("")

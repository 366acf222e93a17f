"""The options of `attribute`, `detach` and `links`. Apart from what they do, so that other commands load none of it."""

from collections.abc import Callable
from typing import Any


def add_parsers(command: Callable[[str, str], Any]) -> None:
    """The options of the three commands; `command` makes a parser from a name and a sentence."""
    attribute = command("attribute", "Say by hand which pull an agent run belongs to; a running worker moves its cost")
    detach = command("detach", "Say by hand that an agent run belongs to no pull")
    links = command("links", "What people decided of an agent run, the oldest first: the last is in force")
    for parser in (attribute, detach, links):
        parser.add_argument(
            "agent_run", help="an agent run's id, or the address of a workflow run, an attempt or a job"
        )
        parser.add_argument("--account", help="login or id; default: the one that knows it")
    attribute.add_argument("--to", required=True, help="the pull, as acme/widgets#12")
    for parser in (attribute, detach):
        parser.add_argument("--because", required=True, help="the reason: it is kept, and shown on the pull")
        parser.add_argument("--by", default="", help="who decides; default: the user of this machine")

"""The month before: its work, and how it closes into statements, which an owner accepts and a journal books.

Its jobs run on runners whose clocks stood there, and GitHub's dates are of that time. The App takes it all in now.
"""

from datetime import timedelta

from app.demo.stage import APPS, FINANCE, GADGETS, GATEWAY, PLATFORM, WEBSITE, WIDGETS, Job, Play, claude, codex
from app.demo.workflows import OWNER

# More than 14 days before the month's end: what merged has stayed then, what has no pull is abandoned.
DAY = timedelta(days=9, hours=9)
HOUR_S = 3600
KEEPER = "joan"


def work(stage: Play) -> None:
    """Pulls of two cost centers, one of nobody's repository, one that is given up, and a nightly job."""
    gh = stage.gh
    keys = gh.open_pull(WIDGETS, "passkeys", title="Sign in with passkeys", files={"passkeys.py": "1\n"})
    retry = gh.open_pull(GATEWAY, "retry", title="Retry with backoff", files={"retry.py": "1\n"})
    export = gh.open_pull(GADGETS, "export", title="Export gadgets as CSV", files={"export.py": "1\n"})
    icon = gh.open_pull(WEBSITE, "icon", title="A new icon", files={"icon.svg": "1\n"})
    stage.run([
        Job(WIDGETS, "author", "author", (claude("b1", 60), claude("b2", 35)), keys),
        Job(WIDGETS, "review", "review", (codex("s1", 15),), keys),
        Job(GATEWAY, "author", "author", (claude("b3", 28),), retry),
        Job(GATEWAY, "nightly", "triage", (claude("b4", 22, "claude-haiku-4-5-20251001"),), None, "schedule"),
        Job(GADGETS, "author", "author", (claude("b5", 25, "claude-opus-4-5-20251101"),), export, team="apps"),
        Job(WEBSITE, "author", "author", (claude("b6", 12),), icon),
    ])  # fmt: skip
    gh.advance(HOUR_S)
    for repository, number in ((WIDGETS, keys), (GADGETS, export), (WEBSITE, icon)):
        gh.merge(repository, number, "squash")
    gh.close(GATEWAY, retry)
    stage.settle()


def close(stage: Play) -> None:
    """Close the month, let an owner accept a statement, book it, and hold everything against the books."""
    gh, server, month = stage.gh, stage.server, str(stage.month.previous)
    stage.say(f"Close: python -m app period close {month}, and an owner accepts a statement on its issue")
    stage.told["check"] = server.command("period", "check", month)
    stage.told["close"] = server.command("period", "close", month, "--by", KEEPER)
    found = stage.wait("the statements", lambda: stage.issue(*APPS) and stage.issue(*PLATFORM))
    stage.settle()
    gh.comment(FINANCE, found["number"], OWNER, "/mergemeter accept")
    stage.wait("the accepted statement", lambda: (stage.issue(*PLATFORM) or {}).get("state") == "closed")
    stage.settle()
    stage.told["journal"] = server.command("journal", "post", month, "--by", KEEPER)
    stage.wait("the booked statement", lambda: "**Booked by" in (stage.issue(*PLATFORM) or {}).get("body", ""))
    stage.told["verify"] = server.command("verify").strip()
    stage.say(f"Verify: {stage.told['verify']}")

"""The story that the demo plays: two months of one organisation, from the first job to a statement that is booked.

Everything is real but GitHub and the models: webhooks are signed and delivered, the Action runs as a process and
sends signed tokens, the App is a process of its own on SQLite.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.core.report.words import month_text
from app.demo import last_month
from app.demo.server import Server
from app.demo.stage import (
    FINANCE,
    GADGETS,
    ORGANISATION,
    PLACES,
    PLATFORM,
    SUMMARY,
    WEBSITE,
    WIDGETS,
    Job,
    Play,
    Say,
    claude,
    codex,
)
from app.demo.workflows import CONFIG, FILES, OWNERS
from app.sandbox import Sandbox


def play(say: Say, after: Callable[[Play], None]) -> None:
    """Play the story in a folder that is removed afterwards, then hand the stage to `after`."""
    with tempfile.TemporaryDirectory(prefix="mergemeter-demo-") as name, Sandbox() as gh:
        folder = Path(name)
        say("GitHub on loopback: an organisation with four repositories where agents work")
        app = gh.register_app(slug="mergemeter")
        say("App: migrating SQLite and starting")
        with Server(folder, gh.url, gh.oidc_issuer, app) as server:
            gh.set_hook_url(f"{server.url}/webhooks/github")
            stage = Play(gh, server, folder, say)
            before = stage.month.previous
            say(f"{month_text(before)}: agents work on four pulls and by night; three merge")
            stage.turn_to(before.start + last_month.DAY)
            _repositories(gh)
            gh.install(ORGANISATION)
            stage.settle()
            last_month.work(stage)
            stage.turn_to(None)
            _act(stage)
            last_month.close(stage)
            after(stage)


def _repositories(gh: Sandbox) -> None:
    gh.create_account(ORGANISATION)
    for repository in PLACES:
        gh.create_repository(repository, files=FILES)
    gh.create_repository(WEBSITE, visibility="public", files=FILES)
    gh.create_repository(f"{ORGANISATION}/.github-private", files={"mergemeter.yml": CONFIG})
    gh.create_repository(FINANCE)
    for owner in OWNERS:
        gh.create_account(owner, "User")
        gh.permit(FINANCE, owner, "read")


def _act(stage: Play) -> None:
    gh, say = stage.gh, stage.say
    say(f"{month_text(stage.month)}: five pulls are opened")
    limits = gh.open_pull(WIDGETS, "claude/rate-limits", title="Limit requests per client", files={"limits.py": "1\n"})
    parser = gh.open_pull(WIDGETS, "faster-parser", title="A faster parser", files={"parser.py": "1\n"})
    search = gh.open_pull(GADGETS, "search", title="Search in all gadgets", files={"search.py": "1\n"})
    colours = gh.open_pull(GADGETS, "colours", title="Gadgets have colours", files={"colours.py": "1\n"})
    footer = gh.open_pull(WEBSITE, "footer", title="A footer for every page", files={"footer.html": "1\n"})
    stage.pulls = {"limits": limits, "parser": parser, "search": search, "colours": colours, "footer": footer}

    say("Agents: the real Action records nine jobs of Claude Code and Codex")
    gh.comment(GADGETS, colours, "ada", "@claude make them readable")
    jobs = [
        Job(WIDGETS, "author", "author", (claude("a1", 40), claude("a2", 25)), limits),
        Job(WIDGETS, "review", "review", (codex("r1", 12),), limits),
        Job(WIDGETS, "author", "author", (claude("a3", 30),), parser),
        Job(GADGETS, "author", "author", (claude("a4", 35, "claude-opus-4-5-20251101"),), search),
        Job(GADGETS, "answer", "author", (claude("a5", 20),), colours, "issue_comment", "apps"),
        Job(GADGETS, "nightly", "triage", (claude("a6", 15, "claude-haiku-4-5-20251001"),), None, "schedule", ""),
        Job(WEBSITE, "author", "author", (claude("a7", 8),), footer),
    ]
    stage.run(jobs)
    say("Pushes: one pull gets another commit, and its check follows")
    gh.push_to_pull(WIDGETS, limits, {"limits.py": "2\n"}, message="Tell clients when to come back")
    stage.run([
        Job(WIDGETS, "author", "author", (claude("a8", 20), codex("r2", 8)), limits),
        Job(WIDGETS, "review", "review", (codex("r3", 9),), limits),
    ])  # fmt: skip

    say("Merges: three pulls merge, one of them is reverted, one is closed without a merge")
    for repository, number, method in (
        (WIDGETS, limits, "squash"),
        (WIDGETS, parser, "merge"),
        (WEBSITE, footer, "rebase"),
    ):
        gh.merge(repository, number, method)
    gh.close(GADGETS, search)
    gh.merge(WIDGETS, gh.revert(WIDGETS, parser), "squash")
    stage.wait("the comment", lambda: gh.comments(WIDGETS, limits))
    stage.wait("the comment", lambda: gh.comments(WEBSITE, footer))
    stage.wait("the check", lambda: gh.checks(WIDGETS, limits))
    stage.wait("the check of the answering agent", lambda: gh.checks(GADGETS, colours))

    stage.settle()  # no comment tells of a revert

    say(f"Month: python -m app summary {stage.month}")
    stage.server.command("summary", str(stage.month))
    stage.wait("the summary", lambda: stage.issue(*SUMMARY, month_text(stage.month)))


def show(stage: Play) -> str:
    """The merged pull's comment and check, the month's summary, and what came of the month before, as Markdown."""
    gh, limits, before = stage.gh, stage.pulls["limits"], stage.month.previous
    comment = gh.comments(WIDGETS, limits)[0]["body"]
    check = gh.checks(WIDGETS, limits)[-1]
    issues = stage.issue(*SUMMARY, month_text(stage.month)), stage.issue(*PLATFORM)
    parts = [
        _heading(f"The comment on {WIDGETS}#{limits}"), comment,
        _heading(f"The check on {WIDGETS}#{limits}: {check['output']['title']} ({check['conclusion']})"),
        check["output"]["summary"], *map(_annotation, check["annotations"]),
        _heading(f"What was found before {month_text(before)} closed"), stage.told["check"],
        *(part for issue in issues if issue for part in (_issue(issue), issue["body"])),
        _heading(f"The journal of {month_text(before)}"), stage.told["journal"],
    ]  # fmt: skip
    return "\n\n".join(parts)


def _issue(issue: Mapping[str, Any]) -> str:
    return _heading(f"The issue in {FINANCE}: {issue['title']}")


def _heading(text: str) -> str:
    return f"{'=' * 100}\n{text}\n{'=' * 100}"


def _annotation(annotation: Mapping[str, Any]) -> str:
    return f"{annotation['path']}:{annotation['start_line']}: {annotation['message']}"

"""What can be written behind `python -m app`, for every command but those that are processes or look at one."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from app.commands import doors
from app.settings import Settings

Door = Callable[[Settings, argparse.Namespace], int | None]
Command = Callable[[str, Door, str], Any]

SCOPES = ("organisation", "repository", "team", "cost-center", "workflow", "agent", "model", "purpose")
EVERY_ACCOUNT = "login or id; default: every account"


def add_commands(command: Command) -> None:
    """The commands and their options; `command` makes a parser from a name, what it runs, and a sentence."""
    _inbox(command("inbox", doors.inbox_list, "Dead letters: list, show and revive what failed for good"))
    _upkeep(command)
    _linking(command)
    _token(command("token", doors.token_list, "Access tokens for telemetry, the API and Prometheus"))
    _reading(command)


def _upkeep(command: Command) -> None:
    summary = command("summary", doors.summary, "Make or renew a month's summary issue now")
    summary.add_argument("month", help="as 2026-10")
    anew = command(
        "reprice", doors.reprice, "Price what is recorded anew, with the prices and configuration in force now"
    )
    anew.add_argument("--since", required=True, help="the first day, UTC, as 2026-10-01")
    anew.add_argument("--dry-run", action="store_true", help="write nothing, say what would change")
    survey = command("survey", doors.survey, "Have workflows that run agents without leaving a record looked for now")
    survey.add_argument("--month", help="as 2026-10; default: the last one that is over")
    backfill = command("backfill", doors.backfill, "Read the history of pulls now: what changed unheard")
    backfill.add_argument("--since", help="the first day, UTC, as 2026-10-01; default: 90 days, or since agents ran")
    waste = command("waste", doors.waste, "Show what workflows wasted in a month, as money with the arithmetic")
    waste.add_argument("--month", help="as 2026-10; default: the last one that is over")
    rollups = command("rollups", doors.rollups_check, "The sums that metrics are read from: check or rebuild them")
    actions = rollups.add_subparsers(metavar="check|rebuild")
    check = actions.add_parser("check", help="hold them against the books; exit code 1 where they differ")
    check.set_defaults(run=doors.rollups_check)
    rebuild = actions.add_parser("rebuild", help="compute all of them anew from the books")
    rebuild.set_defaults(run=doors.rollups_rebuild)
    for each in (summary, anew, survey, backfill, waste, rollups, check, rebuild):
        each.add_argument("--account", help=EVERY_ACCOUNT)


def _linking(command: Command) -> None:
    def added(name: str, about: str) -> Any:
        parser = command(name, partial(doors.by_hand, name), about)
        parser.add_argument(
            "agent_run", help="an agent run's id, or the address of a workflow run, an attempt or a job"
        )
        parser.add_argument("--account", help="login or id; default: the one that knows it")
        return parser

    attribute = added("attribute", "Say by hand which pull an agent run belongs to; a running worker moves its cost")
    detach = added("detach", "Say by hand that an agent run belongs to no pull")
    added("links", "What people decided of an agent run, the oldest first: the last is in force")
    attribute.add_argument("--to", required=True, help="the pull, as acme/widgets#12")
    for parser in (attribute, detach):
        parser.add_argument("--because", required=True, help="the reason: it is kept, and shown on the pull")
        parser.add_argument("--by", default="", help="who decides; default: the user of this machine")


def _reading(command: Command) -> None:
    report = command("report", doors.report, "Print a month's figures, metrics of any scope and days, or shares as CSV")
    report.add_argument("--month", help="as 2026-10")
    report.add_argument("--from", dest="first", help="the first day, UTC, as 2026-10-05; instead of a month")
    report.add_argument("--to", dest="last", help="the last day, itself included")
    report.add_argument("--by", choices=SCOPES, help="metrics of each scope of a kind, the dearest first")
    report.add_argument("--trend", action="store_true", help="metrics of six months, the last one the named")
    report.add_argument("--repository", help="as acme/widgets, or widgets; default: every repository")
    report.add_argument("--csv", action="store_true", help="each agent run's share in each pull, for a spreadsheet")
    explain = command(
        "explain", doors.explain, "Walk from a number to its parts: pulls, agent runs, model calls, prices"
    )
    explain.add_argument("what", help="2026-10, acme/widgets#12, or the id of an agent run")
    explain.add_argument("--all", action="store_true", help="every part, not the dearest ones alone")
    export = command("export", doors.export, "Write a month as FOCUS files (docs/focus.md)")
    _exporting(export)
    for each in (report, explain, export):
        each.add_argument("--account", help=EVERY_ACCOUNT)


def _exporting(export: argparse.ArgumentParser) -> None:
    export.add_argument("month", help="as 2026-10; one that is open is exported as it stands")
    export.add_argument("--to", required=True, help="a folder, or a URL that fsspec knows")
    export.add_argument("--focus", choices=("1.2", "1.3", "1.4"), default="1.4", help="version; default: 1.4")
    export.add_argument("--format", choices=("csv", "parquet"), default="parquet", help="default: parquet")
    export.add_argument("--split-shared", action="store_true", help="part shared costs by who bears them")
    export.add_argument(
        "--virtual-currency", choices=("usd", "native"), default="usd", help="native: AI Credits as PricingCurrency"
    )
    export.add_argument(
        "--estimates-as-billed",
        action="store_true",
        help="NOT what FOCUS means: BilledCost and EffectiveCost repeat ContractedCost, for tools that need them",
    )


def _inbox(inbox: argparse.ArgumentParser) -> None:
    actions = inbox.add_subparsers(metavar="list|show|revive")
    listing = actions.add_parser("list", help="every dead job, the oldest first")
    listing.set_defaults(run=doors.inbox_list)
    show = actions.add_parser("show", help="one dead job, with its delivery's payload")
    show.add_argument("id", help="of the job or of its delivery")
    show.set_defaults(run=doors.inbox_show)
    revive = actions.add_parser("revive", help="try again from the first attempt")
    revive.add_argument("id", nargs="?", help="of the job or of its delivery")
    revive.add_argument("--all", action="store_true", help="every dead job")
    revive.set_defaults(run=doors.inbox_revive)


def _token(token: argparse.ArgumentParser) -> None:
    token.add_argument("--account", help="login or id; default: every account")
    actions = token.add_subparsers(metavar="add|list|revoke")
    add = actions.add_parser("add", help="make one and show it, once")
    add.add_argument("--account", required=True, help="login or id of the account it is for")
    add.add_argument("--name", required=True, help='who or what it is for, as "laptops"')
    add.add_argument(
        "--scope",
        choices=("ingest", "read", "metrics"),
        default="ingest",
        help="ingest: send telemetry (the default); read: the API; metrics: cost for Prometheus",
    )
    add.set_defaults(run=doors.token_add)
    listing = actions.add_parser("list", help="every token, without its secret")
    listing.add_argument("--account", help="login or id; default: every account")
    listing.set_defaults(run=doors.token_list)
    revoke = actions.add_parser("revoke", help="refuse it from now on")
    revoke.add_argument("id", help="as `token list` shows it")
    revoke.set_defaults(run=doors.token_revoke)

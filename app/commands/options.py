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
    _vendors(command)
    _token(command("token", doors.token_list, "Access tokens for telemetry, the API and Prometheus"))
    _reading(command)
    _statement(command("statement", doors.statement_accept, "Statements: list, show, accept, dispute, resolve"))
    _adjust(
        command("adjust", doors.adjust, "Correct a month that has closed: a transfer or a credit, in the open month")
    )
    _period(command("period", doors.period_list, "Months: which are open or closed, what closing finds, close one"))
    _verify(command("verify", doors.verify, "Prove that no statement, ledger entry or model call was altered"))
    _journal(command("journal", partial(doors.journal, "list"), "Journals: book the accepted statements of a month"))


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


def _vendors(command: Command) -> None:
    vendors = command("vendors", doors.vendors_status, "Vendors' reports and invoices: read, import, or see how far")
    actions = vendors.add_subparsers(metavar="read|import|status")
    read = actions.add_parser("read", help="read the reports of vendors for which there is a key, now")
    read.add_argument("--vendor", help="one of them; default: all")
    read.add_argument("--since", help="also back to this day, UTC, as 2026-09-01")
    read.set_defaults(run=doors.vendors_read)
    bring = actions.add_parser("import", help="take an invoice or a report as CSV, all of it or nothing")
    bring.add_argument("file", help='a file; "-" for standard input')
    bring.set_defaults(run=doors.vendors_import)
    status = actions.add_parser("status", help="how far reports are read, and which invoices there are")
    status.set_defaults(run=doors.vendors_status)
    against = command("reconcile", doors.reconcile, "Hold a month's vendor figures against recorded cost, by bucket")
    against.add_argument("month", help="as 2026-10")
    against.add_argument("--json", action="store_true", help="for programs, with every bucket")
    against.add_argument("--all", action="store_true", help="also buckets that are reconciled or estimated")
    against.add_argument("--enter", action="store_true", help="enter what is proposed as adjustments of the open month")
    for each in (vendors, read, status, against):
        each.add_argument("--account", help=EVERY_ACCOUNT)
    bring.add_argument("--account", required=True, help="login or id of the account it is for")


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
    owners = command("owners", doors.owners, "Show whose each repository was in a month, and what nobody owns")
    owners.add_argument("month", help="as 2026-10")
    owners.add_argument("--hints", action="store_true", help="ask GitHub for CODEOWNERS and teams of what nobody owns")
    export = command("export", doors.export, "Write a month as FOCUS files (docs/focus.md)")
    _exporting(export)
    for each in (report, explain, owners, export):
        each.add_argument("--account", help=EVERY_ACCOUNT)


def _period(period: argparse.ArgumentParser) -> None:
    period.add_argument("--account", help=EVERY_ACCOUNT)
    actions = period.add_subparsers(metavar="list|check|close")
    listing = actions.add_parser("list", help="every month that closes or has closed, and which is next")
    listing.set_defaults(run=doors.period_list)
    check = actions.add_parser("check", help="all that closing a month would find; writes nothing")
    check.set_defaults(run=doors.period_check)
    close = actions.add_parser("close", help="close a month and issue its statements; a second time changes nothing")
    close.set_defaults(run=doors.period_close)
    close.add_argument("--by", default="", help="who closes it; default: the user of this machine")
    for each in (check, close):
        each.add_argument("month", help="as 2026-10")
    for each in (listing, check, close):
        each.add_argument("--account", help="login or id; needed where there are several")


def _verify(verify: argparse.ArgumentParser) -> None:
    verify.add_argument("--account", help=EVERY_ACCOUNT)


def _adjust(adjust: argparse.ArgumentParser) -> None:
    adjust.add_argument("month", help="the month that is corrected, as 2026-10; it has closed")
    source = adjust.add_mutually_exclusive_group(required=True)
    source.add_argument("--from", dest="giver", help="the cost center that pays less")
    source.add_argument("--credit", help='instead: --to pays less, by this credit, as "Anthropic credit note 17"')
    adjust.add_argument("--to", required=True, help="the cost center that pays more, or has the credit")
    adjust.add_argument("--amount", required=True, help="US dollars, as 12.34")
    adjust.add_argument("--reason", required=True, help="it is kept, and shown on the statement")
    adjust.add_argument("--evidence", required=True, help="what it rests on: a ticket, an invoice, an address")
    adjust.add_argument("--by", default="", help="who decides; default: the user of this machine")
    adjust.add_argument("--account", help="login or id; needed where there are several")


def _journal(journal: argparse.ArgumentParser) -> None:
    actions = journal.add_subparsers(metavar="post|reverse|show|list")

    def action(name: str, about: str) -> Any:
        added = actions.add_parser(name, help=about)
        added.set_defaults(run=partial(doors.journal, name))
        added.add_argument("--account", help="login or id; needed where there are several")
        return added

    post = action("post", "book the accepted chargeback statements of a month that has closed")
    post.add_argument("month", help="as 2026-10")
    post.add_argument("--dry-run", action="store_true", help="write the CSV, book nothing")
    reverse = action("reverse", "undo a journal by another one; its statements can be posted again")
    reverse.add_argument("number", help="as J-2026-10-1")
    reverse.add_argument("--because", required=True, help="the reason: it is kept")
    show = action("show", "write a journal's CSV again, byte by byte")
    show.add_argument("number", help="as J-2026-10-1")
    listing = action("list", "every journal of an account")
    for each in (post, reverse, show):
        each.add_argument("--out", help="the file to write; default: standard output")
    for each in (post, reverse):
        each.add_argument("--by", default="", help="who decides; default: the user of this machine")
    journal.add_argument("--account", help="login or id; needed where there are several")
    for each in (journal, listing):
        each.add_argument("--month", help="as 2026-10; default: all of them")


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


def _statement(statement: argparse.ArgumentParser) -> None:
    actions = statement.add_subparsers(metavar="list|show|why|month|accept|dispute|resolve", required=True)
    _showing(actions)
    _deciding(actions)


def _showing(actions: Any) -> None:
    listing = actions.add_parser("list", help="every statement, or those of a month")
    listing.set_defaults(run=doors.statement_list)
    listing.add_argument("--month", help="as 2026-10; default: all of them")
    listing.add_argument("--account", help=EVERY_ACCOUNT)
    show = actions.add_parser("show", help="one statement, to read, to print or for a spreadsheet")
    show.set_defaults(run=doors.statement_show)
    show.add_argument("number", help="of the statement, as 2026-10-003")
    show.add_argument("--version", type=int, help="default: the one in force")
    show.add_argument("--form", choices=("markdown", "html", "csv", "json"), default="markdown")
    why = actions.add_parser("why", help="what a line of a statement is made of, down to single charges")
    why.set_defaults(run=doors.statement_why)
    why.add_argument("number", help="of the statement, as 2026-10-003")
    why.add_argument("line", help="its number on the statement, as 12, or A3 for an adjustment")
    why.add_argument("--page", type=int, default=1, help="of the line's agent runs, the biggest first")
    why.add_argument("--version", type=int, help="default: the one in force")
    why.add_argument("--account", help="login or id; needed where there are several")
    month = actions.add_parser("month", help="all statements of a month on one page")
    month.set_defaults(run=doors.statement_month)
    month.add_argument("month", help="as 2026-10")
    month.add_argument("--form", choices=("markdown", "html"), default="markdown")
    for each in (show, month):
        each.add_argument("--out", help="the file to write; default: standard output")
        each.add_argument("--account", help="login or id; needed where there are several")


def _deciding(actions: Any) -> None:
    accept = actions.add_parser("accept", help="in an owner's name, the version in force")
    accept.set_defaults(run=doors.statement_accept)
    accept.add_argument("--as", dest="login", required=True, help="who accepts")
    dispute = actions.add_parser("dispute", help="the version in force")
    dispute.set_defaults(run=doors.statement_dispute)
    dispute.add_argument("--as", dest="login", default="", help="who disputes; default: the user of this machine")
    for each in (accept, dispute):
        each.add_argument("--reason", required=True, help="it is kept, and shown on the statement's issue")
    resolve = actions.add_parser("resolve", help="answer a dispute: issue the next version, with the answer in it")
    resolve.set_defaults(run=doors.statement_resolve)
    resolve.add_argument("--answer", required=True, help="it stands in the next version")
    resolve.add_argument(
        "--adjust", action="append", default=[], metavar="FROM:TO:AMOUNT",
        help="what the dispute wins, in USD: it moves between cost centers in the open month; may be given again",
    )  # fmt: skip
    resolve.add_argument("--by", default="", help="who answers; default: the user of this machine")
    for each in (accept, dispute, resolve):
        each.add_argument("number", help="of the statement, as 2026-10-003")
        each.add_argument("--account", help="login or id; default: the one that has it")

"""The command line. Owns the process: settings are read here, once, and signals end things in order."""

import argparse
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from app.link_options import add_parsers
from app.settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.core.month import Month
    from app.store.database import Database
    from app.worker import Worker
    from app.world import World

log = logging.getLogger("mergemeter")
# A story may wait for GitHub three times ten seconds; container hosts give thirty before they kill.
STOP_TIMEOUT_S = 25
SUMMARY_TIMEOUT_S = 120
GARBAGE_OBJECTS = 20_000
NO_ACCOUNT = "There is no such account on which the App is installed and active."
# Their lines at INFO repeat each request, ours say what it was for.
LOUD = ("httpx", "httpcore", "alembic", "urllib3")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 for done, 1 for failed, 2 for a wrong command line or wrong settings."""
    options = _parser().parse_args(arguments)
    try:
        settings = Settings.from_environ(os.environ)
        _log_to_stderr(settings.log_level)
        return int(options.run(settings, options) or 0)
    except SettingsError as error:
        print(f"The settings cannot be used:\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not type(error).__module__.startswith(("sqlalchemy.", "alembic.")):
            raise
        log.debug("the database failed", exc_info=True)
        reason = _line(str(getattr(error, "orig", None) or error).partition("\n")[0])
        print(f"The database cannot be used: {reason}\n`python -m app migrate` makes its tables.", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m app", description="What AI coding agents cost for each merged pull.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Settings, argparse.Namespace], int | None], about: str) -> Any:
        added = commands.add_parser(name, help=about, description=about)
        added.set_defaults(run=run)
        return added

    serve = command("serve", _serve, "Serve HTTP and work, in one process; migrates the database first")
    serve.add_argument("--web-only", action="store_true", help="serve HTTP, leave the work to `work` processes")
    command("work", _work, "Work without serving HTTP; any number of such processes on PostgreSQL")
    command("migrate", _migrate, "Bring the database to the newest schema")
    _inbox_parser(command("inbox", _inbox_list, "Dead letters: list, show and revive what failed for good"))
    command("doctor", _doctor, "Check key, secret, permissions, events, clock and reachability")
    summary = command("summary", _summary, "Make or renew a month's summary issue now")
    summary.add_argument("month", help="as 2026-10")
    summary.add_argument("--account", help="login or id; default: every account")
    anew = command("reprice", _reprice, "Price what is recorded anew, with the prices and configuration in force now")
    anew.add_argument("--since", required=True, help="the first day, UTC, as 2026-10-01")
    anew.add_argument("--account", help="login or id; default: every account")
    anew.add_argument("--dry-run", action="store_true", help="write nothing, say what would change")
    survey = command("survey", _survey, "Have workflows that run agents without leaving a record looked for now")
    survey.add_argument("--month", help="as 2026-10; default: the last one that is over")
    survey.add_argument("--account", help="login or id; default: every account")
    backfill = command("backfill", _backfill, "Read the history of pulls now: what changed unheard")
    backfill.add_argument("--account", help="login or id; default: every account")
    backfill.add_argument("--since", help="the first day, UTC, as 2026-10-01; default: 90 days, or since agents ran")
    waste = command("waste", _waste, "Show what workflows wasted in a month, as money with the arithmetic")
    waste.add_argument("--month", help="as 2026-10; default: the last one that is over")
    waste.add_argument("--account", help="login or id; default: every account")
    add_parsers(lambda name, about: command(name, partial(_by_hand, name), about))
    _token_parser(command("token", _token_list, "Access tokens for telemetry, the API and Prometheus"))
    report = command("report", _report, "Print a month's figures, or each agent run's share in each pull as CSV")
    report.add_argument("--month", required=True, help="as 2026-10")
    report.add_argument("--repository", help="as acme/widgets, or widgets; default: every repository")
    report.add_argument("--csv", action="store_true", help="each agent run's share in each pull, for a spreadsheet")
    explain = command("explain", _explain, "Walk from a number to its parts: pulls, agent runs, model calls, prices")
    explain.add_argument("what", help="2026-10, acme/widgets#12, or the id of an agent run")
    explain.add_argument("--all", action="store_true", help="every part, not the dearest ones alone")
    for each in (report, explain):
        each.add_argument("--account", help="login or id; default: every account")
    demo = command("demo", _demo, "Run App, Action and a loopback GitHub together and show where to look")
    demo.add_argument("--once", action="store_true", help="print the result and exit")
    sandbox = command("sandbox", _sandbox, "Run the loopback GitHub alone")
    sandbox.add_argument("--port", type=int, default=0, help="default: any free one")
    return parser


def _inbox_parser(inbox: argparse.ArgumentParser) -> None:
    actions = inbox.add_subparsers(metavar="list|show|revive")
    listing = actions.add_parser("list", help="every dead job, the oldest first")
    listing.set_defaults(run=_inbox_list)
    show = actions.add_parser("show", help="one dead job, with its delivery's payload")
    show.add_argument("id", help="of the job or of its delivery")
    show.set_defaults(run=_inbox_show)
    revive = actions.add_parser("revive", help="try again from the first attempt")
    revive.add_argument("id", nargs="?", help="of the job or of its delivery")
    revive.add_argument("--all", action="store_true", help="every dead job")
    revive.set_defaults(run=_inbox_revive)


def _token_parser(token: argparse.ArgumentParser) -> None:
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
    add.set_defaults(run=_token_add)
    listing = actions.add_parser("list", help="every token, without its secret")
    listing.add_argument("--account", help="login or id; default: every account")
    listing.set_defaults(run=_token_list)
    revoke = actions.add_parser("revoke", help="refuse it from now on")
    revoke.add_argument("id", help="as `token list` shows it")
    revoke.set_defaults(run=_token_revoke)


# ---- processes -----------------------------------------------------------------------------------------------


def _serve(settings: Settings, options: argparse.Namespace) -> int:
    import uvicorn  # noqa: PLC0415 - each command loads what it needs, and no more

    from app.web.app import build_app  # noqa: PLC0415

    settings.require_complete()
    _migrate(settings, options)
    with _world(settings, with_github=not options.web_only) as world:
        worker = None if options.web_only else _worker(world)
        if worker:
            _discover(world)
        config = uvicorn.Config(
            build_app(world, (lambda: worker.beat_at) if worker else None),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=10,
        )
        # What is loaded by now stays: the collector need not look at it again, nor at every short-lived request.
        gc.freeze()
        gc.set_threshold(GARBAGE_OBJECTS)
        return _until_signal(uvicorn.Server(config).run, worker)


def _work(settings: Settings, options: argparse.Namespace) -> int:
    settings.require_complete()
    _migrate(settings, options)
    with _world(settings) as world:
        _discover(world)
        stop = threading.Event()
        return _until_signal(stop.wait, _worker(world), stop.set)


def _until_signal(serve: Callable[[], object], worker: "Worker | None", end: Callable[[], None] = lambda: None) -> int:
    """Run until SIGTERM or SIGINT: first no new requests, then running stories are finished."""

    def ended(number: int, _frame: FrameType | None) -> None:
        log.info("%s: ending", signal.Signals(number).name)
        end()

    # uvicorn has handlers of its own while it serves and raises the signal again afterwards: then it comes here.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ended)
    # A daemon, so that a story that hangs cannot keep the process: its job is taken up again by the next one.
    thread = threading.Thread(target=worker.run, name="worker", daemon=True) if worker else None
    if thread:
        thread.start()
    try:
        serve()
    finally:
        if worker and thread:
            worker.stop()
            thread.join(STOP_TIMEOUT_S)
    return 0


def _worker(world: "World") -> "Worker":
    from app import timetable  # noqa: PLC0415
    from app.worker import Worker  # noqa: PLC0415

    return Worker(world, timetable.stories(), timetable.entries(world.settings))


def _discover(world: "World") -> None:
    """Whoever installed the App while nothing listened here is found now."""
    from app.store.queue import NewJob, enqueue  # noqa: PLC0415

    with world.db.transaction() as session:
        enqueue(session, NewJob(0, "0/discover", "discover", "discover", {}, world.now()), world.now())


@contextmanager
def _world(settings: Settings, with_github: bool = True) -> "Iterator[World]":
    from app.core.pricing import PriceList  # noqa: PLC0415
    from app.world import World  # noqa: PLC0415

    with _database(settings) as database:
        github: Any = None  # a process that only takes things in never asks GitHub, and does not load its client
        if with_github:
            from app.github.app import GitHubApp  # noqa: PLC0415

            github = GitHubApp(settings.app_id, settings.private_key, settings.github_api_url)
        yield World(settings, database, github, PriceList.load(), _now)
        if github is not None:
            github.close()


@contextmanager
def _database(settings: Settings) -> "Iterator[Database]":
    from app.store.database import Database  # noqa: PLC0415

    database = Database(settings.database_url, pool_size=settings.workers + 6)
    yield database
    database.close()


def _now() -> datetime:
    return datetime.now(UTC)


# ---- commands ------------------------------------------------------------------------------------------------


def _migrate(settings: Settings, _options: argparse.Namespace) -> None:
    from app.store.migrations import migrate  # noqa: PLC0415

    migrate(settings.database_url)


def _inbox_list(settings: Settings, _options: argparse.Namespace) -> int:
    from app.commands.inbox import list_dead  # noqa: PLC0415

    with _database(settings) as database:
        return list_dead(database)


def _inbox_show(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.inbox import show_dead  # noqa: PLC0415

    with _database(settings) as database:
        return show_dead(database, options.id)


def _inbox_revive(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.inbox import revive_dead  # noqa: PLC0415

    if bool(options.id) == options.all:
        print("Name one job or delivery, or say --all.", file=sys.stderr)
        return 2
    with _database(settings) as database:
        return revive_dead(database, options.id, _now())


def _token_add(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.tokens import LONGEST_NAME, add_token  # noqa: PLC0415
    from app.store.access_tokens import TokenScope  # noqa: PLC0415

    name = _line(options.name).strip()
    if not 0 < len(name) <= LONGEST_NAME:
        print(f"A token's name has 1 to {LONGEST_NAME} characters.", file=sys.stderr)
        return 2
    return _for_accounts(
        settings, options, lambda world, found: add_token(world, found[0], TokenScope(options.scope), name)
    )


def _token_list(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.tokens import list_tokens  # noqa: PLC0415

    return _for_accounts(settings, options, list_tokens)


def _token_revoke(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.tokens import revoke_token  # noqa: PLC0415

    with _world(settings, with_github=False) as world:
        return revoke_token(world, options.id)


def _report(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.report import report  # noqa: PLC0415

    return _for_accounts(settings, options, lambda world, found: report(world, found, options))


def _explain(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.explain import explain  # noqa: PLC0415

    return _for_accounts(settings, options, lambda world, found: explain(world, found, options))


def _for_accounts(settings: Settings, options: argparse.Namespace, run: "Callable[[World, list[int]], int]") -> int:
    """Run for the account that is named, or all of them; GitHub is not asked."""
    with _world(settings, with_github=False) as world:
        if accounts := _accounts(world, options.account):
            return run(world, accounts)
    print(NO_ACCOUNT, file=sys.stderr)
    return 1


def _by_hand(name: str, settings: Settings, options: argparse.Namespace) -> int:
    from app.linking import run  # noqa: PLC0415

    with _world(settings, with_github=False) as world:
        return run(name, world, _accounts(world, options.account), options)


def _doctor(settings: Settings, _options: argparse.Namespace) -> int:
    from app.doctor import diagnose, exit_code, render  # noqa: PLC0415

    findings = diagnose(settings)
    print(render(findings))
    return exit_code(findings)


def _summary(settings: Settings, options: argparse.Namespace) -> int:
    month = _month(options.month)
    if month is None:
        return 2
    settings.require_complete()
    with _world(settings) as world:
        accounts = _accounts(world, options.account)
        if not accounts:
            print(NO_ACCOUNT, file=sys.stderr)
            return 1
        return max(_summarize(world, account_id, str(month)) for account_id in accounts)


def _month(text: str) -> "Month | None":
    from app.core.month import Month  # noqa: PLC0415

    try:
        return Month.parse(text)
    except ValueError as error:
        print(error, file=sys.stderr)
        return None


def _survey(settings: Settings, options: argparse.Namespace) -> int:
    """Only asks for it: a running worker does it, within GitHub's limits."""
    from app.core.month import Month  # noqa: PLC0415
    from app.store.surveys import ask_for_surveys  # noqa: PLC0415

    month = _month(options.month) if options.month else Month.of(_now()).previous
    if month is None:
        return 2
    with _world(settings, with_github=False) as world:
        accounts = _accounts(world, options.account)
        with world.db.transaction() as session:
            asked = sum(ask_for_surveys(session, account_id, month, world.now()) for account_id in accounts)
    if not accounts:
        print(NO_ACCOUNT, file=sys.stderr)
        return 1
    print(f"{asked} to survey for {month}; a running worker takes them up within a second", file=sys.stderr)
    return 0


def _accounts(world: "World", named: str | None) -> list[int]:
    from app.store.accounts import active_accounts, installation_of  # noqa: PLC0415

    with world.db.reading() as session:
        active = active_accounts(session)
        if named is None:
            return active
        logins = {
            found.account_login.lower(): found.account_id for a in active if (found := installation_of(session, a))
        }
    return [account_id for account_id in active if named == str(account_id) or logins.get(named.lower()) == account_id]


def _summarize(world: "World", account_id: int, month: str) -> int:
    """Do the job here, in its lane, so that a worker elsewhere cannot be doing it at the same time."""
    from app.core.month import Month  # noqa: PLC0415
    from app.store.queue import DEAD, DONE, NewJob, enqueue, state_of  # noqa: PLC0415
    from app.stories.summarize import preview  # noqa: PLC0415

    if text := preview(world, account_id, Month.parse(month)):
        print(f"account {account_id}: no summary.repository is configured, so nothing is posted:", file=sys.stderr)
        print(text)
        return 0

    worker, lane, dedupe = _worker(world), f"{account_id}/summary", f"summary/{month}"
    with world.db.transaction() as session:
        enqueue(session, NewJob(account_id, lane, "summary", dedupe, {"month": month}, world.now()), world.now())
    deadline = time.monotonic() + SUMMARY_TIMEOUT_S
    while time.monotonic() < deadline:
        worker.drain(only=lane)
        with world.db.reading() as session:
            state, error = state_of(session, account_id, dedupe)
        if state == DEAD:
            print(f"account {account_id}: {_line(error)}", file=sys.stderr)
            return 1
        if state == DONE:
            print(f"account {account_id}: the summary of {month} is up to date", file=sys.stderr)
            return 0
        time.sleep(0.1)
    print(f"account {account_id}: not done yet, a running worker goes on with it; {_line(error)}", file=sys.stderr)
    return 1


def _backfill(settings: Settings, options: argparse.Namespace) -> int:
    from app.backfill import backfill  # noqa: PLC0415

    since = _first_day(options.since) if options.since else None
    if options.since and since is None:
        return 2
    settings.require_complete()
    with _world(settings) as world:
        accounts = _accounts(world, options.account)
        if not accounts:
            print(NO_ACCOUNT, file=sys.stderr)
        return backfill(world, _worker(world), accounts, since, lambda line: print(line, file=sys.stderr, flush=True))


def _first_day(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError:
        print(f"{text!r} is not a day: write it as 2026-10-01", file=sys.stderr)
        return None


def _reprice(settings: Settings, options: argparse.Namespace) -> int:
    from app.stories.reprice import reprice  # noqa: PLC0415

    since = _first_day(options.since)
    if since is None:
        return 2
    refused = 0
    with _world(settings, with_github=False) as world:
        accounts = _accounts(world, options.account)
        if not accounts:
            print(NO_ACCOUNT, file=sys.stderr)
            return 1
        for account_id in accounts:
            found = reprice(world, account_id, since, options.dry_run)
            print(f"account {account_id}: {found.text(options.dry_run)}")
            refused += found.refused
    return 1 if refused else 0


def _waste(settings: Settings, options: argparse.Namespace) -> int:
    from app.core.month import Month  # noqa: PLC0415
    from app.stories.find_waste import told_waste  # noqa: PLC0415

    month = _month(options.month) if options.month else Month.of(_now()).previous
    if month is None:
        return 2

    def told(world: "World", accounts: list[int]) -> int:
        print("\n".join(_line(line) for each in accounts for line in told_waste(world, each, month)))
        return 0

    return _for_accounts(settings, options, told)


def _demo(_settings: Settings, options: argparse.Namespace) -> None:
    from app.demo.tell import demo  # noqa: PLC0415

    demo(lambda line: print(line, flush=True), options.once)


def _sandbox(_settings: Settings, options: argparse.Namespace) -> None:
    from app.sandbox import run  # noqa: PLC0415

    run(port=options.port, told=lambda url: print(f"a GitHub on loopback at {url}", flush=True))


# ---- logging -------------------------------------------------------------------------------------------------


class OneLine(logging.Formatter):
    """A message is one line, whatever names from outside it repeats; only a traceback has more."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        plain = logging.makeLogRecord(record.__dict__ | {"msg": _line(record.getMessage()), "args": ()})
        return super().format(plain)


def _line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _log_to_stderr(level: str) -> None:
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(OneLine("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[to_stderr])
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())

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
from types import FrameType
from typing import TYPE_CHECKING, Any

from app.commands.lines import one_line
from app.commands.options import add_commands
from app.settings import Settings, SettingsError

if TYPE_CHECKING:
    from app.worker import Worker

log = logging.getLogger("mergemeter")
# A story may wait for GitHub three times ten seconds; container hosts give thirty before they kill.
STOP_TIMEOUT_S = 25
GARBAGE_OBJECTS = 20_000
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
        reason = one_line(str(getattr(error, "orig", None) or error).partition("\n")[0])
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
    command("doctor", _doctor, "Check key, secret, permissions, events, clock and reachability")
    add_commands(command)
    demo = command("demo", _demo, "Run App, Action and a loopback GitHub together and show where to look")
    demo.add_argument("--once", action="store_true", help="print the result and exit")
    sandbox = command("sandbox", _sandbox, "Run the loopback GitHub alone")
    sandbox.add_argument("--port", type=int, default=0, help="default: any free one")
    return parser


# ---- processes -----------------------------------------------------------------------------------------------


def _serve(settings: Settings, options: argparse.Namespace) -> int:
    import uvicorn  # noqa: PLC0415 - each command loads what it needs, and no more

    from app.commands import opening  # noqa: PLC0415
    from app.web.app import build_app  # noqa: PLC0415

    settings.require_complete()
    _migrate(settings, options)
    with opening.opened(settings, with_github=not options.web_only) as world:
        worker = None if options.web_only else opening.worker(world)
        if worker:
            opening.discover(world)
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
    from app.commands import opening  # noqa: PLC0415

    settings.require_complete()
    _migrate(settings, options)
    with opening.opened(settings) as world:
        opening.discover(world)
        stop = threading.Event()
        return _until_signal(stop.wait, opening.worker(world), stop.set)


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


# ---- commands ------------------------------------------------------------------------------------------------


def _migrate(settings: Settings, _options: argparse.Namespace) -> None:
    from app.store.migrations import migrate  # noqa: PLC0415

    migrate(settings.database_url)


def _doctor(settings: Settings, _options: argparse.Namespace) -> int:
    from app.doctor import diagnose, exit_code, render  # noqa: PLC0415

    findings = diagnose(settings)
    print(render(findings))
    return exit_code(findings)


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
        plain = logging.makeLogRecord(record.__dict__ | {"msg": one_line(record.getMessage()), "args": ()})
        return super().format(plain)


def _log_to_stderr(level: str) -> None:
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(OneLine("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[to_stderr])
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())

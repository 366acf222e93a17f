"""The whole thing as it is run: GitHub on loopback in this process, the App as a process of its own, real Actions.

Each test takes an organisation of its own on a stage that all tests share, so that a server is started once. What is
asked here is asked of GitHub's pages and answers, of the database file and of the server's log, never of the App's
insides.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import text

from app.demo.server import Server
from app.sandbox import Sandbox
from app.store.database import Database
from app.store.keys import us
from tests.openapi.contract import Observer
from tests.record.reports import agent_run, closing

PATIENCE_S = 60
PATH = ".github/workflows/agent.yml"
WORKFLOW = """\
on: [pull_request]
jobs:
  agent:
    steps:
      - uses: mergemeter/mergemeter/action@v1
      - uses: anthropics/claude-code-action@v1
"""
WAITING = "SELECT COUNT(*) FROM job WHERE state IN (0, 1) AND account_id IN (0, :account) AND run_at_us < :soon"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of the App. `code` and `message` are those of a refusal."""

    status: int
    content: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.content.get("code"))

    def refuses(self, status: int, code: str) -> None:
        """Assert that this is a refusal as promised: a status, a code for machines, one sentence for people."""
        assert (self.status, self.code) == (status, code), self
        message = self.content["message"]
        assert 15 < len(message) <= 500, message
        assert message[0].isupper() or message[0] == "/", message
        assert message.endswith((".", "…")), message


@dataclass
class Organisation:
    """An organisation with the App installed on one repository, `name`/widgets."""

    stage: "Stage"
    name: str
    account_id: int
    installation_id: int

    @property
    def repository(self) -> str:
        return f"{self.name}/widgets"

    def open(self, branch: str = "change", **more: Any) -> int:
        """Open a pull; gives its number."""
        return self.stage.gh.open_pull(self.repository, branch, files={f"{branch}.py": "1\n"}, **more)

    def agent(self, pull: int | None, calls: int = 2, session: str = "", **event: Any) -> dict[str, Any]:
        """A job in which an agent made `calls` model calls of CALL_COST, recorded; gives the run."""
        run = self.stage.gh.start_workflow_run(self.repository, pull=pull, path=PATH, **event)
        answer = self.stage.record(run, closing(agent_run(session or f"{self.name}-{run['run_id']}", calls)))
        assert answer.status == 201, answer
        return run

    def comment(self, number: int) -> str | None:
        """The App's comment; more than one is a failure."""
        ours = [one for one in self.stage.gh.comments(self.repository, number) if self.stage.is_ours(one["user"]["id"])]
        assert len(ours) <= 1, f"{len(ours)} comments"
        return str(ours[0]["body"]) if ours else None

    def check(self, number: int) -> dict[str, Any] | None:
        """The App's check on the pull's head; more than one is a failure."""
        found = self.stage.gh.checks(self.repository, number)
        assert len(found) <= 1, f"{len(found)} checks"
        return found[0] if found else None

    def settle(self) -> None:
        """Wait until every delivery was sent and nothing of this account is due soon."""
        assert self.stage.gh.drain(PATIENCE_S)

        def idle() -> bool:
            soon = us(datetime.now(UTC) + timedelta(minutes=20))
            ((waiting,),) = self.stage.rows(WAITING, account=self.account_id, soon=soon)
            return not waiting

        self.stage.wait("quiet", idle)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query that is bounded by `:account`."""
        return self.stage.rows(query, account=self.account_id)

    def books(self) -> dict[tuple[str, int], int]:
        """Σ ledger entries in nano-dollars by book and pull number, without empty ones."""
        query = "SELECT book, number, SUM(amount_nano_usd) FROM ledger_entry WHERE account_id = :account GROUP BY 1, 2"
        return {(book, number): int(total) for book, number, total in self.rows(query) if total}

    def dead(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT kind, error FROM job WHERE account_id = :account AND state = 3")


class Stage:
    """`gh` is GitHub, `server` the App's process."""

    def __init__(self, gh: Sandbox, server: Server, app: Mapping[str, Any], database: Database) -> None:
        self.gh, self.server, self.app, self.database = gh, server, app, database

    # ---- what happens ------------------------------------------------------------------------------------------

    def organisation(
        self, name: str, files: Mapping[str, str] | None = None, visibility: str = "private"
    ) -> Organisation:
        """An organisation with the App on it, known to the App."""
        account_id = self.gh.create_account(name)
        given = {PATH: WORKFLOW} if files is None else files
        self.gh.create_repository(f"{name}/widgets", files=given)
        made = Organisation(self, name, account_id, self.gh.install(name))
        made.settle()
        return made

    def record(self, run: Mapping[str, Any], body: Any, token: str | None = None, **claims: Any) -> Answer:
        """POST a record of a run, with a fresh token of its job but for the changed claims."""
        token = self.gh.mint_token(run, self.server.url, **claims) if token is None else token
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return self.ask("POST", "/v1/agent-runs", raw, headers)

    def ask(self, method: str, path: str, body: Any = None, headers: Any = ()) -> Answer:
        """One HTTP request of the App; `body` may be an iterator, which goes in chunks. `headers` may repeat names."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        try:
            connection.putrequest(method, path)
            chunked = body is not None and not isinstance(body, bytes)
            for name, value in [*pairs, *self._framing(body, chunked)]:
                connection.putheader(name, value)
            connection.endheaders(body, encode_chunked=chunked)
            answer = connection.getresponse()
            return Answer(answer.status, json.loads(answer.read()))
        finally:
            connection.close()

    @staticmethod
    def _framing(body: Any, chunked: bool) -> list[tuple[str, str]]:
        if chunked:
            return [("Transfer-Encoding", "chunked")]
        return [("Content-Length", str(len(body or b"")))]

    @property
    def port(self) -> int:
        return int(urlsplit(self.server.url).port or 0)

    # ---- what there is to see ----------------------------------------------------------------------------------

    def wait(self, what: str, found: Callable[[], Any]) -> Any:
        """Wait until `found` gives something; fails with the end of the server's log when it does not."""
        deadline = time.monotonic() + PATIENCE_S
        while not (result := found()):
            assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S} s:\n{self.server.log()[-6000:]}"
            time.sleep(0.05)
        return result

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self.database.reading() as session:
            return [tuple(row) for row in session.connection().execute(text(query), values)]

    def is_ours(self, account_id: int) -> bool:
        return bool(account_id == self.app["bot_id"])

    def resident_mb(self) -> float:
        """Memory of the App's process now, in MB."""
        pid = self.server._process.pid  # type: ignore[union-attr]
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def secrets(self) -> list[str]:
        """What must never be in a log or a file of the App: its keys, and every token that GitHub gave out."""
        hub = self.gh.hub
        with hub.lock:
            asked = [job.request_token for run in hub.runs.values() for job in run.jobs.values()]
            tokens = list(hub.tokens)
        key_lines = [line for line in self.app["private_key"].splitlines() if "-----" not in line]
        return [self.app["webhook_secret"], *key_lines, *tokens, *asked]

    def check_log(self) -> None:
        """Nothing secret is in the server's log; nor is an unhandled error."""
        log = self.server.log()
        for number, secret in enumerate(self.secrets()):
            assert secret not in log, f"secret {number} is in the log"
        assert "eyJ" not in log, "a JSON Web Token is in the log"
        assert "Exception in ASGI application" not in log, log[-6000:]


@contextmanager
def staged(folder: Path, database_url: str | None = None, **settings: str) -> Iterator[Stage]:
    """A stage in a folder, its traffic held to GitHub's description, its log to what may stand in a log.

    `settings` are MERGEMETER_ variables without the prefix.
    """
    observer = Observer()
    with Sandbox(observer=observer) as gh:
        app = gh.register_app()
        server = Server(folder, gh.url, gh.oidc_issuer, app)
        wanted = {"LOG_LEVEL": "DEBUG", **({"DATABASE_URL": database_url} if database_url else {}), **settings}
        server.environ |= {f"MERGEMETER_{name}": value for name, value in wanted.items()}
        with server:
            database = Database(server.environ["MERGEMETER_DATABASE_URL"])
            gh.set_hook_url(f"{server.url}/webhooks/github")
            stage = Stage(gh, server, app, database)
            try:
                yield stage
            finally:
                database.close()
        stage.check_log()
    observer.check()

"""A stage for stories: a GitHub on loopback, a database, and deliveries that wait until the test hands them over."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import text
from sqlmodel import select

from app.core.events import parse
from app.core.month import Month
from app.core.pricing import PriceList
from app.github.app import GitHubApp
from app.oidc import TokenVerifier
from app.sandbox import Sandbox
from app.sandbox.state import Delivery
from app.settings import Settings
from app.store.database import Database
from app.store.rolled_up import compute_and_keep, differences, stale_repositories
from app.store.tables import Installation
from app.stories.record import Recorded, admit, prepare, record
from app.timetable import LISTENERS, stories
from app.worker import Worker
from app.world import World

AUDIENCE = "https://meter.example"
CLAIMS = ("check_run_id", "event_name", "actor", "actor_id")  # that a test may have other than they were
ORGANISATION = "acme"
REPOSITORY = "acme/widgets"
CALL_NANO_USD = 1_000 * 3_000 + 1_300 * 15_000  # claude-sonnet-4-5: $3 and $15 a million tokens
PATH = ".github/workflows/agent.yml"
WORKFLOW = """\
on: [pull_request]
jobs:
  agent:
    steps:
      - uses: mergemeter/mergemeter/action@v1
      - uses: anthropics/claude-code-action@v1
"""


@cache
def prices() -> PriceList:
    return PriceList.load()


class Stage:
    """`gh` is GitHub, `world` the App's; nothing is delivered and nothing is worked on until it is asked for."""

    def __init__(self, gh: Sandbox, database: Database, slug: str = "mergemeter") -> None:
        self.gh = gh
        self.app = gh.register_app(slug=slug)
        self.waiting: list[Delivery] = []
        others = gh.hub.deliver
        gh.hub.deliver = lambda delivery: self._hear(delivery, others)
        settings = Settings(
            app_id=self.app["app_id"],
            public_url=AUDIENCE,
            oidc_audience=AUDIENCE,
            github_api_url=gh.url,
            github_web_url="https://github.com",
            debounce_s=0,
            write_spacing_s=0,
            create_spacing_s=0,
        )
        github = GitHubApp(self.app["app_id"], self.app["private_key"], gh.url)
        self.world = World(settings, database, github, prices(), self.now)
        self.worker = Worker(self.world, stories())
        self.verifier = TokenVerifier.of([gh.oidc_issuer], AUDIENCE, lambda: datetime.now().astimezone())

    def _hear(self, delivery: Delivery, others: Callable[[Delivery], None]) -> None:
        if delivery.app.app_id == self.app["app_id"]:
            self.waiting.append(delivery)
        else:
            others(delivery)

    def now(self) -> datetime:
        return self.gh.hub.now()

    def close(self) -> None:
        self.world.github.close()

    def install(self, *repositories: str, visibility: str = "private", account: str = ORGANISATION) -> int:
        """Make an organisation with these repositories, and install the App there."""
        account_id = self.gh.create_account(account)
        for repository in repositories or (REPOSITORY,):
            self.gh.create_repository(repository, visibility=visibility, files={PATH: WORKFLOW})
        self.gh.install(account)
        self.settle()
        return account_id

    def tick(self, seconds: float = 60) -> None:
        """GitHub writes whole seconds: what happens at different times must be seconds apart."""
        self.gh.advance(seconds)

    def deliver(self, deliveries: Iterable[Delivery] | None = None) -> None:
        """Hand deliveries to their stories: those given, or all that wait."""
        chosen = list(self.waiting if deliveries is None else deliveries)
        self.waiting = [delivery for delivery in self.waiting if delivery not in chosen]
        for delivery in chosen:
            event = parse(delivery.event, delivery.body)
            if event is not None:
                LISTENERS[type(event)](event, self.world)

    def settle(self) -> None:
        """Deliver what waits and do everything that is due.

        Sums that were kept before must be marked by whatever changes them: those that count are what the books say.
        """
        self.roll_up()
        self.work()
        assert self.differing() == []

    def work(self) -> None:
        """The same, without looking after sums."""
        self.deliver()
        self.worker.drain()

    def roll_up(self) -> None:
        """Compute all sums that do not count any more."""
        for account_id in self._accounts():
            with self.world.db.reading() as session:
                stale = stale_repositories(session, account_id, Month.of(self.now()), self.now())
            if stale:
                compute_and_keep(self.world.db, account_id, list(stale), self.now())

    def differing(self) -> list[str]:
        """Where sums that count are not what the books give."""
        return [each for account in self._accounts() for each in differences(self.world.db, account, self.now())]

    def _accounts(self) -> list[int]:
        with self.world.db.reading() as session:
            return list(session.exec(select(Installation.account_id)))

    def agent(
        self, repository: str = REPOSITORY, calls: int = 1, session: str = "", team: str = "platform", **event: Any
    ) -> dict[str, Any]:
        """A job in which an agent made model calls, recorded. `event`: as start_workflow_run takes it."""
        run = self.gh.start_workflow_run(repository, path=PATH, **event)
        self.report(run, calls, session or f"session-{run['run_id']}-{run['run_attempt']}", team)
        return run

    def report(
        self, run: dict[str, Any], calls: int | list[dict[str, Any]], session: str, team: str = "platform", **more: Any
    ) -> Recorded:
        """Send a job's closing record with a token of its own. CLAIMS: what it says."""
        claims = {name: more.pop(name) for name in CLAIMS if name in more}
        at = f"{self.now():%Y-%m-%dT%H:%M:%SZ}"
        listed = [self.call(f"{session}/{n}") for n in range(calls)] if isinstance(calls, int) else calls
        job = {"name": "agent", "started_at": at, **more.pop("job", {})}
        agent_run = {"agent": "claude-code", "session": session, "completeness": "complete", "calls": listed, **more}
        body = {
            "schema": "mergemeter.agent-runs/1",
            "phase": "closed",
            "action_version": "0.1.0",
            "job": job,
            "tags": {"team": team, "purpose": "author"},
            "agent_runs": [agent_run],
        }
        return self.send(run, body, **claims)

    def call(self, number: str, **changed: Any) -> dict[str, Any]:
        """One model call that costs CALL_NANO_USD."""
        return {
            "id": f"msg_{number}",
            "provider": "anthropic",
            "model": "claude-sonnet-4-5-20250929",
            "at": f"{self.now():%Y-%m-%dT%H:%M:%SZ}",
            "input_tokens": 1_000,
            "output_tokens": 1_300,
            **changed,
        }

    def send(self, run: dict[str, Any], body: dict[str, Any], **claimed: Any) -> Recorded:
        claims = self.verifier.verify(self.gh.mint_token(run, AUDIENCE, **claimed))
        with self.world.db.reading() as session:
            terms = admit(session, claims)
        sent = prepare(self.world, claims, terms, json.dumps(body).encode(), body)
        (outcome,) = record(self.world, [sent])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    # ---- what there is to see ----------------------------------------------------------------------------------

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.world.db.reading() as session:
            return list(session.connection().execute(text(query), values))

    def books(self) -> dict[tuple[str, int], int]:
        """Σ entries by book and pull number, without empty ones."""
        query = "SELECT book, number, SUM(amount_nano_usd) FROM ledger_entry GROUP BY book, number"
        return {(book, number): int(total) for book, number, total in self.rows(query) if total}

    def evidence(self) -> list[tuple[str, int | None]]:
        """Evidence and pull of each agent run, in the order of their sessions."""
        query = (
            "SELECT agent_run.evidence, tie.number FROM agent_run LEFT JOIN tie ON tie.agent_run_id = agent_run.id"
            " ORDER BY agent_run.session"
        )
        return [tuple(row) for row in self.rows(query)]

    def comment(self, number: int, repository: str = REPOSITORY) -> str | None:
        """The App's comment on a pull's cost; more than one is a failure."""
        comments = [one for one in self.gh.comments(repository, number) if one["user"]["id"] == self.app["bot_id"]]
        ours = [one for one in comments if "<!-- mergemeter:answer:" not in one["body"]]
        assert len(ours) <= 1
        return ours[0]["body"] if ours else None


MINUTE = timedelta(minutes=1)

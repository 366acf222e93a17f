"""What must be true when everything is quiet again, however it came there. Each finding is a sentence; none is best."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from app.core.pricing import PriceList
from app.core.report.check import check
from app.core.report.comment import comment
from app.core.report.marker import Kind, marker
from app.github.app import GitHubApp
from app.sandbox import Sandbox
from app.settings import Settings
from app.store.database import Database
from app.store.pulls import PullKey
from app.store.rolled_up import differences
from app.stories.allocate import read_pull, settle_around
from app.stories.publish import _page
from app.timetable import stories
from app.worker import Worker
from app.world import World
from tests.chaos.load import CALL_NANO_USD, Load

# Whatever was tried once, runs, or is due soon; what recurs hourly or looks again in two weeks may wait.
BUSY = """
    SELECT kind, state, attempts, error, lane, run_at_us FROM job
    WHERE state = 1 OR (state = 0 AND (attempts > 0 OR run_at_us <= :soon_us)) ORDER BY run_at_us
"""
SLEEPING = """
    SELECT lane.key FROM lane JOIN job ON job.lane = lane.key AND job.state < 2
    WHERE lane.next_at_us IS NULL OR lane.next_at_us > job.run_at_us
"""
WRITTEN = "SELECT (SELECT count(*) FROM ledger_entry), (SELECT count(*) FROM agent_run WHERE evidence <> '')"


def wait_until_idle(database: Database, patience_s: float) -> None:
    """Return when nothing is running or due soon. Raises with what hangs."""
    deadline = time.monotonic() + patience_s
    while busy := rows(database, BUSY, soon_us=int((time.time() + 20) * 1e6)):
        if time.monotonic() > deadline:
            raise AssertionError(f"{len(busy)} jobs are not done after {patience_s} s, the first: {busy[:5]}")
        time.sleep(0.2)


def rows(database: Database, query: str, **values: Any) -> list[Any]:
    with database.reading() as session:
        return list(session.connection().execute(text(query), values))


class Verdict:
    """Looks at the App's database and at GitHub. `figures` count what there was, `findings` say what is wrong."""

    def __init__(self, gh: Sandbox, database: Database, load: Load, bot_id: int) -> None:
        self.gh, self.database, self.load, self.bot_id = gh, database, load, bot_id
        self.figures: Counter[str] = Counter()
        self.ids = {place.name: gh.hub.repository(place.name).repository_id for place in load.places}
        self.findings = [
            *self.deliveries(), *self.jobs(), *self.records(), *self.books(), *self.certain_costs(), *self.sums(),
            *self.github(), *self.fresh(),
        ]  # fmt: skip

    def rows(self, query: str, **values: Any) -> list[Any]:
        return rows(self.database, query, **values)

    def deliveries(self) -> Iterator[str]:
        # A comment that is no command is nobody's business: it is acknowledged and not kept.
        guids = {one.guid for one in self.load.heard() if one.event != "issue_comment"}
        kept = dict(self.rows("SELECT delivery_id, state FROM inbox"))
        self.figures["deliveries"] = len(guids)
        self.figures["attempts to deliver"] = len(self.load.heard())
        if lost := guids - kept.keys():
            yield f"{len(lost)} deliveries are lost"
        if states := Counter(state for state in kept.values() if state != "done"):
            yield f"deliveries are not done: {dict(states)}"

    def jobs(self) -> Iterator[str]:
        self.figures["jobs told again"] = self.rows("SELECT count(*) FROM job WHERE attempts > 1")[0][0]
        for kind, lane, error in self.rows("SELECT kind, lane, error FROM job WHERE state = 3"):
            yield f"a {kind} in {lane} is dead: {error}"
        for (lane,) in self.rows(SLEEPING):
            yield f"the lane {lane} sleeps longer than its jobs"

    def records(self) -> Iterator[str]:
        sent = {work.session: work.calls for work in self.load.works}
        self.figures["agent runs"] = len(sent)
        query = "SELECT session, count(*), sum(model_calls), sum(calls_counted_elsewhere) FROM agent_run GROUP BY 1"
        kept = {session: tuple(map(int, counts)) for session, *counts in self.rows(query)}
        for session in sent.keys() | kept.keys():
            if kept.get(session) != (1, sent.get(session), 0):
                yield f"{session}: sent {sent.get(session)} calls, kept {kept.get(session)}"
        calls, cost = self.rows("SELECT count(*), sum(cost_nano_usd) FROM model_call")[0]
        if (calls, int(cost)) != (sum(sent.values()), sum(sent.values()) * CALL_NANO_USD):
            yield f"{calls} calls for {cost} are kept, {sum(sent.values())} were made"
        for state, count in self.rows("SELECT state, count(*) FROM workflow_job WHERE state <> 'closed' GROUP BY 1"):
            yield f"{count} workflow jobs are {state}"
        for (count,) in self.rows("SELECT count(*) FROM workflow_job WHERE run_state <> 'read' HAVING count(*) > 0"):
            yield f"the runs of {count} workflow jobs were not read"

    def books(self) -> Iterator[str]:
        by = "account_id, repository_id, book, number, month"
        entries, balances = (
            {tuple(key): int(total) for *key, total in self.rows(query) if total}
            for query in (
                f"SELECT {by}, sum(amount_nano_usd) FROM ledger_entry GROUP BY {by}",
                f"SELECT {by}, amount_nano_usd FROM balance",
            )
        )
        if entries != balances:
            yield f"balances differ from entries: {sorted(entries.items() ^ balances.items())[:4]}"
        if off := sum(entries.values()):
            yield f"the ledger is off by {off}"
        usage = -sum(total for key, total in entries.items() if key[2] == "usage")
        if usage != (charged := sum(work.calls for work in self.load.works) * CALL_NANO_USD):
            yield f"the ledger knows of {usage}, charged was {charged}"

    def certain_costs(self) -> Iterator[str]:
        """What the signed ref alone decides must be with its pull, at least: other evidence may add to it."""
        query = """
            SELECT ledger_entry.repository_id, ledger_entry.number, sum(amount_nano_usd) FROM ledger_entry
            JOIN agent_run ON agent_run.id = agent_run_id JOIN workflow_job ON workflow_job.id = workflow_job_id
            WHERE event_name IN ('pull_request', 'schedule') AND book <> 'usage' GROUP BY 1, 2
        """
        found = {(repository, number): int(total) for repository, number, total in self.rows(query) if total}
        wanted = {(self.ids[place], number): cost for (place, number), cost in self.load.certain.items()}
        if found != wanted:
            yield f"costs sit elsewhere: {sorted(found.items() ^ wanted.items())[:6]}"

    def sums(self) -> Iterator[str]:
        """Sums that metrics are read from, where they count: workers died while they computed them."""
        (self.figures["repositories with sums"],) = self.rows("SELECT count(*) FROM rollup_state")[0]
        for (account_id,) in self.rows("SELECT account_id FROM installation"):
            yield from differences(self.database, account_id, datetime.now(UTC))

    # ---- what stands on GitHub -----------------------------------------------------------------------------------

    def github(self) -> Iterator[str]:
        tied = {(r, n) for r, n in self.rows("SELECT DISTINCT repository_id, number FROM tie")}
        self.figures["tied pulls"] = len(tied)
        checks = self.our_checks()
        for place in self.load.places:
            for number in self.gh.hub.repository(place.name).pulls:
                pull, here = self.gh.pull(place.name, number), f"{place.name}#{number}"
                due = (self.ids[place.name], number) in tied
                self.figures["pulls"] += 1
                comments = self.our_comments(place.name, number)
                self.figures["comments"] += len(comments)
                if len(comments) != (wanted := int(due and bool(pull["merged_at"]))):
                    yield f"{here} has {len(comments)} comments of ours instead of {wanted}"
                heads = checks[self.ids[place.name], number]
                if due and pull["head"]["sha"] not in heads:
                    yield f"{here} has no check on its head"
                for sha, count in heads.items():
                    self.figures["checks"] += count
                    # Without a tie it says so: what was tied found its own pull when more came to be known.
                    self.figures["checks without a tie"] += not due
                    if count != 1:
                        yield f"{here} has {count} checks on {sha}: {self.told(place.name, number)}"
        for key, state in self.rows("SELECT key, state FROM effect WHERE state NOT IN ('written', 'overtaken')"):
            yield f"{key} is {state}"

    def told(self, place: str, number: int) -> list[str]:
        runs = self.gh.checks(place, number)
        return [f"{one['started_at']} {one['output']['title']} ({len(one['annotations'])} notices)" for one in runs]

    def our_comments(self, place: str, number: int) -> list[str]:
        return [one["body"] for one in self.gh.comments(place, number) if one["user"]["id"] == self.bot_id]

    def our_checks(self) -> dict[tuple[int, int], Counter[str]]:
        """How many there are by repository and pull, and by commit."""
        found: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
        for run in self.gh.hub.checks.values():
            if run.app_id == self.load.app["app_id"]:
                _, repository, number = run.external_id.split(":")
                found[int(repository), int(number)][run.head_sha] += 1
        return found

    # ---- a fresh computation ---------------------------------------------------------------------------------------

    def fresh(self) -> Iterator[str]:
        """Read every pull again, settle and publish again: nothing may change, and what stands says what is so."""
        app = self.load.app
        settings = Settings(
            app_id=app["app_id"], public_url="https://meter.example", github_api_url=self.gh.url, debounce_s=0,
            write_spacing_s=0, create_spacing_s=0,
        )  # fmt: skip
        github = GitHubApp(app["app_id"], app["private_key"], self.gh.url)
        world = World(settings, self.database, github, PriceList.load(), lambda: datetime.now(UTC))
        keys = {(p.name, n): self.key(p.name, n) for p in self.load.places for n in self.pulls_of(p.name)}
        before, written = self.rows(WRITTEN), len(self.gh.writes())
        pulls = self.rows("SELECT repository_id, number, state, head_sha, merged_at_us FROM pull ORDER BY 1, 2")
        for key in keys.values():
            read_pull(world, key)
            settle_around(world, key)
        Worker(world, stories()).drain()
        if pulls != self.rows("SELECT repository_id, number, state, head_sha, merged_at_us FROM pull ORDER BY 1, 2"):
            yield "what was known of pulls was not what GitHub says"
        if before != self.rows(WRITTEN):
            yield f"settling again changed the books: {before} to {self.rows(WRITTEN)}"
        if more := self.gh.writes()[written:]:
            yield f"publishing again wrote: {more[:4]}"
        for (place, number), key in keys.items():
            yield from self.stale(world, place, number, key)
        github.close()

    def stale(self, world: World, place: str, number: int, key: PullKey) -> Iterator[str]:
        with world.db.reading() as session:
            page = _page(session, world, key)
        assert page is not None, f"{place}#{number} is not known"
        mark = marker(Kind.COMMENT, key.repository_id, number)
        for body in self.our_comments(place, number):
            if words(body) != words(comment(page.cost, mark)):
                yield f"the comment on {place}#{number} is stale"
        ours = [one for one in self.gh.checks(place, number) if one["external_id"].endswith(f":{number}")]
        if ours:
            output, youngest = check(page.cost), max(ours, key=lambda one: int(one["id"]))
            said = youngest["output"]["title"], words(youngest["output"]["summary"]), words(youngest["output"]["text"])
            if said != (output.title, words(output.summary), words(output.text)):
                yield f"the check on {place}#{number} is stale"

    def pulls_of(self, place: str) -> list[int]:
        return list(self.gh.hub.repository(place).pulls)

    def key(self, place: str, number: int) -> PullKey:
        repository = self.gh.hub.repository(place)
        return PullKey(repository.owner.account_id, repository.repository_id, number)


def words(said: str | None) -> str:
    """A text without what it tells of the rest of the repository, which was so when it was written."""
    return re.sub(r"Unattributed in this repository[^<\n]*", "", said or "").strip()

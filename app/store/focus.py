"""What a month states of each agent run, with its calls summed by price: what FOCUS rows are made of. Reads only.

In ranges of agent runs; sums are the database's work.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlmodel import Session

from app.core.chargeback.ownership import Owners, RunFacts
from app.core.chargeback.periods import Coverage
from app.core.config import Config
from app.core.focus.origins import Run
from app.core.focus.spread import NOTHING, Holding, Spot, Stated
from app.core.ledger import Book
from app.core.month import Month
from app.core.workflow_lines import own_workflow, workflow_file
from app.store.keys import instant, us
from app.store.pull_fates import NOWHERE
from app.store.raw import Raw
from app.store.stated import TEXTS, BooksBrokenError, Reader, sum_of

RUNS_AT_ONCE = 10_000
LAST_KEY = "g"  # keys are hexadecimal
# A key is made when a record comes. Calls that are dated further ahead than this are refused.
AHEAD = timedelta(days=2)
UNATTRIBUTED, ABANDONED = Spot(Book.UNATTRIBUTED), Spot(Book.ABANDONED)
NOWHERE_YET: Holding = {UNATTRIBUTED: 0}

Calls = list[tuple[tuple[Any, ...], tuple[int, ...]]]  # fields of Deal, and of Used
Stating = tuple[Stated, Calls]


class Range(NamedTuple):
    """Agent runs whose ids are behind `after`, up to `last`."""

    after: str
    last: str


class StatedRuns:
    """A month's agent runs, one after the other. `tier_starts`: where price tiers of some models begin.

    `with_late`: also what it states of months before it. `known_until_us`: when it began to close; None: it is open.
    """

    def __init__(
        self,
        session: Session,
        account_id: int,
        covered: Coverage,
        config: Config,
        owners: Owners,
        tier_starts: Callable[[Collection[str]], Collection[int]],
        with_late: bool,
        known_until_us: int | None = None,
    ) -> None:
        self.reader = Reader(session, account_id, covered)
        self._session, self._connection = session, session.connection()
        self._account_id, self._covered = account_id, covered
        self._config, self._owners = config, owners
        self._tier_starts = tier_starts
        self._until = covered.last
        self._with_late, self._known_until_us = with_late, known_until_us
        self._models: set[str] = set()
        self._starts: set[int] = set()
        self._workflows: dict[tuple[str, str], tuple[str, str]] = {}
        self.amount = 0

    def __iter__(self) -> Iterator[Stating]:
        """Raises BooksBrokenError at the end where something of the ledger was nobody's."""
        self.amount = 0
        late = self.reader.late() if self._with_late else {}
        amount = self.reader.booked() + sum_of(late)
        start = f"{us(self._covered.month.start - AHEAD) // 1000:012x}"
        for month, amounts in late.items():
            yield from self._late(month, list(amounts))
        for each in self._ranges(start):
            yield from self._own(each)
        if amount != self.amount:  # a clock was wrong: the keys of some are older than the month
            for each in self._ranges("", start):
                yield from self._own(each)
        if amount != self.amount:
            raise BooksBrokenError(
                f"the books have {amount} nano-USD of {self._covered.month}, but the entries of its agent runs sum to"
                f" {self.amount}"
            )

    def _ranges(self, after: str, end: str = LAST_KEY) -> Iterator[Range]:
        """All agent runs behind an id and up to another, parted."""
        while True:
            values = {"account_id": self._account_id, "after": after, "end": end, "most": RUNS_AT_ONCE - 1}
            last = self._connection.execute(BOUND, values).scalar() or self._connection.execute(LAST, values).scalar()
            if last is None:
                return
            yield Range(after, last)
            after = last

    def _own(self, each: Range) -> Iterator[Stating]:
        month = self._covered.month
        values = {
            "account_id": self._account_id,
            "after": each.after,
            "last": each.last,
            "month": int(month),
            "until": self._until,
            "start_us": us(month.start),
            "end_us": us(month.end),
        }
        held = self._holdings(HELD.format(chosen=IN_RANGE), values, month)
        rows = self._rows(FACTS.format(chosen=RUN_IN_RANGE), values)
        calls = self._used(rows, IN_RANGE, values)
        for row in rows:
            after, used = held.get(row[0], NOTHING), calls.get(row[0], [])
            if after or self._cost_nothing(row, used):
                run, covered_by = self._run(row)
                self.amount += sum(after.values())
                yield Stated(run, month, after or self._tied(run), NOTHING, covered_by), used

    def _late(self, month: Month, ids: Sequence[str]) -> Iterator[Stating]:
        """What is stated now of a month that had closed before."""
        covered = {"account_id": self._account_id, "after": self._covered.after, "until": self._until}
        bounds = {**covered, "month": int(month), "start_us": us(month.start), "end_us": us(month.end)}
        chosen = f"IN ({TEXTS[self._connection.dialect.name]})"
        for done in range(0, len(ids), RUNS_AT_ONCE):
            values = {**bounds, "ids": json.dumps(ids[done : done + RUNS_AT_ONCE])}
            after = self._holdings(HELD.format(chosen=f"agent_run_id {chosen}"), values, month)
            before = self._holdings(
                HELD.format(chosen=f"agent_run_id {chosen}"), values | {"until": self._covered.after}, month
            )
            rows = self._rows(FACTS.format(chosen=f"agent_run.id {chosen}"), values)
            calls = self._used(rows, f"agent_run_id {chosen}", values)
            for row in rows:
                run, covered_by = self._run(row)
                held, was = (_without_abandoned(each.get(row[0], NOTHING)) for each in (after, before))
                self.amount += sum(held.values()) - sum(was.values())
                if held != was:
                    yield Stated(run, month, held, was, covered_by), calls.get(row[0], [])

    def _run(self, row: Any) -> tuple[Run, str]:
        """What rows say of a run, and the subscription that pays for it."""
        run_id, home_id, agent, team, began_us, workflow, workflow_ref, properties, _, _ = row
        owner, name, _ = self.reader.names.get(home_id, NOWHERE)
        repository = f"{owner}/{name}" if name else ""
        shown, file = self._workflow(workflow_ref, repository)
        payer = self._owners.owner_of(RunFacts(home_id, name, file, agent, team, properties, instant(began_us)))
        tag = team if self._config.names_a_team(team, name) else ""
        return Run(run_id, agent, home_id, repository, shown or workflow, tag, payer.cost_center), payer.covered_by

    def _cost_nothing(self, row: Any, used: Calls) -> bool:
        """Whether calls that are in no book are the month's: they cost nothing, and were known when it closed."""
        known = self._known_until_us is None or row[9] <= self._known_until_us
        return bool(used) and known and not any(amounts[9] for _, amounts in used)

    def _workflow(self, workflow_ref: str, repository: str) -> tuple[str, str]:
        """The workflow's path where its file is the repository's own, and the file's name."""
        key = workflow_ref, repository
        if key not in self._workflows:
            self._workflows[key] = own_workflow(workflow_ref, repository), workflow_file(workflow_ref)
        return self._workflows[key]

    def _tied(self, run: Run) -> Holding:
        """Where the use of a run stands that cost nothing, and so is in no book."""
        ties = self._rows(TIES, {"account_id": self._account_id, "agent_run_id": run.agent_run_id})
        return {self._spot(Book.PULL.value, repository_id, number): 0 for repository_id, number in ties} or NOWHERE_YET

    def _spot(self, book: str, repository_id: int, number: int) -> Spot:
        if book != Book.PULL.value:
            return Spot(Book(book))
        owner, name, _ = self.reader.names.get(repository_id, NOWHERE)
        return Spot(Book.PULL, number, f"{owner}/{name}")

    def _holdings(self, statement: str, values: Mapping[str, Any], month: Month) -> dict[str, dict[Spot, int]]:
        found: dict[str, dict[Spot, int]] = {}
        for run_id, book, repository_id, number, amount in self._rows(statement, {**values, "month": int(month)}):
            found.setdefault(run_id, {})[self._spot(book, repository_id, number)] = amount
        return found

    def _used(self, runs: Iterable[tuple[Any, ...]], chosen: str, values: Mapping[str, Any]) -> dict[str, Calls]:
        models = {model for names in {row[8] for row in runs} for model in json.loads(names)}
        starts = self._tier_starts(models - self._models)
        self._models |= models
        self._starts |= set(starts)
        statement = CALLS.format(chosen=chosen, prompt=_tier(self._starts), sums=SUMS)
        found: dict[str, Calls] = {}
        for row in self._rows(statement, values):
            found.setdefault(row[0], []).append((row[1:10], row[10:]))
        return found

    def _rows(self, statement: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """All rows, from the driver itself: a range has 50,000 of them."""
        return Raw(statement).run(self._session, values).fetchall()


def _without_abandoned(holding: Holding) -> Holding:
    """What waited for a pull and found none stays where it was told to be: nobody's cost changes by it."""
    abandoned = holding.get(ABANDONED)
    if abandoned is None:
        return holding
    rest = {spot: amount for spot, amount in holding.items() if spot != ABANDONED}
    return rest | {UNATTRIBUTED: rest.get(UNATTRIBUTED, 0) + abandoned}


def _tier(starts: Collection[int]) -> str:
    """The number of prompt tokens that stands for a call's price tier, as SQL."""
    cases = " ".join(f"WHEN {PROMPT} > {int(start)} THEN {int(start) + 1}" for start in sorted(starts, reverse=True))
    return f"CASE {cases} ELSE 0 END" if cases else "0"


PROMPT = "(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens + cache_write_other_tokens)"
IN_RANGE = "agent_run_id > :after AND agent_run_id <= :last"
RUN_IN_RANGE = "agent_run.id > :after AND agent_run.id <= :last"
BOUND = text("""
    SELECT id FROM agent_run WHERE account_id = :account_id AND id > :after AND id <= :end
    ORDER BY id LIMIT 1 OFFSET :most
""")
LAST = text("SELECT MAX(id) FROM agent_run WHERE account_id = :account_id AND id > :after AND id <= :end")
HELD = """
    SELECT agent_run_id, book, repository_id, number, CAST(SUM(amount_nano_usd) AS bigint) FROM ledger_entry
    WHERE account_id = :account_id AND {chosen} AND month = :month AND id <= :until AND book <> 'usage'
    GROUP BY agent_run_id, book, repository_id, number HAVING SUM(amount_nano_usd) <> 0
    ORDER BY agent_run_id, book, repository_id, number
"""
SUMMED = (
    "input_tokens cache_read_tokens cache_write_5m_tokens cache_write_1h_tokens cache_write_other_tokens output_tokens"
    " reasoning_tokens web_searches cost_nano_usd list_cost_nano_usd"
)
SUMS = ", ".join(f"CAST(SUM(COALESCE({name}, 0)) AS bigint)" for name in SUMMED.split())
CALLS = """
    SELECT agent_run_id, at_us / 1800000000 AS half_hour, provider, model, service_tier, speed, price_list,
           {prompt} AS prompt, CASE WHEN cost_nano_usd IS NULL THEN 0 ELSE 1 END AS priced,
           CASE WHEN list_cost_nano_usd IS NULL THEN 0 ELSE 1 END AS listed, COUNT(*), {sums}
    FROM model_call
    WHERE account_id = :account_id AND {chosen} AND at_us >= :start_us AND at_us < :end_us
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""
FACTS = """
    SELECT agent_run.id, agent_run.repository_id, agent_run.agent, agent_run.team, agent_run.started_at_us,
           job.workflow, job.workflow_ref, job.repository_properties, agent_run.models,
           COALESCE(job.closed_at_us, job.opened_at_us)
    FROM agent_run JOIN workflow_job AS job ON job.id = agent_run.workflow_job_id
    WHERE agent_run.account_id = :account_id AND {chosen} ORDER BY agent_run.id
"""
TIES = """
    SELECT repository_id, number FROM tie
    WHERE account_id = :account_id AND agent_run_id = :agent_run_id ORDER BY repository_id, number
"""

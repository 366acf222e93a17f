"""Holds what the App's books say against the truth: precision, recall, conservation, and the same for any order."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from app.store.database import Database
from app.store.pulls import reversals_of
from app.store.rolled_up import differences
from tests.simulate.replay import Told
from tests.simulate.truth import AgentRunTruth, Pulls
from tests.simulate.world import World

COLUMNS = ("right", "wrong", "missed", "undecidable", "other level", "refused")
DIRECT_AND_DERIVED = {"E1", "E3", "E4", "E5", "E6"}


@dataclass(frozen=True)
class Found:
    """What the App made of one agent run. `sits`: nano-USD by book and pull number, without what is zero."""

    evidence: str
    note: str
    ties: Pulls
    repositories: frozenset[int]
    tied: tuple[int, ...]
    sits: tuple[tuple[str, int, int], ...]
    workflow_job_id: str = ""

    @property
    def pulls(self) -> Pulls:
        return frozenset(number for book, number, _ in self.sits if book == "pull")


@dataclass(frozen=True)
class Mistake:
    """One agent run with another answer than it should have."""

    kind: str
    truth: AgentRunTruth
    found: Found | None

    def __str__(self) -> str:
        truth, found = self.truth, self.found
        made = "no record" if found is None else f"{found.evidence or '–'} {sorted(found.pulls)} ({found.note})"
        wanted = f"{truth.levels or '–'} {sorted(truth.expected)}, served {sorted(truth.served)}"
        return f"{truth.case}: {self.kind}: {truth.session} in {truth.repository_id}: {made}; should be {wanted}"


@dataclass
class Score:
    """`by_case`: counts of COLUMNS by case. `broken`: laws that do not hold, in words."""

    by_case: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    mistakes: list[Mistake] = field(default_factory=list)
    by_level: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    reverts: Counter[str] = field(default_factory=Counter)
    reverts_by_case: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    states: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    sums_held: int = 0  # repositories whose sums were held against the books
    links: int = 0
    right_links: int = 0

    @property
    def precision(self) -> float:
        """Of direct and derived links, the part that is true."""
        return self.right_links / self.links if self.links else 1.0

    @property
    def recall(self) -> float:
        """Of the agent runs whose pull the evidence tells, the part that was found."""
        sums = self.sums()
        known = sums["right"] + sums["missed"] + sums["wrong"]
        return sums["right"] / known if known else 1.0

    def sums(self) -> Counter[str]:
        return sum(self.by_case.values(), Counter())

    def failing(self) -> set[str]:
        """The cases that did not come out as they should."""
        bad = ("wrong", "missed", "for ever", "no record")
        of_runs = {case for case, counts in self.by_case.items() if any(counts[kind] for kind in bad)}
        return of_runs | {case for case, counts in self.reverts_by_case.items() if counts["wrong"] or counts["missed"]}


def score(world: World, database: Database, told: Told) -> Score:
    """The score of one App that lived through the world."""
    result = Score()
    found = findings(database)
    for truth in world.truth.agent_runs.values():
        kind = verdict(truth, found.get(truth.session), told)
        result.by_case[truth.case][kind] += 1
        made = found.get(truth.session)
        if kind in ("wrong", "missed", "no record"):
            result.mistakes.append(Mistake(kind, truth, made))
        if made is None:
            continue
        if made.evidence:
            result.by_level[made.evidence]["right" if kind == "right" else "wrong"] += 1
        if made.workflow_job_id in told.loops:
            result.by_case[truth.case]["for ever"] += 1
            result.mistakes.append(Mistake("a job that asks for itself for ever", truth, made))
        if kind == "right" and made.evidence not in truth.levels.split():
            result.by_case[truth.case]["other level"] += 1
            result.mistakes.append(Mistake("other level", truth, made))
        if made.evidence in DIRECT_AND_DERIVED:
            result.links += 1
            result.right_links += kind == "right"
    for session in found.keys() - world.truth.agent_runs.keys():
        result.broken.append(f"an agent run that never was: {session}")
    _conserved(result, world, database, found)
    _reverts(result, world, database)
    _states(result, world, database)
    _sums(result, world, database)
    return result


def verdict(truth: AgentRunTruth, found: Found | None, told: Told) -> str:
    if found is None:
        return "refused" if truth.session in told.refused else "no record"
    where = found.repositories or {truth.pulls_in or truth.repository_id}
    if where != {truth.pulls_in or truth.repository_id}:
        return "wrong"
    if "E8" in (truth.levels, found.evidence):
        books = {book for book, _, _ in found.sits}
        return "right" if truth.levels == found.evidence and books == {"overhead"} else "wrong"
    if found.pulls == truth.expected or found.pulls in truth.also:
        return "right" if found.pulls else "undecidable"
    return "wrong" if found.pulls else "missed"


def findings(database: Database) -> dict[str, Found]:
    """What the App made of each agent run, by session."""
    ties, repositories, sits = defaultdict(set), defaultdict(set), defaultdict(list)
    for agent_run_id, repository_id, number in _rows(database, "SELECT agent_run_id, repository_id, number FROM tie"):
        ties[agent_run_id].add(int(number))
        repositories[agent_run_id].add(int(repository_id))
    query = (
        "SELECT agent_run_id, book, number, SUM(amount_nano_usd) FROM ledger_entry WHERE book <> 'usage'"
        " GROUP BY agent_run_id, book, number ORDER BY agent_run_id, book, number"
    )
    for agent_run_id, book, number, amount in _rows(database, query):
        if amount:
            sits[agent_run_id].append((str(book), int(number), int(amount)))
    query = "SELECT id, session, evidence, evidence_note, tied_pulls, workflow_job_id FROM agent_run"
    return {
        session: Found(
            evidence,
            note,
            frozenset(ties[key]),
            frozenset(repositories[key]),
            tuple(json.loads(tied)),
            tuple(sits[key]),
            job,
        )
        for key, session, evidence, note, tied, job in _rows(database, query)
    }


def books(database: Database) -> dict[str, tuple[object, ...]]:
    """What must be the same for any order."""
    return {
        session: (found.evidence, sorted(found.ties), found.tied, found.sits)
        for session, found in findings(database).items()
    }


def _conserved(result: Score, world: World, database: Database, found: dict[str, Found]) -> None:
    """Each agent run's cost sits somewhere, all of it; the balances are the sums of the entries; all sums to zero."""
    for session, made in found.items():
        truth = world.truth.agent_runs.get(session)
        amount = sum(amount for _, _, amount in made.sits)
        if truth is not None and amount != truth.cost_nano_usd:
            result.broken.append(f"{session} cost {truth.cost_nano_usd} and holds {amount}")
        if any(held < 0 for _, _, held in made.sits):
            result.broken.append(f"{session} holds less than nothing somewhere: {made.sits}")
        if made.ties != made.pulls:
            result.broken.append(f"{session} is tied to {sorted(made.ties)} and sits on {sorted(made.pulls)}")
        if made.pulls and len({held for book, _, held in made.sits if book == "pull"}) > len(made.pulls):
            result.broken.append(f"{session} is not split")
    keys = "account_id, repository_id, book, number, month"
    grouped = f"SELECT {keys}, SUM(amount_nano_usd) FROM %s GROUP BY {keys} HAVING SUM(amount_nano_usd) <> 0"
    entries, balances = (
        {tuple(map(str, row)) for row in _rows(database, grouped % t)} for t in ("ledger_entry", "balance")
    )
    if entries != balances:
        result.broken.append(f"balances differ from entries in {len(entries ^ balances)} places")
    off = "SELECT transaction_id FROM ledger_entry GROUP BY transaction_id HAVING SUM(amount_nano_usd) <> 0"
    result.broken += [f"transaction {row[0]} does not sum to zero" for row in _rows(database, off)]


def _reverts(result: Score, world: World, database: Database) -> None:
    """Which pull reverts which, and which are reverted in the end, as the App's own reader tells."""
    told: set[tuple[int, int, int]] = set()
    for_good: set[tuple[int, int]] = set()
    for account, repository in _rows(database, "SELECT DISTINCT account_id, repository_id FROM pull"):
        with database.reading() as session:
            found = reversals_of(session, int(account), int(repository))
        told |= {(int(repository), by, number) for number, reverting in found.by.items() for by in reverting}
        for_good |= {(int(repository), number) for number in found.for_good()}
    known = [truth for truth in world.truth.reverts if truth.known]
    undone = {(truth.repository_id, truth.reverts) for truth in known}
    wanted = {(one.repository_id, one.reverts) for one in known if (one.repository_id, one.number) not in undone}
    result.reverts["reverted in the end"] = len(for_good & wanted)
    result.reverts["wrongly reverted or not"] = len(for_good ^ wanted)
    for truth in world.truth.reverts:
        link = truth.repository_id, truth.number, truth.reverts
        kind = "right" if link in told else "missed" if truth.known else "undecidable"
        told.discard(link)
        result.reverts[kind] += 1
        result.reverts_by_case[truth.case][kind] += 1
    result.reverts["wrong"] += len(told)
    result.broken += [f"#{by} does not revert #{number} in {repository}" for repository, by, number in told]


def _states(result: Score, world: World, database: Database) -> None:
    """Each pull's state and times as GitHub has them now."""
    query = "SELECT repository_id, number, state FROM pull"
    known = {(int(repository), int(number)): str(state) for repository, number, state in _rows(database, query)}
    for repository in world.github.whole.repositories.values():
        for number, pull in repository.pulls.items():
            state = "merged" if pull.merged_at else pull.issue.state
            made = known.get((repository.repository_id, number))
            result.states["right" if made == state else "unknown" if made is None else "stale"] += 1


def _sums(result: Score, world: World, database: Database) -> None:
    """Sums that metrics are read from: those that still count, computed on any day before, are what the books give."""
    for (account_id,) in _rows(database, "SELECT account_id FROM installation"):
        told = differences(database, account_id, world.github.now())
        result.broken += [f"the sums of {one} are not the books'" for one in told]
    (result.sums_held,) = _rows(database, "SELECT COUNT(*) FROM rollup_state")[0]


def table(result: Score) -> str:
    """By case, in counts; the sums; the figures."""
    columns = [*COLUMNS, *sorted(result.sums().keys() - set(COLUMNS))]
    lines = [f"{'case':<40}" + "".join(f"{name:>13}" for name in columns)]
    rows = [*sorted(result.by_case.items()), ("all", result.sums())]
    lines += [f"{case:<40}" + "".join(f"{counts[name] or '·':>13}" for name in columns) for case, counts in rows]
    lines.append("")
    lines.append(f"precision {result.precision:.4%} of {result.links} links, recall {result.recall:.4%}")
    by_level = ", ".join(f"{level} {dict(counts)}" for level, counts in sorted(result.by_level.items()))
    lines.append(f"by level: {by_level}")
    lines.append(f"reverts: {dict(result.reverts)}; states of pulls: {dict(result.states)}")
    lines.append(f"laws broken: {len(result.broken)}; sums of {result.sums_held} repositories are held to the books")
    lines += [f"  {one}" for one in result.broken[:10]]
    return "\n".join(lines)


def _rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.reading() as session:
        return [tuple(row) for row in session.connection().execute(text(query))]

"""Nothing that was issued was altered: hold the chain of statements, their documents and the ledger against each other.

From the outside in: each statement's hash and its place in the chain, its columns, what happened to it, its lines and
adjustments against the ledger entries that it covers (by their hash), these against the charges of model calls; each
journal, and the statements that it books. Whoever
can write the database can also make all hashes anew: hold the last one against an issued statement, which names it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from app.core.chargeback.assembly import fees_of
from app.core.chargeback.periods import PeriodState, StatementState
from app.core.chargeback.statement import Adjustment, Line, Statement, canonical, digest, parsed
from app.core.month import Month
from app.store.adjustments import adjustments_of
from app.store.chargeback_tables import AdjustmentRow, PeriodRow, StatementEvent, StatementRow
from app.store.compressed import decompressed
from app.store.journal_proofs import wrong_journals
from app.store.keys import us
from app.store.periods import config_of_period, config_sha256, coverage_of, periods_of
from app.store.proofs import unbalanced_transactions, wrong_balances, wrong_models, wrong_runs
from app.store.stated import BooksBrokenError, Stated, read_stated
from app.store.statements import all_events, statements_of
from app.world import World

MOST_TOLD = 100


@dataclass(frozen=True, slots=True)
class Verified:
    """What was held against each other, and a sentence for each fault. `last`: the hash at the end of the chain."""

    statements: int
    periods: int
    faults: Sequence[str]
    last: str


def verify(world: World, account_id: int) -> Verified:
    """Hold everything of an account against its proofs. Reads only."""
    with world.db.reading() as session:
        rows, periods = statements_of(session, account_id), periods_of(session, account_id)
        events = all_events(session, account_id)
        entered = {row.month: adjustments_of(session, account_id, Month.from_int(row.month)) for row in periods}
        coverages = {row.month: coverage_of(session, account_id, Month.from_int(row.month)) for row in periods}
        faults = [*unbalanced_transactions(session, account_id), *wrong_runs(session, account_id)]
        faults += [*wrong_models(session, account_id), *wrong_balances(session, account_id)]
        faults += [*wrong_journals(session, account_id, rows)]
    faults += [*_chain(rows), *_happened(rows, events), *_periods(periods, rows)]
    for period in periods:
        if period.state != PeriodState.CLOSED.value:
            continue
        # A month at a time: the lines of a large organisation's years are more than should be held.
        documents, told = _documents([row for row in rows if row.month == period.month])
        faults += told
        try:
            found = read_stated(world.db, account_id, coverages[period.month])
        except (BooksBrokenError, ValueError) as broken:
            faults.append(f"{Month.from_int(period.month)}: {broken}")
            continue
        faults += _month(documents, found, entered[period.month], period)
    return Verified(len(rows), len(periods), faults[:MOST_TOLD], rows[-1].sha256 if rows else "")


def _name(row: StatementRow | Statement) -> str:
    return f"{row.number} v{row.version}"


def _documents(rows: Sequence[StatementRow]) -> tuple[list[Statement], list[str]]:
    """The documents that can be read, and what is wrong with each by itself and beside its columns."""
    documents, faults = [], []
    for row in rows:
        try:
            raw = decompressed(row.document)
            statement = parsed(raw)
        except Exception as broken:  # noqa: BLE001 - whatever a flipped byte makes of it
            faults.append(f"{_name(row)}: its document cannot be read ({type(broken).__name__})")
            continue
        documents.append(statement)
        if digest(raw) != row.sha256 or digest(row.document) != row.kept_sha256:
            faults.append(f"{_name(row)}: its document was altered: it does not have the hash {row.sha256[:12]}")
        if canonical(statement) != raw:
            faults.append(f"{_name(row)}: its document is not in the form in which it was issued")
        faults += [f"{_name(row)}: {name} is not what its document says" for name in _differing(row, statement)]
    return documents, faults


def _differing(row: StatementRow, statement: Statement) -> Iterator[str]:
    same = {
        "account_id": (row.account_id, statement.account_id),
        "month": (row.month, int(statement.month)),
        "cost_center": (row.cost_center, statement.cost_center),
        "version": (row.version, statement.version),
        "number": (row.number, statement.number),
        "chargeback": (bool(row.chargeback), statement.chargeback),
        "total_nano_usd": (row.total_nano_usd, statement.total),
        "total_cents": (row.total_cents, statement.total_cents),
        "previous_sha256": (row.previous_sha256, statement.previous_sha256),
        "issued_at": (row.issued_at_us, us(statement.issued_at)),
    }
    for name, (column, told) in same.items():
        if column != told:
            yield name
    parts = [each.cents for group in _groups(statement) for each in group]
    if sum(parts) + statement.distributed_cents != statement.total_cents:
        yield "the sum of its cents"


def _groups(statement: Statement) -> tuple[Sequence[Line], ...]:
    return statement.lines, statement.fees, statement.shared, statement.adjustments  # type: ignore[return-value]


def _chain(rows: Sequence[StatementRow]) -> Iterator[str]:
    before = ""
    for link, row in enumerate(rows, 1):
        if row.link != link:
            yield f"{_name(row)}: the chain has a gap before it (link {row.link}, expected {link})"
            return
        if row.previous_sha256 != before:
            yield f"{_name(row)}: it does not follow the statement before it in the chain"
        before = row.sha256


def _happened(
    rows: Sequence[StatementRow], events: Mapping[tuple[int, str], Sequence[StatementEvent]]
) -> Iterator[str]:
    for row in rows:
        happened = events.get((row.month, row.cost_center), ())
        own = [each.event for each in happened if each.version == row.version]
        states = [STATES[each] for each in own if each in STATES]
        if not states or states[-1] != row.state:
            told = ", ".join(own) or "nothing"
            yield f"{_name(row)}: it is {row.state}, but that is not what happened to it ({told})"


STATES = {
    "issued": StatementState.ISSUED,
    "accepted": StatementState.ACCEPTED,
    "disputed": StatementState.DISPUTED,
    "resolved": StatementState.REPLACED,
    "posted": StatementState.POSTED,
    "reversed": StatementState.ACCEPTED,
}


def _periods(periods: Sequence[PeriodRow], rows: Sequence[StatementRow]) -> Iterator[str]:
    until = 0
    for number, period in enumerate(periods):
        month = Month.from_int(period.month)
        if number and month != Month.from_int(periods[number - 1].month).next:
            yield f"{month}: the month before it is not closed"
        if period.ledger_until < until:
            yield f"{month}: it knows less of the ledger than the month before it"
        until = period.ledger_until
    known = {period.month for period in periods if period.state == PeriodState.CLOSED.value}
    for row in rows:
        if row.month not in known:
            yield f"{_name(row)}: its month has not closed"


def _month(
    documents: Sequence[Statement], found: Stated, entered: Sequence[AdjustmentRow], period: PeriodRow
) -> Iterator[str]:
    """A month's documents against the ledger, the adjustments that were entered, and the fees."""
    lines = {name: found.states.lines_of(name) for name in found.states.lines}
    adjusted = {name: found.states.adjustments_of(name) for name in found.states.adjustments}
    issued = {each.cost_center for each in documents}
    for each in documents:
        for name in ("ledger_until", "config_sha256"):
            if getattr(each, name) != (period.ledger_until if name == "ledger_until" else config_sha256(period)):
                yield f"{_name(each)}: {name} is not what its month says"
        yield from _against(each, lines.get(each.cost_center, ()), adjusted.get(each.cost_center, ()), entered)
    for name in sorted((lines.keys() | adjusted.keys() | {each.cost_center for each in entered}) - issued):
        yield f"{Month.from_int(period.month)}: there is no statement for {name}, but the ledger has costs of it"
    firsts = [each for each in documents if each.version == 1]
    fees = fees_of(config_of_period(period).chargeback, Month.from_int(period.month))
    wanted = 0
    wanted += sum(line.amount for own in lines.values() for line in own)
    wanted += sum(each.amount for own in adjusted.values() for each in own)
    wanted += sum(each.amount_nano_usd for each in entered) + sum(fee.amount for own in fees.values() for fee in own)
    if (total := sum(each.total for each in firsts)) != wanted:
        off = total - wanted
        yield f"{Month.from_int(period.month)}: its statements are {off} nano-USD off ledger, fees and adjustments"


def _against(
    statement: Statement,
    lines: Sequence[Line],
    adjusted: Sequence[Adjustment],
    entered: Sequence[AdjustmentRow],
) -> Iterator[str]:
    told, wanted = ({_key(line): line for line in own} for own in (statement.lines, lines))
    for key in sorted(told.keys() | wanted.keys()):
        where = f"{_name(statement)}: {key[0]} {key[1]}{f'#{key[2]}' if key[2] else ''}"
        if key not in told or key not in wanted:
            yield f"{where}: it is {'not in the ledger' if key in told else 'in the ledger, not in the statement'}"
        elif _plain(told[key]) != _plain(wanted[key]):
            yield f"{where}: {_why(told[key], wanted[key])}"
    made = [each for each in statement.adjustments if each.proof is not None]
    if [_bare(each) for each in made] != [_bare(each) for each in adjusted]:
        yield f"{_name(statement)}: its adjustments are not those that the ledger makes"
    own = [(each.original, each.amount, each.reason) for each in statement.adjustments if each.proof is None]
    kept = [
        (Month.from_int(each.original_month), each.amount_nano_usd, each.reason)
        for each in entered
        if each.cost_center == statement.cost_center
    ]
    if own != kept:
        yield f"{_name(statement)}: its adjustments are not those that were entered"


def _key(line: Line) -> tuple[str, int, int]:
    return line.book, line.repository_id, line.number


def _plain(line: Line) -> Line:
    """What of a line must be the same for ever: names and how it splits by model may be told otherwise later."""
    return replace(line, repository="", cents=0, parts=())


def _bare(each: Adjustment) -> Adjustment:
    return replace(each, repository="", cents=0)


def _why(told: Line, found: Line) -> str:
    if (told.amount, told.covered) != (found.amount, found.covered):
        return f"it says {told.amount + told.covered} nano-USD, the ledger {found.amount + found.covered}"
    return "the ledger entries of its agent runs were altered: they do not have its hash"

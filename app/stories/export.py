"""A month as FOCUS rows: what its books state, run by run, then what no agent run makes. Reads only.

One snapshot from the first row to the last; nothing here knows of files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from sqlmodel import Session, col, func, select

from app.core.chargeback.periods import PeriodState
from app.core.chargeback.terms import Method
from app.core.focus.billing import Billing
from app.core.focus.builder import Builder, Terms
from app.core.focus.catalogue import Catalogue
from app.core.focus.description import InvoiceLine, State
from app.core.focus.fees import Amount, fee_of, told_amount, told_credit
from app.core.focus.invoiced import Invoiced, invoiced_of
from app.core.focus.origins import Allocation
from app.core.focus.pulls import PullLine
from app.core.focus.rows import Metered, Told
from app.core.model_names import canonical_by
from app.core.money import NanoUsd, share
from app.core.month import Month
from app.core.reconcile import Line, Names
from app.store.adjustments import adjustments_of
from app.store.configs import config_in_force
from app.store.focus import StatedRuns
from app.store.focus_pulls import pulls_of_month
from app.store.invoices import invoice_lines, invoices_of
from app.store.keys import instant
from app.store.ownership import owners_of
from app.store.periods import config_of_period, coverage_of, marks_of, period_of
from app.store.statements import document_of, newest_statements
from app.store.tables import LedgerEntry
from app.world import World


class ExportRefusedError(Exception):
    """What cannot be exported so, as a sentence."""


class MonthExport:
    """One account's month in one snapshot. `invoiced`: None where nothing is reconciled: all is estimated then."""

    def __init__(
        self,
        session: Session,
        world: World,
        account_id: int,
        month: Month,
        *,
        splits: bool = False,
        invoiced: Invoiced | None = None,
    ) -> None:
        self.account_id, self.month = account_id, month
        self._session, self._invoiced = session, invoiced
        self._row = period_of(session, account_id, month)
        self._config = config_in_force(session, account_id) if self._row is None else config_of_period(self._row)
        self._owners = owners_of(session, account_id, config_in_force(session, account_id))
        marks = marks_of(session, account_id)
        covered = coverage_of(session, account_id, month)
        with_late = covered.until is not None or bool(marks and marks[-1].month.next == month)
        billing = Billing(invoiced.buckets, month, invoiced.canonical) if invoiced else None
        terms = Terms(month, self._allocations() if splits else {}, billing)
        self.builder = Builder(Catalogue(world.prices, self._config), terms)
        self._until = covered.until
        self._runs = StatedRuns(
            session, account_id, covered, self._config, self._owners, world.prices.tier_starts, with_late,
            None if self._row is None else self._row.closing_at_us,
        )  # fmt: skip

    def batches(self) -> Iterator[tuple[Metered, Metered]]:
        """All rows of agent runs, in batches: those with a price, and those without."""
        for stated, used in self._runs:
            self.builder.add(stated, used)
            if self.builder.full:
                yield self.builder.take()
        yield self.builder.take()

    def told(self) -> list[Told]:
        """The rows of no agent run; to be asked for when all batches were taken."""
        subscriptions = self._config.chargeback.subscriptions
        rows = [fee_of(each, self.month) for each in subscriptions if each.monthly and each.due(self.month)]
        rows = [part for row in rows for part in self._shared_out(row)]
        rows += [told_amount(each) for each in self._amounts()]
        rows += [told_credit(each, self.month) for each in (self._invoiced.credits if self._invoiced else ())]
        return rows + self.builder.rest()

    def pulls(self) -> list[PullLine]:
        """The pulls of the month, as they stand now."""
        return pulls_of_month(self._session, self.account_id, self.month, self._config, self._owners)

    def invoice_lines(self) -> Sequence[InvoiceLine]:
        return self._invoiced.lines if self._invoiced else ()

    def state(self) -> State:
        """How the month stands; to be asked for when all batches were taken."""
        closed = self._row is not None and self._row.state == PeriodState.CLOSED.value
        return State(closed, self._updated(), self.builder.unpriced_calls)

    def _updated(self) -> datetime:
        """When what the month states last changed."""
        query = select(func.max(LedgerEntry.posted_at_us)).where(
            LedgerEntry.account_id == self.account_id, LedgerEntry.month == int(self.month)
        )
        if self._until is not None:
            query = query.where(col(LedgerEntry.id) <= self._until)
        found = self._session.exec(query).one()
        return self.month.start if found is None else instant(found)

    def _amounts(self) -> list[Amount]:
        return [
            Amount(
                row.id, row.cost_center, Month.from_int(row.original_month), NanoUsd(row.amount_nano_usd), row.reason,
                row.kind,
            )
            for row in adjustments_of(self._session, self.account_id, self.month)
        ]  # fmt: skip

    def _allocations(self) -> dict[str, Allocation]:
        """How the month's statements have shared out what is nobody's."""
        if self._row is None or self._row.state != PeriodState.CLOSED.value:
            raise ExportRefusedError(f"{self.month} has not closed: how costs are shared is known at its close.")
        methods: dict[str, str] = {}
        weights: dict[str, dict[str, int]] = {}
        for row in newest_statements(self._session, self.account_id, self.month):
            statement = document_of(row)
            for each in statement.shared:
                methods[each.pool] = Method.EVEN.value if each.fell_back else each.method
                weights.setdefault(each.pool, {})[statement.cost_center] = each.weight
        return {pool: Allocation(methods[pool], dict(sorted(own.items()))) for pool, own in weights.items()}

    def _shared_out(self, row: Told) -> list[Told]:
        """A fee by those who bear it."""
        allocation = self.builder.terms.allocations.get(row.origin.run.cost_center)
        if allocation is None:
            return [row]
        receivers = allocation.receivers()
        parts = share(NanoUsd(row.count), [each.weight for each in receivers])
        return [
            replace(
                row,
                record=f"{row.record}/{each.cost_center}",
                count=part,
                origin=row.origin._replace(receiver=each),
            )
            for each, part in zip(receivers, parts, strict=True)
        ]


def invoices_in(session: Session, world: World, account_id: int, month: Month, lines: Sequence[Line]) -> Invoiced:
    """What imported invoices say of a month, by the lines of its reconciliation."""
    imported = {(row.vendor, row.invoice_id): instant(row.imported_at_us) for row in invoices_of(session, account_id)}
    costs = invoice_lines(session, account_id, month)
    names = Names(canonical_by(world.prices))
    return invoiced_of(lines, costs, lambda *invoice: imported[invoice], names.of)

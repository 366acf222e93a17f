"""A batch of metered rows, column by column. The arithmetic is Arrow's, on decimals: exact, or it raises."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from app.core.focus.columns import COST_SCALE, SCALE, Column, Kind
from app.core.focus.items import Item
from app.core.focus.origins import CELLS, cells_of
from app.core.focus.rows import NO_INVOICE, Basis, Metered
from app.core.focus.view import CREDITS_PER_USD
from app.export.shapes import DIGITS, as_batch, chosen, decimals, rescaled

if TYPE_CHECKING:
    from app.export.tables import Tables

HOUR_US = 3_600_000_000
# The most digits of a price and of a quantity whose product Arrow can hold; what has more is multiplied by Python.
FACTOR_DIGITS = 18
WHOLE_DIGITS = 19  # of any 64-bit integer


class Batch:
    """The columns of some rows, each made when it is asked for."""

    def __init__(self, tables: "Tables", rows: Metered) -> None:
        self._tables, self._rows, self._length = tables, rows, len(rows)
        self._item = pa.array(rows.item, pa.int32())
        self._origin = pa.array(rows.origin, pa.int32())
        self._hour = pa.array(rows.hour, pa.int32()).cast(pa.int64())
        self._count = pa.array(rows.count, pa.int64())
        # Rows are gathered on while these are written: the list grows, but never changes.
        self._items = items = list(tables.items)
        self._shared = tables.view.shared()
        self._made: Mapping[str, Callable[[], Any]] = {
            "BilledCost": lambda: self._billed,
            "ChargePeriodEnd": lambda: self._time(1),
            "ChargePeriodStart": lambda: self._time(0),
            "ConsumedQuantity": lambda: self._quantity([_step(item, 0) for item in items]),
            "ContractedCost": lambda: self._contracted,
            "EffectiveCost": lambda: self._billed,
            "InvoiceDetailId": lambda: self._invoiced([each.detail_id or None for each in tables.invoices]),
            "InvoiceId": lambda: self._invoiced([each.invoice_id for each in tables.invoices]),
            "ListCost": lambda: self._cost([item.list_price for item in items]),
            "PricingCurrencyEffectiveCost": self._in_pricing_currency,
            "PricingQuantity": lambda: self._pricing,
            "x_ContractedValue": self._value,
            "x_CostBasis": self._basis,
            "x_SourceRecordId": self._record,
        }

    def made(self) -> pa.RecordBatch:
        return as_batch(self._tables.schema, [self._column(column) for column in self._tables.columns])

    def _column(self, column: Column) -> Any:
        name = column.name
        if name in self._made:
            return self._made[name]()
        if name in CELLS:
            return chosen(cells_of(name, self._rows.origins), self._origin)
        if name in self._shared:
            if column.kind is Kind.TIME:
                return pa.repeat(pa.scalar(self._shared[name]), self._length)
            return chosen([self._shared[name]], pa.repeat(pa.scalar(0, pa.int32()), self._length))
        cells = self._tables.item_cells(name, self._items)
        if column.kind is Kind.NUMBER:
            return decimals(cells, DIGITS, SCALE).take(self._item)
        return chosen(cells, self._item)

    def _time(self, after: int) -> Any:
        hours = pc.multiply(pc.add(self._hour, after), HOUR_US)
        return hours.cast(pa.timestamp("us", tz="UTC"))

    def _quantity(self, steps: Sequence[int]) -> Any:
        counts = self._count.cast(pa.decimal128(WHOLE_DIGITS, 0))
        return rescaled(pc.multiply(counts, decimals(steps, FACTOR_DIGITS, 0).take(self._item)), SCALE)

    @cached_property
    def _pricing(self) -> Any:
        return self._quantity([_step(item, 1) for item in self._items])

    def _cost(self, prices: Sequence[int]) -> Any:
        """Prices of items times the rows' pricing quantities."""
        try:
            quantity = self._pricing.cast(pa.decimal128(FACTOR_DIGITS, SCALE))
            price = decimals(prices, FACTOR_DIGITS, SCALE).take(self._item)
            return pc.multiply(price, quantity).cast(pa.decimal128(DIGITS, COST_SCALE))
        except pa.ArrowInvalid:
            steps = [_step(item, 1) for item in self._items]
            pairs = zip(self._rows.item, self._rows.count, strict=True)
            return decimals([prices[n] * steps[n] * count for n, count in pairs], DIGITS, COST_SCALE)

    @cached_property
    def _contracted(self) -> Any:
        return self._cost([item.emitted_price for item in self._items])

    def _value(self) -> Any:
        if not any(item.covered_by for item in self._items):
            return self._contracted
        return self._cost([item.contracted_price for item in self._items])

    @cached_property
    def _billed(self) -> Any:
        if self._tables.view.basis is Basis.SHOWN_AS_BILLED:
            if not self._rows.billed:
                return self._contracted
            return pc.if_else(self._has_invoice, self._nano(self._rows.billed), self._contracted)
        if not self._rows.billed:
            return pa.repeat(pa.scalar(Decimal(0), pa.decimal128(DIGITS, COST_SCALE)), self._length)
        return self._nano(self._rows.billed)

    def _nano(self, amounts: Sequence[int]) -> Any:
        whole = pa.array(amounts, pa.int64()).cast(pa.decimal128(WHOLE_DIGITS, 0))
        return rescaled(whole, SCALE).cast(pa.decimal128(DIGITS, COST_SCALE))

    def _in_pricing_currency(self) -> Any:
        view = self._tables.view
        native = [view.in_credits(item) for item in self._items]
        if not any(native):
            return self._billed
        factors = pa.array([CREDITS_PER_USD if each else 1 for each in native]).cast(pa.decimal128(WHOLE_DIGITS, 0))
        factor = factors.cast(pa.decimal128(3, 0)).take(self._item)
        exact = self._billed.cast(pa.decimal128(DIGITS - 4, COST_SCALE))
        return pc.multiply(exact, factor).cast(pa.decimal128(DIGITS, COST_SCALE))

    @cached_property
    def _has_invoice(self) -> Any:
        return pc.not_equal(pa.array(self._rows.invoice, pa.int32()), NO_INVOICE)

    def _basis(self) -> Any:
        words = [self._tables.view.basis.value, Basis.INVOICED.value]
        if not self._rows.invoice:
            return chosen(words[:1], pa.repeat(pa.scalar(0, pa.int32()), self._length))
        return chosen(words, self._has_invoice.cast(pa.int32()))

    def _invoiced(self, cells: Sequence[str | None]) -> Any:
        if not self._rows.invoice:
            return pa.nulls(self._length, pa.dictionary(pa.int32(), pa.string()))
        places = pa.array(self._rows.invoice, pa.int32())
        return chosen(cells, pc.if_else(self._has_invoice, places, pa.scalar(None, pa.int32())))

    def _record(self) -> Any:
        month = self._tables.view.month
        origins = pa.array([f"{month}/{origin.key}" for origin in self._rows.origins], pa.string())
        items = pa.array([item.key for item in self._items], pa.string())
        hours = self._hour.cast(pa.string())
        return pc.binary_join_element_wise(origins.take(self._origin), hours, items.take(self._item), "/")


def _step(item: Item, which: int) -> int:
    """What one count is of the consumed unit (0) or the pricing unit (1), in ninth decimals."""
    if item.unit is None:
        return 0
    return item.unit.pricing_step if which else item.unit.consumed_step

"""The tables of a view: its rows in batches, whatever they are made of."""

from collections.abc import Sequence
from typing import Any

from app.core.focus.columns import Column
from app.core.focus.items import Item
from app.core.focus.origins import CELLS
from app.core.focus.rows import Basis, Invoice, Metered, Told, time_text
from app.core.focus.view import CREDITS_PER_USD, View
from app.export.batch import Batch
from app.export.shapes import plain, schema_of


class Tables:
    """Makes batches of one view. `items` and `invoices` are what rows name by place; both may grow."""

    def __init__(self, view: View, items: Sequence[Item], invoices: Sequence[Invoice], columns: Sequence[Column]):
        self.view, self.items, self.invoices, self.columns = view, items, invoices, columns
        self.schema = schema_of(columns)
        self._of_items: tuple[int, dict[str, Any]] = (0, {})

    def metered(self, rows: Metered) -> Any:
        """A batch of rows with prices and quantities."""
        return Batch(self, rows).made()

    def told(self, rows: Sequence[Told]) -> Any:
        """A batch of the others. They are few, so each is looked at by itself."""
        return plain(self.columns, [_told_cells(self.view, row) for row in rows])

    def item_cells(self, name: str, items: Sequence[Item]) -> list[Any]:
        """A column's value for each item; `items` are the first of all."""
        count, cells = self._of_items
        if count != len(items):
            every = [self.view.cells(item) for item in items]
            names = {each for found in every for each in found}
            cells = {each: [found.get(each) for found in every] for each in names}
            self._of_items = len(items), cells
        return cells.get(name) or [None] * len(items)


def _told_cells(view: View, row: Told) -> dict[str, Any]:
    """The columns of a row that is told. Costs with eighteen decimals, other numbers with nine."""
    item, unit = row.item, row.item.unit
    found: dict[str, Any] = {**view.shared(), **view.cells(item)}
    found |= {name: cell(row.origin) for name, cell in CELLS.items()}
    costs = row.list_cost, row.contracted, row.value
    if unit is not None:
        quantity = row.count * unit.pricing_step
        found |= {"ConsumedQuantity": row.count * unit.consumed_step, "PricingQuantity": quantity}
        costs = (item.list_price * quantity, item.emitted_price * quantity, item.contracted_price * quantity)
    basis = view.basis if row.billed is None else Basis.INVOICED
    billed = costs[1] if basis is Basis.SHOWN_AS_BILLED else row.billed or 0
    return found | {
        "BilledCost": billed,
        "ChargePeriodEnd": time_text(row.end),
        "ChargePeriodStart": time_text(row.start),
        "ContractedCost": costs[1],
        "EffectiveCost": billed,
        "InvoiceDetailId": (row.invoice.detail_id or None) if row.invoice else None,
        "InvoiceId": row.invoice.invoice_id if row.invoice else None,
        "ListCost": costs[0],
        "PricingCurrencyEffectiveCost": billed * (CREDITS_PER_USD if view.in_credits(item) else 1),
        "x_ContractedValue": costs[2],
        "x_CostBasis": basis.value,
        "x_SourceRecordId": f"{view.month}/{row.record}",
    }

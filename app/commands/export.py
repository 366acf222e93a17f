"""`python -m app export`: a month as FOCUS files, in a folder or anywhere that fsspec knows."""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from sqlmodel import Session

from app.commands.asked import month_of
from app.core.focus.builder import Builder
from app.core.focus.columns import Column, Version, columns_of
from app.core.focus.description import (
    BILLING_PERIOD,
    INVOICE_DETAIL,
    WARNING,
    InvoiceLine,
    State,
    billing_period_rows,
    description,
    invoice_detail_rows,
)
from app.core.focus.pulls import COLUMNS as PULLS
from app.core.focus.pulls import PullLine
from app.core.focus.rows import Basis, Metered, Told
from app.core.focus.view import View, ViewError
from app.core.month import Month
from app.core.report.escape import plain as plain_text
from app.core.report.numbers import count
from app.export.files import Delivery, DeliveryError, Format, opened
from app.export.shapes import plain, schema_of
from app.export.tables import Tables
from app.store.accounts import installation_of
from app.store.invoices import invoice_lines
from app.stories.export import ExportRefusedError, MonthExport, invoices_in
from app.stories.reconcile import reconciliation
from app.world import World

NATIVE = "native"
ROWS, UNPRICED, PULLS_FILE = "cost-and-usage", "unpriced", "pulls"
OF_UNPRICED = re.compile(
    r"Charge(Description|Period\w+)|Consumed\w+|Resource\w+|Service(Name|ProviderName)|Sku(Id|Meter)|Tags"
    r"|x_(Agent\w+|CostCenter|Place|PullRequest\w+|Reason|RepositoryName|SourceRecordId|TeamName|WorkflowName)"
)


def export(world: World, accounts: Sequence[int], options: argparse.Namespace) -> int:
    """Export the month of each account; exit code 2 for a command line that makes no sense."""
    month = month_of(options.month)
    if month is None:
        return 2
    try:
        for account_id in accounts:
            with world.db.reading() as session:
                _deliver(session, world, _view(session, account_id, month, options), options)
    except ViewError as error:
        print(error, file=sys.stderr)
        return 2
    except (DeliveryError, ExportRefusedError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _view(session: Session, account_id: int, month: Month, options: argparse.Namespace) -> View:
    installation = installation_of(session, account_id)
    return View(
        Version(options.focus),
        month,
        installation.account_login if installation else str(account_id),
        account_id,
        basis=Basis.SHOWN_AS_BILLED if options.estimates_as_billed else Basis.ESTIMATED,
        native=options.virtual_currency == NATIVE,
        splits=options.split_shared,
    )


def _deliver(session: Session, world: World, view: View, options: argparse.Namespace) -> None:
    lines = reconciliation(world, view.account_id, view.month).lines if invoice_lines(session, *_asked(view)) else None
    invoiced = None if lines is None else invoices_in(session, world, *_asked(view), lines)
    source = MonthExport(session, world, *_asked(view), splits=view.splits, invoiced=invoiced)
    delivery = opened(options.to, f"{view.login}/{folder_of(view)}/{view.month}", Format(options.format))
    datasets = write(source, view, delivery)
    files = {
        name: {"Rows": each.rows, "Bytes": each.size, "SHA256": each.sha256} for name, each in delivery.files.items()
    }
    state = source.state()
    delivery.finish(description(view, state, datasets, files, state.updated))
    if view.basis is Basis.SHOWN_AS_BILLED:
        print(f"WARNING: {WARNING}", file=sys.stderr)
    rows = delivery.files[f"{ROWS}.{options.format}"].rows
    said = "closed" if state.closed else "OPEN: it will change"
    print(f"{plain_text(view.login)} {view.month} ({said}): {rows:,} rows of FOCUS {view.version} in {delivery.folder}")
    if state.unpriced_calls:
        print(f"{count(state.unpriced_calls, 'model call')} without a price: in {UNPRICED}.{options.format} alone.")


def _asked(view: View) -> tuple[int, Month]:
    return view.account_id, view.month


def folder_of(view: View) -> str:
    """Where a view's months are: what is told in another way never replaces the plain one."""
    words = [f"focus-{view.version}"]
    words += ["estimates-as-billed"] if view.basis is Basis.SHOWN_AS_BILLED else []
    words += ["native-currency"] if view.native else []
    words += ["split"] if view.splits else []
    return "-".join(words)


class Source(Protocol):
    """What files are written from: `told` and `state` are asked for when all batches were taken."""

    builder: Builder

    def batches(self) -> Iterator[tuple[Metered, Metered]]: ...
    def told(self) -> list[Told]: ...
    def pulls(self) -> list[PullLine]: ...
    def state(self) -> State: ...
    def invoice_lines(self) -> Sequence[InvoiceLine]: ...


def write(source: Source, view: View, delivery: Delivery) -> Mapping[str, Sequence[Column]]:
    """Write every dataset of the month; their columns by name."""
    items = source.builder.catalogue.items
    invoices = source.builder.billing.invoices if source.builder.billing else []
    rows = Tables(view, items, invoices, view.columns)
    unpriced = Tables(view, items, invoices, unpriced_columns(view))
    with delivery.dataset(ROWS, rows.schema) as priced_file, delivery.dataset(UNPRICED, unpriced.schema) as other_file:
        for metered, without in source.batches():
            if len(metered):
                priced_file.write(len(metered), partial(rows.metered, metered))
            if len(without):
                other_file.write(len(without), partial(unpriced.metered, without))
        told = source.told()
        if told:
            priced_file.write(len(told), partial(rows.told, told))
    datasets: dict[str, Sequence[Column]] = {ROWS: rows.columns, UNPRICED: unpriced.columns, PULLS_FILE: PULLS}
    _plain(delivery, PULLS_FILE, PULLS, [line.cells(view.month) for line in source.pulls()])
    if view.version >= Version.V1_4:
        issuers = [*(item.seller.name for item in items), *(row.item.seller.name for row in told)]
        datasets["billing-period"] = BILLING_PERIOD
        _plain(delivery, "billing-period", BILLING_PERIOD, billing_period_rows(view, source.state(), issuers))
        if lines := source.invoice_lines():
            datasets["invoice-detail"] = INVOICE_DETAIL
            _plain(delivery, "invoice-detail", INVOICE_DETAIL, invoice_detail_rows(view, lines))
    return datasets


def unpriced_columns(view: View) -> list[Column]:
    """The columns that a row without a price has."""
    return [column for column in columns_of(view.version) if OF_UNPRICED.fullmatch(column.name)]


def _plain(delivery: Delivery, name: str, columns: Sequence[Column], rows: Sequence[dict[str, Any]]) -> None:
    with delivery.dataset(name, schema_of(columns)) as file:
        if rows:
            file.write(len(rows), partial(plain, columns, rows))

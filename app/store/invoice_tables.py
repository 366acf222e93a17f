"""The tables of vendors' own figures: what their reports and invoices say, and how far they were read.

`day` is of the month, 0 for all of it. Figures move for days: what is replaced is kept beside, with the time.
"""

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from app.store.columns import integer, key_integer, long_text


class VendorCostRow(SQLModel, table=True):
    """A bucket of a vendor's report as last read."""

    __tablename__ = "vendor_cost"
    account_id: int = key_integer()
    vendor: str = Field(primary_key=True)
    vendor_account: str = Field(primary_key=True)  # its workspace, project, key, product or organisation
    model: str = Field(primary_key=True)  # as the vendor names it; "" for none
    month: int = key_integer()  # yyyymm
    day: int = key_integer()
    version: int = integer()  # from 1
    billed_nano_usd: int = integer()
    list_nano_usd: int | None = integer(nullable=True)  # NULL: not told
    input_tokens: int = integer()
    cache_read_tokens: int = integer()
    cache_write_5m_tokens: int = integer()
    cache_write_1h_tokens: int = integer()
    cache_write_other_tokens: int = integer()
    output_tokens: int = integer()
    changed_at_us: int = integer()  # when this version was first read
    read_at_us: int = integer()  # when it was last read


class VendorCostPast(SQLModel, table=True):
    """A version of a bucket that another one has replaced. Append-only."""

    __tablename__ = "vendor_cost_past"
    account_id: int = key_integer()
    vendor: str = Field(primary_key=True)
    vendor_account: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    month: int = key_integer()
    day: int = key_integer()
    version: int = key_integer()
    billed_nano_usd: int = integer()
    list_nano_usd: int | None = integer(nullable=True)
    changed_at_us: int = integer()
    replaced_at_us: int = integer()


class VendorDay(SQLModel, table=True):
    """A day of which a vendor's report was read whole, with costs or without."""

    __tablename__ = "vendor_day"
    account_id: int = key_integer()
    vendor: str = Field(primary_key=True)
    vendor_account: str = Field(primary_key=True)  # "": all that the configuration names
    month: int = key_integer()
    day: int = key_integer()
    read_at_us: int = integer()


class VendorReading(SQLModel, table=True):
    """How far a vendor's reports are read over HTTP: a pass goes through all days that can still move."""

    __tablename__ = "vendor_reading"
    account_id: int = key_integer()
    vendor: str = Field(primary_key=True)
    selection: str = long_text()  # what was named as agent spend: another one reads all days anew
    since_day: int = integer()  # yyyymmdd: the first day that is read
    began_at_us: int | None = integer(default=None, nullable=True)  # of the pass under way; NULL: none is
    ended_at_us: int | None = integer(default=None, nullable=True)  # of the last whole one
    problem: str = long_text()  # why the last try did not get on
    left_out: int = integer(default=0)  # rows of others in the last pass


class VendorInvoice(SQLModel, table=True):
    """An imported invoice; another file for the same one is its next version."""

    __tablename__ = "vendor_invoice"
    account_id: int = key_integer()
    vendor: str = Field(primary_key=True)
    invoice_id: str = Field(primary_key=True)
    version: int = key_integer()
    current: bool
    file_sha256: str
    lines: int = integer()  # kept
    left_out: int = integer()  # rows of the file that are others'
    billed_nano_usd: int = integer()  # of the kept lines
    imported_at_us: int = integer()


class VendorInvoiceLine(SQLModel, table=True):
    """A line of an invoice as it was written."""

    __tablename__ = "vendor_invoice_line"
    __table_args__ = (Index("ix_vendor_invoice_line_month", "account_id", "month"),)
    account_id: int = key_integer()
    vendor: str = Field(primary_key=True)
    invoice_id: str = Field(primary_key=True)
    version: int = key_integer()
    line_id: str = Field(primary_key=True)
    vendor_account: str
    model: str
    month: int = integer()
    day: int = integer()
    kind: str  # "usage", "credit", "fee", "tax"
    description: str = long_text()
    quantity: str = ""  # an exact decimal; "" where none is told
    unit: str = ""
    billed_nano_usd: int = integer()
    list_nano_usd: int | None = integer(nullable=True)

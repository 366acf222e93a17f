"""The tables of periods, statements, adjustments, journals and of who owns a repository."""

from sqlalchemy import Column, Index, LargeBinary
from sqlmodel import Field, SQLModel

from app.store.columns import integer, key_integer, long_text


class PeriodRow(SQLModel, table=True):
    """A month that closes or has closed; a month without a row is open.

    `ledger_until` says which ledger entries its statements cover: core.chargeback.periods. `config_text` is the
    configuration that was in force when it closed, by which its owners are told for ever.
    """

    __tablename__ = "period"
    account_id: int = key_integer()
    month: int = key_integer()  # yyyymm
    state: str  # "closing", "closed"
    ledger_until: int = integer()  # the last ledger entry that it knows
    config_text: str = long_text()
    config_public: bool = False
    findings: str = long_text("[]")  # JSON: what was found before closing
    early: bool = False  # closed before vendors' figures were final
    actor: str  # "schedule", or who on the command line
    closing_at_us: int = integer()
    closed_at_us: int | None = integer(default=None, nullable=True)


class StatementRow(SQLModel, table=True):
    """One version of a cost center's statement. All but its state is written once."""

    __tablename__ = "statement"
    __table_args__ = (Index("uq_statement_link", "account_id", "link", unique=True),)
    account_id: int = key_integer()
    month: int = key_integer()
    cost_center: str = Field(primary_key=True)
    version: int = key_integer()
    number: str  # "2026-10-003", of all versions
    link: int = integer()  # its place in the account's chain, from 1
    state: str  # StatementState
    chargeback: bool
    total_nano_usd: int = integer()
    total_cents: int = integer()
    document: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # zlib of canonical JSON
    sha256: str  # of the JSON
    kept_sha256: str  # of it as it is kept: some bits of a compressed document are in none that is read from it
    previous_sha256: str  # of the link before; "" for the first
    journal: str = ""  # that booked it
    issued_at_us: int = integer()
    state_at_us: int = integer()


class StatementEvent(SQLModel, table=True):
    """What happened to a statement, and who did it. Append-only."""

    __tablename__ = "statement_event"
    __table_args__ = (Index("ix_statement_event_statement", "account_id", "month", "cost_center"),)
    id: str = Field(primary_key=True)
    account_id: int = integer()
    month: int = integer()
    cost_center: str
    version: int = integer()
    event: str  # "issued", "accepted", "disputed", "resolved", "posted", "reversed", "reminded"
    user_id: int = integer(default=0)  # GitHub's; 0 on the command line and by the clock
    login: str = ""
    reason: str = long_text()
    source: str  # "comment:<id>", "command line", "schedule"
    at_us: int = integer()


class AdjustmentRow(SQLModel, table=True):
    """An amount that a month's statement has beside what the ledger says, of an earlier month. Append-only.

    What moves between cost centers is a pair with one `transfer`, which sums to zero.
    """

    __tablename__ = "adjustment"
    __table_args__ = (
        Index("ix_adjustment_month", "account_id", "month"),
        Index("uq_adjustment_once", "account_id", "once", unique=True),
    )
    id: str = Field(primary_key=True)
    account_id: int = integer()
    month: int = integer()  # in whose statement it is
    original_month: int = integer()
    cost_center: str
    amount_nano_usd: int = integer()
    kind: str  # "dispute", "invoice", "manual"
    reason: str = long_text()
    evidence: str = long_text()  # what it rests on: a statement, an invoice's bucket, a ticket
    transfer: str = ""
    once: str  # what makes it the same adjustment: entered a second time it changes nothing
    actor: str
    created_at_us: int = integer()


class JournalRow(SQLModel, table=True):
    """A journal as it was written: never changed, only reversed by another one."""

    __tablename__ = "journal"
    account_id: int = key_integer()
    number: str = Field(primary_key=True)  # "J-2026-10-1"
    month: int = integer()
    kind: str  # "accrual", "reversal"
    reverses: str = ""
    currency: str = "USD"
    total_cents: int = integer()  # debits, which equal the credits
    lines: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # zlib of canonical JSON
    sha256: str
    kept_sha256: str  # as of a statement
    actor: str
    created_at_us: int = integer()


class PropertyValue(SQLModel, table=True):
    """A repository's value of the custom property, from an instant on. Append-only."""

    __tablename__ = "property_value"
    account_id: int = key_integer()
    repository_id: int = key_integer()
    name: str = Field(primary_key=True)  # of the property
    since_us: int = key_integer()
    value: str  # "": none
    read_at_us: int = integer()  # when we learned it: a month that had closed before does not know it


class PropertyReading(SQLModel, table=True):
    """When the values of the custom property were last read, and who may edit them."""

    __tablename__ = "property_reading"
    account_id: int = key_integer()
    name: str  # of the property
    state: str  # "read", "missing" (the organisation has no such property), "refused"
    editors: str = ""  # "org_actors", "org_and_repo_actors"; "": unknown
    read_at_us: int = integer()

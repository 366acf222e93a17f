"""A database in which months have closed and statements are issued, without what led to them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from app.core.chargeback.periods import PeriodState, StatementState
from app.core.chargeback.shared_costs import paper
from app.core.chargeback.statement import Statement
from app.core.month import Month
from app.store.chargeback_tables import PeriodRow, StatementRow
from app.store.configs import config_of, save_config
from app.store.database import Database
from app.store.statements import issue, settle, statement_numbered
from app.store.tables import Installation

ACCOUNT = 1
NOW = datetime(2026, 11, 9, 12, tzinfo=UTC)
CONFIG = """\
cost_centers:
  centers:
    api: {chargeback_from: 2026-01, account: 6400-10, project: P-17}
    ops: {chargeback_from: 2026-01}
    web: {label: "Web & mobile", chargeback_from: 2026-01, account: 6400-20}
journal: {expense_account: 6400, clearing_account: 1590}
"""


def install(database: Database, config: str = CONFIG, account_id: int = ACCOUNT, login: str = "acme") -> None:
    """An account that the App is installed on, with its configuration in force."""
    with database.transaction() as session:
        session.add(
            Installation(
                account_id=account_id, installation_id=account_id, account_login=login, account_type="Organization",
                state="active", permissions="{}", updated_at_us=0,
            )
        )  # fmt: skip
        session.flush()
        save_config(session, config_of(session, account_id), config, (), NOW)


def close(database: Database, *months: str, state: PeriodState = PeriodState.CLOSED, account_id: int = ACCOUNT) -> None:
    """Let months have closed, or begun to."""
    with database.transaction() as session:
        for month in months:
            number = int(Month.parse(month))
            session.add(
                PeriodRow(account_id=account_id, month=number, state=state, ledger_until=0, actor="x", closing_at_us=0)
            )


def issued(
    database: Database, statements: Sequence[Statement], accepted: Iterable[str] = (), disputed: Iterable[str] = ()
) -> list[StatementRow]:
    """Issue a month's statements, in cents; those of some cost centers are accepted or disputed."""
    states = dict.fromkeys(accepted, StatementState.ACCEPTED) | dict.fromkeys(disputed, StatementState.DISPUTED)
    with database.transaction() as session:
        rows = issue(session, paper(statements), "test", NOW) if statements else []
        for row in rows:
            if row.cost_center in states:
                settle(session, row, states[row.cost_center], "test", NOW)
        return rows


def states(database: Database, *numbers: str) -> list[tuple[str, str]]:
    """Each statement's state, and the journal that booked it."""
    with database.reading() as session:
        rows = [statement_numbered(session, ACCOUNT, number) for number in numbers]
    return [(row.state, row.journal) for row in rows if row is not None]


def named(*found: Statement) -> list[Statement]:
    """Statements with the numbers that their order gives them."""
    return [replace(each, number=f"{each.month}-{place:03}") for place, each in enumerate(found, start=1)]

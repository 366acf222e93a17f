"""Statements as people read them: one, in any form; all of a month on one page, held against its books."""

from collections.abc import Sequence
from dataclasses import replace

from sqlmodel import Session

from app.core.chargeback.assembly import fees_of
from app.core.chargeback.statement import Statement
from app.core.config import Config
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.report.statement.month_page import Books, Listed, MonthPage
from app.core.report.statement.paper import Paper
from app.store.adjustments import adjustments_of
from app.store.chargeback_tables import StatementRow
from app.store.configs import config_in_force
from app.store.effects import effect_of
from app.store.periods import config_of_period, coverage_of, period_of
from app.store.stated import booked_in
from app.store.statement_issues import issue_key, on_paper
from app.store.statements import document_of, statement_numbered, statements_of
from app.world import World


def paper_of(
    world: World, account_id: int, number: str, version: int | None = None
) -> tuple[StatementRow, Paper] | None:
    """A statement as it stands today: the version in force, or the one that is asked. None: there is none."""
    with world.db.reading() as session:
        row = statement_numbered(session, account_id, number, version)
        return None if row is None else (row, _paper(world, session, row, config_in_force(session, account_id)))


def month_page(world: World, account_id: int, month: Month) -> MonthPage | None:
    """All statements of a month that has closed; None where there are none."""
    with world.db.reading() as session:
        rows, config = statements_of(session, account_id, month), config_in_force(session, account_id)
        if not rows:
            return None
        listed = tuple(
            Listed(_paper(world, session, row, config), _url(world, session, account_id, row.number)) for row in rows
        )
        statements = [each.paper.statement for each in listed if each.paper.statement.version == 1]
        return MonthPage(statements[0].account, month, listed, _books(session, account_id, month, statements))


def _paper(world: World, session: Session, row: StatementRow, config: Config) -> Paper:
    newest = statement_numbered(session, row.account_id, row.number)
    later = tuple(range(row.version + 1, newest.version + 1)) if newest is not None else ()
    standing = replace(on_paper(session, row), later=later)
    return Paper.of(document_of(row), standing, world.settings.github_web_url, config.chargeback.close.time_zone)


def _url(world: World, session: Session, account_id: int, number: str) -> str:
    """A statement's issue; "" where there is none."""
    effect = effect_of(session, account_id, issue_key(number))
    if effect is None or effect.state != "written" or effect.github_id is None:
        return ""
    return f"{world.settings.github_web_url}/{effect.location}/issues/{effect.github_id}"


def _books(session: Session, account_id: int, month: Month, statements: Sequence[Statement]) -> Books | None:
    """What the month's statements must come to: by the ledger, the configuration's fees, and what was entered."""
    period = period_of(session, account_id, month)
    if period is None:
        return None
    covered = sum(each.covered + sum(own.covered for own in each.adjustments) for each in statements)
    ledger = booked_in(session, account_id, coverage_of(session, account_id, month)) - covered
    fees = fees_of(config_of_period(period).chargeback, month)
    entered = adjustments_of(session, account_id, month)
    return Books(
        NanoUsd(ledger),
        NanoUsd(sum(fee.amount for own in fees.values() for fee in own)),
        NanoUsd(sum(each.amount_nano_usd for each in entered)),
    )

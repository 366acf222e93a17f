"""A statement's issue, short."""

import re

from app.core.chargeback.statement import Statement
from app.core.report.escape import code, plain, prose

LOGIN = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}(?:_[A-Za-z0-9]{1,20})?")


def mention(login: str) -> str:
    return f"@{login}" if LOGIN.fullmatch(login) else code(login)


def title(statement: Statement) -> str:
    return f"Statement {statement.number} of {plain(statement.label)} for {statement.month}"


def text(statement: Statement, state: str, told: str, reason: str, marker: str) -> str:
    owners = ", ".join(map(mention, statement.owners)) or "nobody"
    because = f": {prose(reason, 1000)}" if reason else ""
    head = f"Cost center {code(statement.label)}, owner {owners}, version {statement.version}"
    return f"{head}: **{statement.total_cents} cents**\n\n**{state}** {told}{because}\n\n{marker}"

"""What the App says below a statement, in comments: what a new version changed, and that an answer is missing."""

from collections.abc import Sequence
from datetime import date

from app.core.chargeback.statement import Statement
from app.core.commands import NAME
from app.core.report.escape import code, mention, prose
from app.core.report.statement.paper import day_text

LONGEST_ANSWER = 1000


def changed(new: Statement, old: Statement) -> str:
    """What a version changed against the one before it."""
    said = [
        f"**Version {new.version}** of statement {code(new.number)} stands above; version {old.version} was replaced."
    ]
    said += [
        f"The answer to the dispute: {prose(answer, LONGEST_ANSWER)}" for answer in new.answers[len(old.answers) :]
    ]
    if old.total_cents == new.total_cents:
        said.append("Its lines and its total are the same: what a dispute wins is an adjustment of the open month.")
    else:
        said.append("Its total is another one.")
    said.append(f"Write `{NAME} accept` or `{NAME} dispute <reason>`.")
    return "\n\n".join(said)


def reminder(owners: Sequence[str], version: int, shown: date, last: date | None) -> str:
    """To the owners, that an answer is missing. No amount is in it."""
    silence = f" Without an answer until the end of {day_text(last)} it counts as accepted." if last else ""
    return (
        f"{' '.join(map(mention, owners))}: version {version} of this statement has been waiting for an answer since "
        f"{day_text(shown)}. Write `{NAME} accept` or `{NAME} dispute <reason>`.{silence}"
    )

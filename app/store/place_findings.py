"""What is doubtful about the place where statements are issued: told before a month closes, from what is known here."""

from collections.abc import Iterator

from sqlmodel import Session

from app.core.chargeback.findings import Finding
from app.core.chargeback.terms import CloseTerms
from app.store.accounts import repositories_of
from app.store.statement_issues import issue_key, refused_issues
from app.store.statements import open_statements
from app.store.tables import Repository

PLACE, NOT_POSTED = "statement-repository", "statement-not-posted"


def place_findings(session: Session, account_id: int, terms: CloseTerms) -> list[Finding]:
    """Why statements cannot be put on GitHub, and which earlier ones that wait for an answer are not there."""
    return [*_of_place(session, account_id, terms), *_not_posted(session, account_id)]


def _of_place(session: Session, account_id: int, terms: CloseTerms) -> Iterator[Finding]:
    wanted = terms.repository.lower()
    if not wanted:
        return
    found = [each for each in repositories_of(session, account_id) if each.name.lower() == wanted]
    there = next((each for each in found if each.state == "installed"), None)
    if sentence := _doubt(there):
        yield Finding(PLACE, f"Statements cannot be issued in {terms.repository}: it {sentence}.")


def _doubt(there: Repository | None) -> str:
    if there is None:
        return "is not there, or the App is not installed on it"
    if there.visibility == "public":
        return "is public, and a statement holds money"
    if there.archived:
        return "is archived"
    return "" if there.has_issues else "has no issues"


def _not_posted(session: Session, account_id: int) -> Iterator[Finding]:
    refused = {effect.key: effect for effect in refused_issues(session, account_id)}
    for row in open_statements(session, account_id) if refused else ():
        if effect := refused.get(issue_key(row.number)):
            sentence = f"Statement {row.number} waits for an answer and is not on GitHub: {effect.note}"
            yield Finding(NOT_POSTED, sentence, row.cost_center)

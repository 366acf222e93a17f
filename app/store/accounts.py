"""Who the App is installed on, and which repositories it sees there."""

from datetime import datetime

from sqlmodel import Session, col, select, update

from app.core.facts import RepositoryFact
from app.store.keys import us
from app.store.rollups import mark
from app.store.tables import Installation, Repository


def save_installation(session: Session, installation: Installation) -> None:
    session.merge(installation)
    session.flush()


def installation_of(session: Session, account_id: int) -> Installation | None:
    return session.get(Installation, account_id)


def active_accounts(session: Session) -> list[int]:
    query = select(Installation.account_id).where(Installation.state == "active").order_by(col(Installation.account_id))
    return list(session.exec(query))


def save_repository(session: Session, account_id: int, fact: RepositoryFact, now: datetime) -> None:
    """Write a repository as GitHub tells it now; it counts as installed."""
    session.merge(
        Repository(
            account_id=account_id,
            repository_id=fact.repository_id,
            owner=fact.owner,
            name=fact.name,
            default_branch=fact.default_branch,
            visibility=fact.visibility,
            archived=fact.archived,
            has_issues=fact.has_issues,
            state="installed",
            updated_at_us=us(now),
        )
    )
    session.flush()
    mark(session, account_id, fact.repository_id)


def repository_of(session: Session, account_id: int, repository_id: int) -> Repository | None:
    return session.get(Repository, (account_id, repository_id))


def repositories_of(session: Session, account_id: int) -> list[Repository]:
    query = select(Repository).where(Repository.account_id == account_id).order_by(col(Repository.name))
    return list(session.exec(query))


def remove_repository(session: Session, account_id: int, repository_id: int, now: datetime) -> None:
    """The App no longer sees it. Its history stays."""
    session.exec(
        update(Repository)
        .where(col(Repository.account_id) == account_id, col(Repository.repository_id) == repository_id)
        .values(state="removed", updated_at_us=us(now))
    )

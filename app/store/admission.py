"""Whether an account may send agent runs, and on which terms: one read before anything is written."""

from dataclasses import dataclass

from sqlmodel import Session

from app.store.raw import Raw

TERMS = Raw("""
    SELECT i.state AS installation, r.state AS repository, r.visibility, c.good_text, c.public
    FROM installation i
    LEFT JOIN repository r ON r.account_id = i.account_id AND r.repository_id = :repository_id
    LEFT JOIN config_version c ON c.account_id = i.account_id
    WHERE i.account_id = :account_id
""")


@dataclass(frozen=True, slots=True)
class Admission:
    """States as in the tables, "" for what is not known; `config` is the last good text of mergemeter.yml."""

    installation: str
    repository: str
    visibility: str
    config: str
    config_public: bool


def admission_of(session: Session, account_id: int, repository_id: int) -> Admission:
    """What the tables say of an account and one of its repositories; events may not have told of either yet."""
    values = {"account_id": account_id, "repository_id": repository_id}
    row = TERMS.run(session, values).fetchone()
    if row is None:
        return Admission("", "", "", "", config_public=True)
    installation, repository, visibility, config, config_public = row
    return Admission(installation, repository or "", visibility or "", config or "", bool(config_public))

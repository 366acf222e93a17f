"""The claims that we read from a token: how, which ones a token may lack, and what then holds.

Ids are numbers and the only identities. Names and `sub` never are: a name can be registered anew, and `sub` can be
customised. Claims that we do not know are tolerated, because new ones appear:
https://docs.github.com/en/actions/reference/security/oidc
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from app.core.facts import AccountId, Claims, RepositoryId

LONGEST_TEXT = 1_024
MOST_PROPERTIES = 100
PROPERTY = "repo_property_"


class TokenRefusedError(Exception):
    """The caller's token is not acceptable: a code for machines and a sentence for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def text(value: Any) -> str:
    """A text that a database can hold; raises ValueError for anything else."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\x00" in value:
        raise ValueError("not a short text")
    value.encode()  # refuses lone surrogates
    return value


def identity(value: Any) -> str:
    """A text that says something."""
    if not text(value):
        raise ValueError("empty")
    return text(value)


def number(value: Any) -> int:
    """A positive 64-bit integer; GitHub writes ids as digits in a text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if type(value) is not int or not 0 < value < 2**63:
        raise ValueError("not a positive integer")
    return value


def instant(value: Any) -> datetime:
    """Whole seconds since the epoch."""
    if type(value) is not int or not 0 < value < 2**34:
        raise ValueError("not a time in whole seconds")
    return datetime.fromtimestamp(value, UTC)


REQUIRED: dict[str, Callable[[Any], Any]] = {
    "iss": identity,
    "aud": identity,
    "jti": identity,
    "iat": instant,
    "exp": instant,
    "repository_owner_id": number,
    "repository_id": number,
    "run_id": number,
    "run_attempt": number,
    "event_name": identity,
    "ref": text,
}
# What a GitHub Enterprise Server may leave out, with what we then take it to be.
OPTIONAL: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "nbf": (instant, None),
    "actor_id": (number, 0),
    "check_run_id": (number, None),
    "repository": (text, ""),
    "repository_visibility": (text, ""),
    "sha": (text, ""),
    "head_ref": (text, ""),
    "base_ref": (text, ""),
    "workflow": (text, ""),
    "workflow_ref": (text, ""),
    "job_workflow_ref": (text, ""),
    "environment": (text, ""),
}


def read_claims(signed: Mapping[str, Any]) -> dict[str, Any]:
    """Every claim of the two tables, checked; raises TokenRefusedError for the first that is missing or malformed."""
    read = {name: _read(name, signed.get(name), reader) for name, reader in REQUIRED.items()}
    for name, (reader, default) in OPTIONAL.items():
        present = signed.get(name) not in (None, "")
        read[name] = _read(name, signed[name], reader) if present else default
    return read


def _read(name: str, value: Any, reader: Callable[[Any], Any]) -> Any:
    if value is None:
        raise TokenRefusedError("token-claims", f"The token lacks the claim {name}.")
    try:
        return reader(value)
    except ValueError as error:
        raise TokenRefusedError("token-claims", f"The token's claim {name} is malformed.") from error


def _properties(signed: Mapping[str, Any]) -> dict[str, str]:
    """The repository's custom properties that the organisation put into its tokens; odd ones are left out."""
    found: dict[str, str] = {}
    for name, value in signed.items():
        if name.startswith(PROPERTY) and len(found) < MOST_PROPERTIES:
            try:
                found[text(name.removeprefix(PROPERTY))] = text(value)
            except ValueError:
                continue
    return found


def claims_of(read: Mapping[str, Any], signed: Mapping[str, Any]) -> Claims:
    """The facts that stories carry, from the claims as read and the token's custom properties."""
    return Claims(
        issuer=read["iss"],
        jti=read["jti"],
        expires_at=read["exp"],
        account_id=AccountId(read["repository_owner_id"]),
        repository_id=RepositoryId(read["repository_id"]),
        repository=read["repository"],
        visibility=read["repository_visibility"],
        run_id=read["run_id"],
        run_attempt=read["run_attempt"],
        event_name=read["event_name"],
        ref=read["ref"],
        sha=read["sha"],
        head_ref=read["head_ref"],
        base_ref=read["base_ref"],
        actor_id=read["actor_id"],
        workflow=read["workflow"],
        workflow_ref=read["workflow_ref"],
        job_workflow_ref=read["job_workflow_ref"],
        check_run_id=read["check_run_id"],
        environment=read["environment"],
        repository_properties=_properties(signed),
    )

"""GitHub's way to say no: status, sentence and, for 422, what was wrong with which field."""

from collections.abc import Mapping, Sequence
from typing import Any

DOCS = "https://docs.github.com/rest"


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of this program
    """An answer of 400 or more."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        docs: str = DOCS,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body: dict[str, Any] = {"message": message}
        if errors:
            self.body["errors"] = list(errors)
        self.body |= {"documentation_url": docs, "status": str(status)}


def bad_credentials(message: str = "Bad credentials") -> Refusal:
    return Refusal(401, message)


def not_found() -> Refusal:
    return Refusal(404, "Not Found")


def not_accessible() -> Refusal:
    return Refusal(403, "Resource not accessible by integration")


def suspended() -> Refusal:
    return Refusal(403, "This installation has been suspended")


def archived() -> Refusal:
    return Refusal(403, "Repository was archived so is read-only.")


def locked() -> Refusal:
    return Refusal(403, "Unable to create comment because issue is locked.")


def issues_disabled() -> Refusal:
    return Refusal(410, "Issues has been disabled in this repository.")


def invalid_request(sentence: str) -> Refusal:
    """The body does not have the shape that the operation's schema asks for."""
    return Refusal(422, f"Invalid request.\n\n{sentence}")


def validation_failed(resource: str, field: str, code: str, message: str | None = None) -> Refusal:
    error = {"resource": resource, "code": code, "field": field}
    return Refusal(422, "Validation Failed", [error | ({"message": message} if message else {})])


def primary_limit(installation_id: int, resets_at: int, limit: int) -> Refusal:
    headers = {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": "0",
        "x-ratelimit-used": str(limit),
        "x-ratelimit-reset": str(resets_at),
        "x-ratelimit-resource": "core",
    }
    return Refusal(403, f"API rate limit exceeded for installation ID {installation_id}.", headers=headers)


def secondary_limit(status: int, retry_after_s: int | None) -> Refusal:
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    return Refusal(status, message, headers=headers)

"""The access token of a request, and what is said to those who send none."""

from starlette.requests import Request

CHALLENGE = {"WWW-Authenticate": "Bearer"}


def bearer(request: Request) -> str | None:
    """What stands behind `Authorization: Bearer`, unverified; None where it is missing, malformed or sent twice."""
    sent = request.headers.getlist("authorization")
    scheme, _, unverified_token = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
    return unverified_token.strip() or None if scheme.lower() == "bearer" else None

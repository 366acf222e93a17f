"""`POST /webhooks/github`: verify, keep durably, acknowledge. No call to GitHub and no story is told here.

The order is fixed: size, headers, signature over the raw bytes, whose App it is, and only then a look inside, just
far enough to know behind which other deliveries it queues. 202 means that it is on disk.
"""

import hashlib
import hmac
import json
import logging
import re
from collections.abc import Iterable, Sequence

from starlette.types import Message, Receive, Scope, Send

from app.core.events import UnreadableEventError, route
from app.store.compressed import compressed
from app.store.inbox import Delivery
from app.store.intake import Intake, IntakeFullError
from app.web.counts import DELIVERIES, Counts

log = logging.getLogger("mergemeter.webhooks")

LARGEST_BODY = 5 * 1024 * 1024
# GitHub's own cap is 25 MB: so much is read and dropped, so that the sender gets to see the refusal.
MOST_DROPPED = 32 * 1024 * 1024
SIGNATURE = re.compile(rb"sha256=([0-9a-f]{64})")
DELIVERY_ID = re.compile(rb"[0-9A-Za-z-]{1,64}")
EVENT = re.compile(rb"[a-z_]{1,64}")
READ_HEADERS = frozenset(
    {
        b"content-length", b"content-type", b"x-github-delivery", b"x-github-event",
        b"x-github-hook-installation-target-id", b"x-hub-signature-256",
    }
)  # fmt: skip


class RefusalError(Exception):
    """An HTTP status, a code for machines and a sentence for people."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.code, self.sentence = status, code, sentence


class Webhooks:
    """The end point as a plain ASGI application; `secrets` are all accepted, `app_id` 0 means any App."""

    def __init__(self, intake: Intake, secrets: Sequence[str], app_id: int = 0, counts: Counts | None = None) -> None:
        self._intake = intake
        self._counts = counts or Counts()
        self._secrets = [secret.encode() for secret in secrets]
        self._app_id = str(app_id).encode() if app_id else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, answer = 202, await self._take(scope, receive)
            self._counts.add(DELIVERIES, "ignored" if answer is IGNORED else "kept")
        except RefusalError as refusal:
            log.info("refused a delivery: %s", refusal.code)
            self._counts.add(DELIVERIES, refusal.code)
            status, answer = refusal.status, _json(code=refusal.code, message=refusal.sentence)
        for message in _response(status, answer):
            await send(message)

    async def _take(self, scope: Scope, receive: Receive) -> bytes:
        headers = _headers(scope["headers"])
        body = await _body(headers, receive)
        self._verify(headers, body)
        delivery = _delivery(headers, body)
        if delivery is None:
            return IGNORED
        try:
            await self._intake.keep(delivery)
        except IntakeFullError:
            raise RefusalError(
                503, "busy", "Too many deliveries wait to be written; redeliver this one later."
            ) from None
        except Exception as error:
            raise RefusalError(503, "not-kept", "The delivery could not be written; redeliver it later.") from error
        return KEPT

    def _verify(self, headers: dict[bytes, bytes], body: bytes) -> None:
        sent = headers.get(b"x-hub-signature-256")
        if sent is None:
            raise RefusalError(
                401, "signature-missing", "There is no X-Hub-Signature-256: set the App's webhook secret."
            )
        match = SIGNATURE.fullmatch(sent)
        if match is None:
            raise RefusalError(401, "signature-malformed", "X-Hub-Signature-256 is not sha256= and 64 hex digits.")
        # Every secret is tried, so that the time taken does not tell which one is right.
        right = [hmac.compare_digest(match[1], _digest(secret, body)) for secret in self._secrets]
        if not any(right):
            raise RefusalError(401, "signature-wrong", "The signature is of none of our secrets over this body.")
        target = headers.get(b"x-github-hook-installation-target-id")
        if self._app_id is not None and target is not None and target != self._app_id:
            raise RefusalError(403, "other-app", "The delivery is for another GitHub App.")


def _digest(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, body, hashlib.sha256).hex().encode()


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers that count, each at most once: two signatures are an attempt to have one of them overlooked."""
    found: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name not in READ_HEADERS:
            continue
        if name in found:
            raise RefusalError(401, "header-doubled", f"The header {name.decode()} was sent twice.")
        found[name] = value
    return found


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """The raw bytes, never more of them in memory than the cap."""
    chunks: list[bytes] = []
    size, announced = 0, headers.get(b"content-length", b"0")
    drop = announced.isdigit() and int(announced[:20]) > LARGEST_BODY
    more = True
    while more and size <= MOST_DROPPED:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusalError(400, "cut-off", "The connection ended before the body did.")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        drop = drop or size > LARGEST_BODY
        if drop:
            chunks.clear()
        else:
            chunks.append(chunk)
    if drop:
        raise RefusalError(413, "too-large", f"The body is larger than {LARGEST_BODY} bytes; ours are never.")
    return b"".join(chunks)


def _delivery(headers: dict[bytes, bytes], body: bytes) -> Delivery | None:
    """What to keep, or None for an event that we do not use."""
    event = _matching(headers, b"x-github-event", EVENT)
    delivery_id = _matching(headers, b"x-github-delivery", DELIVERY_ID)
    if headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower() != b"application/json":
        raise RefusalError(415, "not-json", "Set the webhook's content type to application/json.")
    try:
        found = route(event, body)
    except UnreadableEventError as error:
        raise RefusalError(400, "unreadable", f"The payload cannot be read: {error}"[:499] + ".") from None
    if found is None:
        return None
    whose = found.installation_id, found.account_id, found.repository_id
    # Compressed here and not by the writer: it is the writer that the other deliveries wait for.
    return Delivery(delivery_id, event, found.action, *whose, found.lane, compressed(body))


def _matching(headers: dict[bytes, bytes], name: bytes, pattern: re.Pattern[bytes]) -> str:
    value = headers.get(name, b"")
    if not pattern.fullmatch(value):
        raise RefusalError(400, "header-malformed", f"The header {name.decode()} is missing or malformed.")
    return value.decode("ascii")


def _json(**values: str) -> bytes:
    return json.dumps(values).encode()


def _response(status: int, body: bytes) -> tuple[Message, Message]:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 503:
        headers.append((b"retry-after", b"10"))
    if status == 413:  # perhaps there is still more of it: not on this connection
        headers.append((b"connection", b"close"))
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


KEPT = b""  # nothing to say: a body would be a packet more for each delivery
IGNORED = _json(status="ignored")

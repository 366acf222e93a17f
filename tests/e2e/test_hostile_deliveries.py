"""What strangers send to the webhook end point over real HTTP is refused with a code and a sentence, and not kept."""

import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.stage import Organisation, Stage

GUID = "11111111-2222-3333-4444-555555555555"
MB = 1024 * 1024
PAYLOAD: dict[str, Any] = {"action": "opened", "number": 666, "repository": {"id": 1, "name": "x", "full_name": "x/x"}}
Pairs = list[tuple[str, str]]


def signature(secret: str, body: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}={hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()}"


def signed(stage: Stage, body: bytes, *signatures: str) -> Pairs:
    """GitHub's headers with these signatures, or with the right one."""
    names = [("X-Hub-Signature-256", one) for one in signatures or [signature(stage.app["webhook_secret"], body)]]
    return [
        ("Content-Type", "application/json"),
        ("X-GitHub-Event", "pull_request"),
        ("X-GitHub-Delivery", GUID),
        *names,
    ]


def kept(stage: Stage) -> int:
    ((count,),) = stage.rows("SELECT COUNT(*) FROM inbox WHERE delivery_id = :guid", guid=GUID)
    return int(count)


@pytest.fixture(autouse=True)
def nothing_gets_in(stage: Stage) -> Iterator[None]:
    yield
    assert kept(stage) == 0
    assert stage.ask("GET", "/readyz").status == 200


BODY = json.dumps(PAYLOAD).encode()


def right(stage: Stage, body: bytes = BODY, algorithm: str = "sha256") -> str:
    return signature(stage.app["webhook_secret"], body, algorithm)


WRONG = signature("another secret", BODY)
# What is sent as X-Hub-Signature-256, once or more often; which refusal it gets.
SIGNATURES: dict[str, tuple[Callable[[Stage], list[str]], str]] = {
    "an empty signature": (lambda s: [""], "signature-malformed"),
    "half a signature": (lambda s: [right(s)[:-1]], "signature-malformed"),
    "capital digits": (lambda s: [right(s).upper()], "signature-malformed"),
    "another secret's": (lambda s: [WRONG], "signature-wrong"),
    "another body's": (lambda s: [right(s, BODY + b" ")], "signature-wrong"),
    "sha1 as the newer": (lambda s: [right(s, algorithm="sha1")], "signature-malformed"),
    "two, the right one first": (lambda s: [right(s), WRONG], "header-doubled"),
    "two, the right one last": (lambda s: [WRONG, right(s)], "header-doubled"),
    "the right one twice": (lambda s: [right(s), right(s)], "header-doubled"),
    "two in one": (lambda s: [f"{WRONG}, {right(s)}"], "signature-malformed"),
}


@pytest.mark.parametrize("what", SIGNATURES)
def test_a_delivery_without_exactly_one_right_signature_is_refused(stage: Stage, what: str) -> None:
    signatures, code = SIGNATURES[what]
    stage.ask("POST", "/webhooks/github", BODY, signed(stage, BODY, *signatures(stage))).refuses(401, code)


@pytest.mark.parametrize("further", [[], ["sha1"]], ids=["none", "sha1 alone"])
def test_a_delivery_without_the_newer_signature_is_refused(stage: Stage, further: list[str]) -> None:
    older = [("X-Hub-Signature", right(stage, BODY, algorithm)) for algorithm in further]
    headers = [*signed(stage, BODY)[:-1], *older]
    stage.ask("POST", "/webhooks/github", BODY, headers).refuses(401, "signature-missing")


def test_a_delivery_for_another_app_is_refused(stage: Stage) -> None:
    headers = [*signed(stage, BODY), ("X-GitHub-Hook-Installation-Target-ID", "7")]
    stage.ask("POST", "/webhooks/github", BODY, headers).refuses(403, "other-app")


SENSELESS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"payload=%7B%7D",
    "a list": b"[]",
    "deep": b'{"repository":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "not UTF-8": b'{"action":"\xff\xfe\xfa"}',
    "NaN as a number": b'{"action":"opened","number":NaN,"repository":{"id":1}}',
    "a negative id": json.dumps(PAYLOAD | {"installation": {"id": -5}}).encode(),
    "a huge id": b'{"action":"opened","number":1,"installation":{"id":' + b"9" * 5_000 + b"}}",
}


@pytest.mark.parametrize("what", SENSELESS)
def test_a_signed_body_that_makes_no_sense_is_refused(stage: Stage, what: str) -> None:
    body = SENSELESS[what]
    stage.ask("POST", "/webhooks/github", body, signed(stage, body)).refuses(400, "unreadable")


def test_a_form_is_refused(stage: Stage) -> None:
    headers = [("Content-Type", "application/x-www-form-urlencoded"), *signed(stage, BODY)[1:]]
    stage.ask("POST", "/webhooks/github", BODY, headers).refuses(415, "not-json")


def test_thirty_megabytes_are_refused_and_do_not_stay_in_memory(stage: Stage) -> None:
    body = b" " * (30 * MB)
    before = stage.resident_mb()
    for _ in range(3):
        for sent in (body, iter([body[:MB]] * 30)):
            stage.ask("POST", "/webhooks/github", sent, signed(stage, body)).refuses(413, "too-large")
    assert stage.resident_mb() - before < 40


def test_half_requests_do_not_keep_others_out(acme: Organisation) -> None:
    stage = acme.stage
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nContent-Type: application/json\r\n"
    paths = (b"/webhooks/github", b"/v1/agent-runs")
    slow = [socket.create_connection(("127.0.0.1", stage.port), 5) for _ in range(200)]
    try:
        for number, connection in enumerate(slow):
            ending = (b"", b"\r\n", b"\r\n{")[number % 3]
            connection.sendall(head % paths[number % 2] + ending)
        began = time.monotonic()
        pull = acme.open()
        acme.agent(pull)
        acme.stage.gh.merge(acme.repository, pull)
        acme.settle()
        assert acme.comment(pull) is not None
        assert time.monotonic() - began < 20
    finally:
        for connection in slow:
            connection.close()


def test_what_is_not_http_gets_an_answer_and_harms_nobody(stage: Stage) -> None:
    for garbage in (
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /webhooks/github HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", stage.port), 5) as connection:
            connection.sendall(garbage)
            assert connection.recv(64).startswith(b"HTTP/1.1 400")


def test_two_lengths_in_one_request_are_refused(stage: Stage) -> None:
    head = (
        b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", stage.port), 5) as connection:
        connection.sendall(head)
        assert connection.recv(64).startswith(b"HTTP/1.1 4")

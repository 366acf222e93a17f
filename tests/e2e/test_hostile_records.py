"""What strangers send to the record end point over real HTTP is refused with a code and a sentence, and not booked."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.stage import Organisation, Stage
from tests.record.reports import CALL_COST, agent_run, call, closing

MB = 1024 * 1024
COUNTED = (
    "SELECT (SELECT COUNT(*) FROM agent_run), (SELECT COUNT(*) FROM record), (SELECT COUNT(*) FROM model_call),"
    " (SELECT COUNT(*) FROM ledger_entry), (SELECT COUNT(*) FROM workflow_job)"
)


@pytest.fixture(scope="module")
def org(stage: Stage) -> Organisation:
    return stage.organisation("hostile-records")


@pytest.fixture(scope="module")
def run(org: Organisation) -> dict[str, Any]:
    """A workflow run that may truly record."""
    return org.stage.gh.start_workflow_run(org.repository, pull=org.open())


@pytest.fixture
def books_stay(stage: Stage) -> Iterator[None]:
    """For refusals: no row is added by the test."""
    before = stage.rows(COUNTED)
    yield
    assert stage.rows(COUNTED) == before
    assert stage.ask("GET", "/readyz").status == 200


REPORT = closing(agent_run("hostile", 1))
NOW = int(time.time())
FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "no signature (alg none)": ({"algorithm": "none"}, "token-algorithm"),
    "the public key as a secret (HS256)": ({"algorithm": "HS256"}, "token-algorithm"),
    "somebody else's key": ({"key": "somebody"}, "token-signature"),
    "an unknown key id": ({"key": "somebody", "kid": "somebody"}, "token-key-unknown"),
    "another algorithm": ({"algorithm": "RS512"}, "token-algorithm"),
    "another issuer": ({"iss": "https://token.actions.githubusercontent.com"}, "token-issuer"),
    "an issuer that begins like ours": ({"iss": "http://127.0.0.1"}, "token-issuer"),
    "another audience": ({"aud": "https://other.example"}, "token-audience"),
    "our audience among others": ({"aud": ["https://other.example", "x"]}, "token-audience"),
    "expired": ({"iat": NOW - 900, "exp": NOW - 300}, "token-expired"),
    "not valid yet": ({"nbf": NOW + 3_000, "iat": NOW + 3_000, "exp": NOW + 3_300}, "token-early"),
    "living for a year": ({"exp": NOW + 31_536_000}, "token-lifetime"),
    "without an id": ({"jti": None}, "token-claims"),
    "without an owner": ({"repository_owner_id": None}, "token-claims"),
    "an owner of another kind": ({"repository_owner_id": "1e9"}, "token-claims"),
}


@pytest.mark.usefixtures("books_stay")
@pytest.mark.parametrize("what", FORGED)
def test_a_forged_token_is_refused(stage: Stage, run: dict[str, Any], what: str) -> None:
    forgery, code = FORGED[what]
    stage.record(run, REPORT, **forgery).refuses(401, code)


@pytest.mark.usefixtures("books_stay")
def test_a_record_without_a_token_is_refused(stage: Stage) -> None:
    body = json.dumps(REPORT).encode()
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
        stage.ask("POST", "/v1/agent-runs", body, {"Content-Type": "application/json", **headers}).refuses(
            401, "token-missing"
        )


@pytest.mark.usefixtures("books_stay")
def test_two_tokens_are_refused_although_one_is_right(stage: Stage, run: dict[str, Any]) -> None:
    good = ("Authorization", f"Bearer {stage.gh.mint_token(run, stage.server.url)}")
    headers = [("Content-Type", "application/json"), good, ("Authorization", "Bearer x.y.z")]
    stage.ask("POST", "/v1/agent-runs", json.dumps(REPORT).encode(), headers).refuses(401, "token-missing")


@pytest.mark.usefixtures("books_stay")
def test_a_token_of_an_organisation_that_never_installed_the_app_is_refused(stage: Stage) -> None:
    stage.gh.create_repository("stranger/code")
    stage.record(stage.gh.start_workflow_run("stranger/code", "push"), REPORT).refuses(403, "not-installed")


@pytest.mark.usefixtures("books_stay")
def test_a_token_of_a_repository_that_the_app_may_not_see_is_refused(stage: Stage) -> None:
    some = stage.organisation("selected-only")
    stage.gh.create_repository("selected-only/secret")
    some.settle()
    stage.gh.select_repositories(some.installation_id, remove=["selected-only/secret"])
    some.settle()
    answer = stage.record(stage.gh.start_workflow_run("selected-only/secret", "push"), REPORT)
    answer.refuses(403, "not-installed")


def test_the_owner_that_a_token_claims_without_a_true_signature_counts_for_nothing(
    stage: Stage, org: Organisation
) -> None:
    stage.gh.create_repository("thief/code")
    theirs = stage.gh.start_workflow_run("thief/code", "push")
    before = org.books()
    stage.record(theirs, REPORT, repository_owner="hostile-records", repository="hostile-records/widgets").refuses(
        403, "not-installed"
    )
    assert org.books() == before


def test_a_replayed_token_repeats_its_own_record_and_no_other(stage: Stage) -> None:
    org = stage.organisation("replay")
    run = stage.gh.start_workflow_run(org.repository, pull=org.open())
    token = stage.gh.mint_token(run, stage.server.url)
    body = closing(agent_run("first", 1))
    first = stage.record(run, body, token)
    again = stage.record(run, body, token)
    assert (first.status, again.status) == (201, 200)
    assert again.content["status"] == "repeat"
    stage.record(run, closing(agent_run("second", 1)), token).refuses(409, "token-reused")
    org.settle()
    assert org.books() == {("usage", 0): -CALL_COST, ("pull", 1): CALL_COST}


def _with_call(**changed: Any) -> bytes:
    return json.dumps(closing(agent_run("hostile", [call("hostile", **changed)]))).encode()


TEXT = json.dumps(REPORT)
DEEP = '{"a":' * 5_000 + "1" + "}" * 5_000
CROWD = closing(*[agent_run(str(n), []) for n in range(100_000)])
SENSELESS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "body-malformed"),
    "a list": (b"[]", "body-invalid"),
    "deep JSON": (b"[" * 300_000 + b"]" * 300_000, "body-malformed"),
    "deep JSON in a field": (TEXT.replace('"calls":', f'"x": {DEEP}, "calls":').encode(), ""),
    "NaN": (TEXT.replace("1300", "NaN").encode(), "body-malformed"),
    "Infinity": (TEXT.replace("1300", "-Infinity").encode(), "body-malformed"),
    "a fraction": (TEXT.replace("1300", "1300.5").encode(), "body-malformed"),
    "an exponent": (TEXT.replace("1300", "13e2").encode(), "body-malformed"),
    "a negative count": (_with_call(output_tokens=-1), "body-invalid"),
    "a count beyond 64 bits": (_with_call(output_tokens=10**30), "body-invalid"),
    "a number of a million digits": (TEXT.replace("1300", "9" * 1_000_000).encode(), ""),
    "more than a million dollars": (_with_call(output_tokens=10**12), "counts-implausible"),
    "a count as text": (_with_call(output_tokens="1300"), "body-invalid"),
    "a count as truth": (_with_call(output_tokens=True), "body-invalid"),
    "a key twice": (TEXT.replace('"at":', '"at": 1, "at":').encode(), "body-malformed"),
    "invalid UTF-8": (TEXT.encode().replace(b"payments", b"\xff\xfe\xfd"), "body-malformed"),
    "UTF-16": (TEXT.encode("utf-16"), "body-malformed"),
    "NUL in a text": (TEXT.replace("payments", "a\\u0000b").encode(), "body-malformed"),
    "half a character": (TEXT.replace("payments", "a\\ud800b").encode(), "body-malformed"),
    "an unknown field": (json.dumps(REPORT | {"prompt": "secret words"}).encode(), "body-invalid"),
    "another version": (json.dumps(REPORT | {"schema": "mergemeter.agent-runs/99"}).encode(), "body-invalid"),
    "a call of the next century": (_with_call(at="2126-01-01T00:00:00Z"), ""),
    "a day that does not exist": (_with_call(at="2026-02-31T00:00:00Z"), ""),
    "a hundred thousand sessions": (json.dumps(CROWD).encode(), "body-invalid"),
}  # fmt: skip


@pytest.mark.usefixtures("books_stay")
@pytest.mark.parametrize("what", SENSELESS)
def test_a_body_that_cannot_be_true_is_refused(stage: Stage, run: dict[str, Any], what: str) -> None:
    body, code = SENSELESS[what]
    answer = stage.record(run, body)
    answer.refuses(422, code or answer.code)
    assert answer.code in {"body-malformed", "body-invalid", "counts-implausible"}
    assert "secret words" not in answer.content["message"]


@pytest.mark.usefixtures("books_stay")
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_refused(stage: Stage, run: dict[str, Any], kind: str) -> None:
    token = stage.gh.mint_token(run, stage.server.url)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    stage.ask("POST", "/v1/agent-runs", TEXT.encode(), headers).refuses(415, "not-json")


@pytest.mark.usefixtures("books_stay")
def test_a_compressed_body_is_refused(stage: Stage, run: dict[str, Any]) -> None:
    token = stage.gh.mint_token(run, stage.server.url)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Content-Encoding": "gzip"}
    stage.ask("POST", "/v1/agent-runs", TEXT.encode(), headers).refuses(415, "encoded")


@pytest.mark.usefixtures("books_stay")
def test_thirty_megabytes_are_refused_and_do_not_stay_in_memory(stage: Stage, run: dict[str, Any]) -> None:
    body = b" " * (30 * MB)
    before = stage.resident_mb()
    token = stage.gh.mint_token(run, stage.server.url)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for _ in range(3):
        for sent in (body, iter([body[:MB]] * 30)):
            stage.ask("POST", "/v1/agent-runs", sent, headers).refuses(413, "too-large")
    assert stage.resident_mb() - before < 60


@pytest.mark.usefixtures("books_stay")
def test_thirty_megabytes_of_a_stranger_are_not_even_read(stage: Stage) -> None:
    body = b" " * (15 * MB)
    headers = {"Authorization": "Bearer x.y.z", "Content-Type": "application/json"}
    stage.ask("POST", "/v1/agent-runs", body, headers).refuses(401, "token-malformed")


NAMES = (
    "</details><img src=x onerror=alert(1)>",
    "@everyone",
    "[x](javascript:alert(1))",
    "`|`\n# x",
    "\u202egnp.exe",
    "=1+1",
)


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_are_shown_as_text(stage: Stage, name: str) -> None:
    org = stage.organisation(f"names-{NAMES.index(name)}")
    pull = org.open(title=name.replace("\n", " "))
    run = stage.gh.start_workflow_run(org.repository, pull=pull)
    calls = [call(f"{org.name}-1", model=name), call(f"{org.name}-2")]
    body = closing(agent_run(f"{org.name} {name}", calls, agent=name, agent_version=name))
    body["tags"]["team"] = name
    assert stage.record(run, body).status == 201
    stage.gh.merge(org.repository, pull)
    org.settle()
    comment, check = org.comment(pull), org.check(pull)
    assert comment is not None
    assert check is not None
    for text in (comment, check["output"]["summary"]):
        outside_code = "".join(text.split("`")[0::2])
        assert "<img" not in outside_code
        assert "javascript:" not in outside_code
        assert "@everyone" not in outside_code
        assert "\u202e" not in text
        assert outside_code.count("</details>") == outside_code.count("<details>")

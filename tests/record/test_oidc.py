"""Real RS256 tokens against a real JWKS on loopback; whatever is not exactly as expected is refused."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.oidc import KeysUnavailableError, TokenRefusedError, TokenVerifier
from app.oidc.keys import COOL_DOWN_S, FRESH_S, RETRY_S, STALE_S, IssuerKeys
from tests.record.issuer import ACCOUNT, AUDIENCE, REPOSITORY, Issuer, rsa_key


def verifier(issuer: Issuer, now: datetime | None = None) -> TokenVerifier:
    return TokenVerifier.of([issuer.url], AUDIENCE, lambda: now or datetime.now(UTC))


def refusal(issuer: Issuer, token: str) -> str:
    with pytest.raises(TokenRefusedError) as refused:
        verifier(issuer).verify(token)
    assert refused.value.sentence.endswith(".")
    return refused.value.code


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_good_token_tells_who_and_where(issuer: Issuer) -> None:
    claims = verifier(issuer).verify(issuer.token())
    assert (claims.account_id, claims.repository_id, claims.run_id, claims.run_attempt) == (ACCOUNT, REPOSITORY, 900, 1)
    assert (claims.check_run_id, claims.actor_id, claims.event_name) == (77, 42, "pull_request")
    assert claims.repository_properties == {"cost_center": "CC-7"}
    assert claims.expires_at > datetime.now(UTC)


def test_ids_may_be_numbers_too(issuer: Issuer) -> None:
    assert verifier(issuer).verify(issuer.token(repository_id=REPOSITORY)).repository_id == REPOSITORY


def test_what_an_enterprise_server_leaves_out_is_not_missed(issuer: Issuer) -> None:
    claims = verifier(issuer).verify(
        issuer.token(check_run_id=None, repository_visibility=None, sub=None, actor_id=None)
    )
    assert (claims.check_run_id, claims.visibility, claims.actor_id) == (None, "", 0)


def test_sub_is_never_read(issuer: Issuer) -> None:
    assert verifier(issuer).verify(issuer.token(sub=["repo:evil/evil"])).repository_id == REPOSITORY


def test_a_second_verification_fetches_no_keys(issuer: Issuer) -> None:
    one = verifier(issuer)
    for _ in range(5):
        one.verify(issuer.token())
    assert issuer.fetches == 1


def test_a_token_without_signature_is_refused(issuer: Issuer) -> None:
    unsigned = f"{part({'alg': 'none', 'kid': 'one'})}.{part(issuer.claims())}."
    assert refusal(issuer, unsigned) == "token-algorithm"


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(issuer: Issuer) -> None:
    public = rsa_key("one").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signing = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(issuer.claims())}"
    signature = base64.urlsafe_b64encode(hmac.digest(public, signing.encode(), "sha256")).rstrip(b"=").decode()
    assert refusal(issuer, f"{signing}.{signature}") == "token-algorithm"


def test_a_token_of_another_issuer_is_refused_without_asking_anybody(issuer: Issuer) -> None:
    for claimed in (
        issuer.url + "/",
        issuer.url.upper(),
        "https://token.actions.githubusercontent.com",
        None,
        [issuer.url],
    ):
        assert refusal(issuer, issuer.token(iss=claimed)) == "token-issuer"
    assert issuer.fetches == 0


@pytest.mark.parametrize("audience", ["https://other.example", [AUDIENCE], [AUDIENCE, "x"], "", None, 5])
def test_any_audience_but_ours_alone_is_refused(issuer: Issuer, audience: Any) -> None:
    assert refusal(issuer, issuer.token(aud=audience)) in {"token-audience", "token-claims"}


def test_a_token_signed_by_somebody_else_is_refused(issuer: Issuer) -> None:
    forged = jwt.encode(issuer.claims(), rsa_key("somebody"), "RS256", {"kid": "one"})
    assert refusal(issuer, forged) == "token-signature"


def test_a_changed_token_is_refused(issuer: Issuer) -> None:
    header, _, signature = issuer.token().split(".")
    changed = f"{header}.{part(issuer.claims(repository_owner_id='1'))}.{signature}"
    assert refusal(issuer, changed) == "token-signature"


@pytest.mark.parametrize(
    "claim",
    ["jti", "iat", "exp", "repository_owner_id", "repository_id", "run_id", "run_attempt", "event_name", "ref"],
)
def test_a_token_without_a_required_claim_is_refused(issuer: Issuer, claim: str) -> None:
    assert refusal(issuer, issuer.token(**{claim: None})) == "token-claims"


@pytest.mark.parametrize("number", ["0", "-1", "1e3", "９", " 7", "1" * 30, "", "x", 1.5, True, [7], {"a": 1}, 2**63])
def test_a_malformed_number_is_refused(issuer: Issuer, number: Any) -> None:
    assert refusal(issuer, issuer.token(repository_id=number)) == "token-claims"


@pytest.mark.parametrize("text", ["a\x00b", "x" * 2_000, 7, ["a"]])
def test_a_text_that_no_table_should_hold_is_refused(issuer: Issuer, text: Any) -> None:
    assert refusal(issuer, issuer.token(event_name=text)) == "token-claims"


def test_odd_custom_properties_are_left_out(issuer: Issuer) -> None:
    odd = {"repo_property_a": "\x00", "repo_property_b": ["x"], "repo_property_c": "fine"}
    assert verifier(issuer).verify(issuer.token(**odd)).repository_properties == {"cost_center": "CC-7", "c": "fine"}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"exp": -31}, "token-expired"),
        ({"iat": 90, "exp": 300}, "token-early"),  # a minute beyond the leeway: the test may be slow
        ({"nbf": 90}, "token-early"),
        ({"exp": 3_700}, "token-lifetime"),
    ],
)
def test_a_token_outside_its_time_is_refused(issuer: Issuer, changed: dict[str, int], code: str) -> None:
    now = int(time.time())
    assert refusal(issuer, issuer.token(**{name: now + after for name, after in changed.items()})) == code


@pytest.mark.parametrize("exp", ["300", 1e10, True, None, 2**60])
def test_a_malformed_time_is_refused(issuer: Issuer, exp: Any) -> None:
    assert refusal(issuer, issuer.token(exp=exp)) == "token-claims"


def test_a_clock_may_be_half_a_minute_off(issuer: Issuer) -> None:
    now = int(time.time())
    verifier(issuer).verify(issuer.token(exp=now - 25, iat=now - 300))
    verifier(issuer).verify(issuer.token(iat=now + 25, nbf=now + 25))


@pytest.mark.parametrize(
    "garbage",
    [
        *("", ".", "..", "a.b.c", "a.b", "é.é.é", "x" * 20_000),
        f"{part([1])}.{part([2])}.x",
        f"{part({})}.{part({})}",
        f"{part({'alg': 'RS256'})}.{base64.urlsafe_b64encode(b'[' * 9_000).decode()}.x",
    ],
)
def test_what_is_no_token_is_refused(issuer: Issuer, garbage: str) -> None:
    assert refusal(issuer, garbage) in {"token-malformed", "token-issuer"}
    assert issuer.fetches == 0


@pytest.mark.parametrize("kid", [None, "", 5, "two"])
def test_a_key_that_the_issuer_does_not_list_is_refused(issuer: Issuer, kid: Any) -> None:
    header = {"alg": "RS256"} | ({} if kid is None else {"kid": kid})
    assert refusal(issuer, f"{part(header)}.{part(issuer.claims())}.AAAA") == "token-key-unknown"


def test_not_a_number_is_no_time(issuer: Issuer) -> None:
    assert refusal(issuer, issuer.token(exp=float("nan"))) == "token-claims"


def test_no_audience_no_verifier(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match="audience"):
        TokenVerifier.of([issuer.url], "", lambda: datetime.now(UTC))


# ---- the issuer's keys ----------------------------------------------------------------------------------------------


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def keys_of(issuer: Issuer) -> tuple[IssuerKeys, Clock]:
    clock = Clock()
    return IssuerKeys(f"{issuer.url}/.well-known/jwks", clock), clock


def test_made_up_key_ids_cause_one_fetch_a_minute(issuer: Issuer) -> None:
    keys, clock = keys_of(issuer)
    assert [keys.find(f"made-up-{n}") for n in range(50)] == [None] * 50
    assert issuer.fetches == 1
    clock.now += COOL_DOWN_S
    keys.find("made-up")
    assert issuer.fetches == 2


def test_a_new_key_is_found_after_the_cool_down(issuer: Issuer) -> None:
    keys, clock = keys_of(issuer)
    assert keys.find("one") is not None
    issuer.kids = ["two"]
    clock.now += COOL_DOWN_S
    assert keys.find("two") is not None
    assert keys.find("one") is None


def test_a_withdrawn_key_is_forgotten_when_the_keys_are_no_longer_fresh(issuer: Issuer) -> None:
    keys, clock = keys_of(issuer)
    assert keys.find("one") is not None
    issuer.kids = ["two"]
    clock.now += FRESH_S
    assert keys.find("one") is not None  # while the issuer is asked, nobody waits
    assert within_5_s(lambda: keys.find("one") is None)


BROKEN: list[tuple[int, dict[str, str], bytes]] = [
    (500, {}, b""),
    (200, {}, b"not json"),
    (200, {}, b"[]"),
    (200, {}, b'{"keys": []}'),
    (302, {"Location": "http://127.0.0.1:9/"}, b""),
]


@pytest.mark.parametrize("answer", BROKEN)
def test_an_issuer_without_usable_keys_is_tried_again_later(
    issuer: Issuer, answer: tuple[int, dict[str, str], bytes]
) -> None:
    keys, clock = keys_of(issuer)
    issuer.answer = answer
    for _ in range(3):
        with pytest.raises(KeysUnavailableError):
            keys.find("one")
    assert issuer.fetches == 1
    issuer.answer = None
    clock.now += RETRY_S
    assert keys.find("one") is not None


@pytest.mark.parametrize("answer", BROKEN)
def test_known_keys_outlive_a_short_outage_and_not_a_long_one(
    issuer: Issuer, answer: tuple[int, dict[str, str], bytes]
) -> None:
    keys, clock = keys_of(issuer)
    assert keys.find("one") is not None
    issuer.answer = answer
    clock.now += FRESH_S + 1
    assert keys.find("one") is not None
    assert within_5_s(lambda: issuer.fetches == 2)
    assert keys.find("one") is not None
    clock.now += STALE_S
    with pytest.raises(KeysUnavailableError):
        keys.find("one")


def within_5_s(happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not happens():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_symmetric_key_in_the_set_is_never_used(issuer: Issuer) -> None:
    secret = {"kty": "oct", "kid": "one", "k": base64.urlsafe_b64encode(b"s" * 32).decode(), "alg": "HS256"}
    real = json.loads(issuer.jwks())["keys"][0] | {"kid": "two"}
    issuer.answer = (200, {}, json.dumps({"keys": [secret, real]}).encode())
    keys, _ = keys_of(issuer)
    assert keys.find("one") is None
    assert keys.find("two") is not None


def test_verifying_costs_less_than_a_millisecond(issuer: Issuer) -> None:
    one, tokens = verifier(issuer), [issuer.token() for _ in range(50)]
    one.verify(tokens[0])
    assert fastest(lambda: [one.verify(token) for token in tokens]) / len(tokens) < 0.001


def fastest(work: Callable[[], Any]) -> float:
    """CPU seconds of the best of three."""
    times = []
    for _ in range(3):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def test_time_is_the_given_one(issuer: Issuer) -> None:
    token = issuer.token()
    with pytest.raises(TokenRefusedError) as refused:
        verifier(issuer, datetime.now(UTC) + timedelta(hours=1)).verify(token)
    assert refused.value.code == "token-expired"

"""A token issuer on loopback: real RSA keys, a real JWKS over HTTP, and tokens like those of GitHub Actions."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

AUDIENCE = "https://meter.example"
ACCOUNT, REPOSITORY = 1_001, 5_000_000_001


@cache
def rsa_key(name: str) -> RSAPrivateKey:
    """One key for each name and test run."""
    return generate_private_key(65_537, 2_048)


class Issuer:
    """`url` is the issuer; `answer` is what its JWKS endpoint says, as (status, headers, body); None: its real keys."""

    def __init__(self) -> None:
        self.kids = ["one"]
        self.answer: tuple[int, dict[str, str], bytes] | None = None
        self.fetches = 0
        self.serial = 0
        outer = self

        class Endpoint(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.fetches += 1
                status, headers, body = outer.answer or (200, {}, outer.jwks())
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def jwks(self) -> bytes:
        keys = []
        for kid in self.kids:
            jwk = jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key(kid).public_key(), as_dict=True)
            keys.append({**jwk, "kid": kid, "use": "sig", "alg": "RS256"})
        return json.dumps({"keys": keys}).encode()

    def claims(self, **changed: Any) -> dict[str, Any]:
        """What GitHub says of a job; a change to None leaves the claim out."""
        self.serial += 1
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "repo:acme/widgets:pull_request",
            "jti": f"jti-{self.serial}",
            "iat": now,
            "nbf": now - 600,
            "exp": now + 300,
            "repository": "acme/widgets",
            "repository_id": str(REPOSITORY),
            "repository_owner": "acme",
            "repository_owner_id": str(ACCOUNT),
            "repository_visibility": "private",
            "repo_property_cost_center": "CC-7",
            "run_id": "900",
            "run_number": "3",
            "run_attempt": "1",
            "check_run_id": "77",
            "event_name": "pull_request",
            "ref": "refs/pull/5/merge",
            "sha": "a" * 40,
            "head_ref": "feature",
            "base_ref": "main",
            "actor": "ada",
            "actor_id": "42",
            "workflow": "agent",
            "workflow_ref": "acme/widgets/.github/workflows/agent.yml@refs/pull/5/merge",
            "job_workflow_ref": "acme/widgets/.github/workflows/agent.yml@refs/pull/5/merge",
            "runner_environment": "github-hosted",
            "a_claim_of_tomorrow": {"any": ["thing"]},
        }
        return {name: value for name, value in {**claims, **changed}.items() if value is not None}

    def token(self, **changed: Any) -> str:
        """A good token, but for the changed claims."""
        return self.sign(self.claims(**changed))

    def sign(self, claims: dict[str, Any], kid: str = "one") -> str:
        # Not jwt.encode: it refuses to sign the claims that a hostile issuer would.
        return jwt.PyJWS().encode(json.dumps(claims).encode(), rsa_key(kid), "RS256", {"kid": kid})


@contextmanager
def issuing() -> Iterator[Issuer]:
    issuer = Issuer()
    try:
        yield issuer
    finally:
        issuer.close()

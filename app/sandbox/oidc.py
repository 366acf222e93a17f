"""The issuer of workflow identity tokens: claims of a job, signing keys that rotate, and forgeries for tests.

Claims as https://docs.github.com/en/actions/reference/security/oidc lists them.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt.algorithms import RSAAlgorithm

from app.sandbox import keys
from app.sandbox.state import Hub, Job, Repository, WorkflowRun

IMMUTABLE_SUBJECTS_SINCE = datetime(2026, 7, 15, tzinfo=UTC)
LIFETIME_S = 300
STARTS_BEFORE_S = 600


class Issuer:
    """Signs tokens. `rotate()` publishes a new key; the one before stays valid until the next rotation."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._names = ["oidc-1"]

    @property
    def url(self) -> str:
        return f"{self._hub.url}/_oidc"

    @property
    def key_id(self) -> str:
        return self._names[-1]

    def rotate(self) -> str:
        """Sign with a new key from now on; gives its kid."""
        number = int(self._names[-1].removeprefix("oidc-")) + 1
        self._names = [*self._names[-1:], f"oidc-{number}"]
        return self.key_id

    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        return {"keys": [self._jwk(name) for name in self._names]}

    def _jwk(self, name: str) -> dict[str, Any]:
        public = RSAAlgorithm.to_jwk(keys.rsa_key(name).public_key(), as_dict=True)
        return {"kty": "RSA", "kid": name, "use": "sig", "alg": "RS256", "n": public["n"], "e": public["e"]}

    def discovery(self) -> dict[str, Any]:
        """The OpenID configuration document."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/.well-known/jwks",
            "subject_types_supported": ["public", "pairwise"],
            "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid"],
        }

    def claims(self, repository: Repository, run: WorkflowRun, job: Job, audience: str) -> dict[str, Any]:
        """What GitHub would sign for this job now, by the real clock."""
        now = int(time.time())
        workflow_ref = f"{repository.full_name}/{run.path}@{run.ref}"
        claims = {
            "jti": self._hub.next_uuid("jti"),
            "iss": self.url,
            "aud": audience,
            "sub": subject(repository, run, job),
            "iat": now,
            "nbf": now - STARTS_BEFORE_S,
            "exp": now + LIFETIME_S,
            "actor": run.actor.login,
            "actor_id": str(run.actor.account_id),
            "repository": repository.full_name,
            "repository_id": str(repository.repository_id),
            "repository_owner": repository.owner.login,
            "repository_owner_id": str(repository.owner.account_id),
            "repository_visibility": repository.visibility,
            "ref": run.ref,
            "ref_type": "branch",
            "ref_protected": "false",
            "sha": run.sha,
            "head_ref": run.head_ref,
            "base_ref": run.base_ref,
            "run_id": str(run.run_id),
            "run_number": str(run.run_number),
            "run_attempt": str(job.run_attempt),
            "check_run_id": str(job.job_id),
            "workflow": run.name,
            "workflow_ref": workflow_ref,
            "workflow_sha": run.sha,
            "job_workflow_ref": workflow_ref,
            "job_workflow_sha": run.sha,
            "event_name": run.event,
            "runner_environment": "github-hosted",
        }
        if job.environment:
            claims["environment"] = job.environment
        return claims | {f"repo_property_{name}": value for name, value in repository.properties.items()}

    def sign(
        self, claims: Mapping[str, Any], algorithm: str = "RS256", key: str | None = None, kid: str | None = None
    ) -> str:
        """A token. `algorithm` "none" and "HS256" (keyed with our public key) and a foreign `key` make forgeries."""
        name = key or self.key_id
        headers = {"kid": kid or self.key_id, "x5t": kid or self.key_id}
        if algorithm in {"none", "HS256"}:
            return _unsound(claims, algorithm, headers, keys.public_pem(keys.rsa_key(name)))
        return jwt.encode(dict(claims), keys.rsa_key(name), algorithm=algorithm, headers=headers)


def subject(repository: Repository, run: WorkflowRun, job: Job) -> str:
    """`sub`; with ids in it for repositories made after the change of July 2026."""
    owner, name = repository.owner.login, repository.name
    if repository.created_at > IMMUTABLE_SUBJECTS_SINCE:
        owner, name = f"{owner}@{repository.owner.account_id}", f"{name}@{repository.repository_id}"
    if job.environment:
        return f"repo:{owner}/{name}:environment:{job.environment}"
    return f"repo:{owner}/{name}:{'pull_request' if run.event == 'pull_request' else f'ref:{run.ref}'}"


def _unsound(claims: Mapping[str, Any], algorithm: str, headers: Mapping[str, Any], secret: str) -> str:
    """What PyJWT rightly refuses to make: no signature, or the public key taken as an HMAC secret."""
    head = {"typ": "JWT", "alg": algorithm, **headers}
    signed = b".".join(_base64url(json.dumps(part).encode()) for part in (head, dict(claims)))
    mac = hmac.new(secret.encode(), signed, hashlib.sha256).digest() if algorithm == "HS256" else b""
    return (signed + b"." + _base64url(mac)).decode()


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")

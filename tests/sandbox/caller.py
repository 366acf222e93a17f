"""A caller of the sandbox's REST interface over plain HTTP, as an App would be."""

import functools
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.sandbox import Sandbox

VERSION = {"X-GitHub-Api-Version": "2022-11-28", "User-Agent": "tests"}


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def message(self) -> str:
        return str(self.json["message"])


def request(url: str, method: str = "GET", body: object = None, headers: dict[str, str] | None = None) -> Answered:
    """Any request; a body that is no bytes goes as JSON. Redirects are not followed."""
    raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, raw, {**VERSION, **(headers or {})}, method=method)
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(asked, timeout=10) as answer:
            return Answered(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return Answered(refused.code, dict(refused.headers), refused.read())


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@functools.cache
def loaded(pem: str) -> rsa.RSAPrivateKey:
    """The key, read once: reading one takes a tenth of a second."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def app_jwt(registered: dict[str, Any], **claims: Any) -> str:
    """The App's own token: five minutes, backdated by one."""
    now = int(time.time())
    true = {"iss": str(registered["app_id"]), "iat": now - 60, "exp": now + 300}
    return jwt.encode(true | claims, loaded(registered["private_key"]), algorithm="RS256")


@dataclass
class Caller:
    """The App `registered`, installed as `installation_id`, with an installation token."""

    sandbox: Sandbox
    registered: dict[str, Any]
    installation_id: int
    token: str = ""

    def renew(self, body: object = None) -> Answered:
        """Ask for a new token and use it."""
        path = f"/app/installations/{self.installation_id}/access_tokens"
        answer = self.as_app("POST", path, body)
        if answer.status == 201:
            self.token = answer.json["token"]
        return answer

    def as_app(self, method: str, path: str, body: object = None) -> Answered:
        headers = {"Authorization": f"Bearer {app_jwt(self.registered)}"}
        return request(self.sandbox.url + path, method, body, headers)

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Answered:
        return request(self.sandbox.url + path, method, body, {"Authorization": f"Bearer {self.token}", **headers})

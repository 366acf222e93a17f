"""Checks a token's issuer, algorithm, signature, audience and times, in this order.

Refused are other issuers (before any network call), other algorithms than RS256, more or other audiences than ours,
missing or malformed claims, and long-lived tokens.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import jwt
from jwt.types import Options

from app.core.facts import Claims
from app.oidc.claims import TokenRefusedError, claims_of, read_claims
from app.oidc.keys import IssuerKeys

LARGEST_TOKEN = 16_384  # characters; GitHub's have about 2,000
LEEWAY = timedelta(seconds=30)
LONGEST_LIFE = timedelta(hours=1)  # GitHub's live five to ten minutes
# Times are checked here, because the clock is handed to us; `sub` is never looked at.
OPTIONS: Options = {
    "require": ["iss", "aud", "exp", "iat", "jti"],
    "strict_aud": True,
    "verify_signature": True,
    "verify_aud": True,
    "verify_iss": True,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_sub": False,
    "verify_jti": False,
}


class TokenVerifier:
    """Verifies tokens of the allowed issuers for one audience. Safe to share between threads; may block on a fetch.

    `now` returns the present as an aware instant; `keys` are the issuers' own, by issuer.
    """

    def __init__(self, keys: Mapping[str, IssuerKeys], audience: str, now: Callable[[], datetime]) -> None:
        if not audience:
            raise ValueError("an audience is needed, or a token made for somebody else would do")
        self._keys = dict(keys)
        self._audience = audience
        self._now = now

    @classmethod
    def of(cls, issuers: Sequence[str], audience: str, now: Callable[[], datetime]) -> "TokenVerifier":
        """For these issuers, exactly as written, each with its keys at `<issuer>/.well-known/jwks`."""
        return cls({issuer: IssuerKeys(f"{issuer}/.well-known/jwks") for issuer in issuers}, audience, now)

    def verify(self, unverified_token: str) -> Claims:
        """The claims of a token; raises TokenRefusedError, or KeysUnavailableError where the issuer cannot be asked."""
        if len(unverified_token) > LARGEST_TOKEN or not unverified_token.isascii():
            raise TokenRefusedError("token-malformed", "The token is too long or not ASCII.")
        issuer, kid = self._unverified_issuer_and_kid(unverified_token)
        key = self._keys[issuer].find(kid)
        if key is None:
            raise TokenRefusedError(
                "token-key-unknown", "The token is signed with a key that its issuer does not list."
            )
        signed = self._signed(unverified_token, key, issuer)
        read = read_claims(signed)
        self._check_times(read)
        return claims_of(read, signed)

    def _unverified_issuer_and_kid(self, unverified_token: str) -> tuple[str, str]:
        header, payload = _unverified_parts(unverified_token)
        issuer = payload.get("iss")
        # Compared before any network call: whoever writes a token must not choose whom we ask for keys.
        if not isinstance(issuer, str) or issuer not in self._keys:
            raise TokenRefusedError("token-issuer", "The token's issuer is not one that this server accepts.")
        if header.get("alg") != "RS256":
            raise TokenRefusedError("token-algorithm", "The token is not signed with RS256.")
        if not isinstance(header.get("kid"), str) or not header["kid"]:
            raise TokenRefusedError("token-key-unknown", "The token does not name its key.")
        return issuer, header["kid"]

    def _signed(self, unverified_token: str, key: jwt.PyJWK, issuer: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                unverified_token,
                key,
                algorithms=["RS256"],
                issuer=issuer,
                audience=self._audience,
                options=OPTIONS,
            )
        except jwt.InvalidAudienceError as error:
            raise TokenRefusedError("token-audience", "The token was made for another audience.") from error
        except jwt.InvalidSignatureError as error:
            raise TokenRefusedError("token-signature", "The token's signature is wrong.") from error
        except jwt.MissingRequiredClaimError as error:
            raise TokenRefusedError("token-claims", f"The token lacks the claim {error.claim}.") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenRefusedError("token-malformed", "The token cannot be verified.") from error

    def _check_times(self, read: Mapping[str, Any]) -> None:
        now = self._now()
        if read["exp"] + LEEWAY <= now:
            raise TokenRefusedError("token-expired", "The token has expired; ask the runner for a new one.")
        if max(read["iat"], read["nbf"] or read["iat"]) - LEEWAY > now:
            raise TokenRefusedError("token-early", "The token is not valid yet: a clock is wrong.")
        if read["exp"] - read["iat"] > LONGEST_LIFE:
            raise TokenRefusedError("token-lifetime", "The token lives longer than an hour.")


def _unverified_parts(unverified_token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload as written: good for nothing but to choose the issuer's key."""
    parts = unverified_token.split(".")
    try:
        header, payload = (json.loads(urlsafe_b64decode(f"{part}==")) for part in parts[:2])
    except (ValueError, RecursionError) as error:
        raise TokenRefusedError("token-malformed", "The token is not a JSON Web Token.") from error
    if len(parts) != 3 or not isinstance(header, dict) or not isinstance(payload, dict):
        raise TokenRefusedError("token-malformed", "The token is not a JSON Web Token.")
    return header, payload

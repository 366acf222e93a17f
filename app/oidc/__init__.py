"""An unverified GitHub Actions token → verified claims, or a refusal. Owns what we believe of a token, and why."""

from app.oidc.claims import TokenRefusedError
from app.oidc.keys import KeysUnavailableError
from app.oidc.verifier import TokenVerifier

__all__ = ["KeysUnavailableError", "TokenRefusedError", "TokenVerifier"]

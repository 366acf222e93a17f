"""The public keys of one token issuer, kept in memory. Owns when they are fetched; refuses redirects and empty sets."""

import threading
import time
from collections.abc import Callable

import jwt

FRESH_S = 600
STALE_S = 3_600  # how long known keys outlive an issuer that cannot be reached
COOL_DOWN_S = 60  # between fetches, so that made-up key ids cannot make us hammer the issuer
RETRY_S = 5  # after a failed fetch
TIMEOUT_S = 5


class KeysUnavailableError(Exception):
    """The issuer's keys cannot be fetched now: nobody's fault, worth another try."""


class IssuerKeys:
    """RSA signing keys by id, from `url` (http or https). Safe to share between threads."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=TIMEOUT_S)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._may_fetch_at = float("-inf")

    def find(self, kid: str) -> jwt.PyJWK | None:
        """The key of that id, or None where the issuer has none; may block on a fetch, raises KeysUnavailableError."""
        key, age = self._keys.get(kid), self._age()
        if key is not None and age < FRESH_S:
            return key
        if key is not None and age <= STALE_S:
            # Nobody waits for the issuer to confirm a key that it has listed within the hour.
            if self._lock.acquire(blocking=False):
                threading.Thread(target=self._refresh, args=(kid,), daemon=True).start()
            return key
        self._lock.acquire()
        self._refresh(kid)
        if self._age() > STALE_S:
            raise KeysUnavailableError("The keys of the token's issuer cannot be fetched; try again later.")
        return self._keys.get(kid)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _refresh(self, kid: str) -> None:
        """Fetch the keys if it is time to; ends with giving back the lock that its caller took."""
        try:
            known = kid in self._keys and self._age() < FRESH_S  # somebody fetched it while we waited
            if not known and self._clock() >= self._may_fetch_at:
                self._fetch()
        finally:
            self._lock.release()

    def _fetch(self) -> None:
        try:
            keys = self._client.get_signing_keys()
        except (jwt.PyJWTError, ValueError, OSError):
            self._may_fetch_at = self._clock() + RETRY_S
            return
        self._keys = {key.key_id: key for key in keys if key.key_id and key.key_type == "RSA"}
        self._fetched_at = self._clock()
        self._may_fetch_at = self._fetched_at + COOL_DOWN_S

"""What the operator decides, read from the environment once, in `__main__`. Owns no behaviour.

Every variable is named `MERGEMETER_…`. Malformed values are refused when they are read; what a running server
cannot do without (key, secrets, public address) is refused by `require_complete`, all gaps at once.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SHORTEST_SECRET = 16
LOGIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
TOKEN = re.compile(r"[!-<>-~]{16,500}")
KEYED_VENDORS = ("anthropic", "claude-enterprise", "openai", "github")
PLACEHOLDERS = ("changeme", "development", "placeholder", "replace-me", "secretsecret", "your-webhook-secret")


class SettingsError(Exception):
    """The environment is not usable; the message has one line for each problem."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One server's settings. Secrets are left out of `repr`. Durations end in `_s` and are seconds."""

    database_url: str = "sqlite:///mergemeter.sqlite3"
    app_id: int = 0
    private_key: str = field(default="", repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    public_url: str = ""
    oidc_audience: str = ""
    oidc_issuers: tuple[str, ...] = ("https://token.actions.githubusercontent.com",)
    github_api_url: str = "https://api.github.com"
    github_web_url: str = "https://github.com"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 4
    log_level: str = "INFO"
    debounce_s: float = 10
    write_spacing_s: float = 1
    create_spacing_s: float = 3
    summary_day: int = 2
    agent_tasks_tokens: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # account (lower case), token
    vendor_keys: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)  # account (lower case), vendor, key
    anthropic_api_url: str = "https://api.anthropic.com"
    openai_api_url: str = "https://api.openai.com"

    def agent_tasks_token(self, login: str) -> str | None:
        """The user token for the agent tasks of an account."""
        return dict(self.agent_tasks_tokens).get(login.lower())

    def vendor_key(self, login: str, vendor: str) -> str | None:
        """The operator's key for a vendor's reports of an account."""
        found = (key for account, named, key in self.vendor_keys if (account, named) == (login.lower(), vendor))
        return next(found, None)

    def vendor_url(self, vendor: str) -> str:
        """Where a vendor whose reports are read answers."""
        urls = {"openai": self.openai_api_url, "github": self.github_api_url}
        return urls.get(vendor, self.anthropic_api_url)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read every `MERGEMETER_…` variable that is set and not empty; SettingsError names each malformed one."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        for name, read in READERS.items():
            text = environ.get(f"MERGEMETER_{name}", "").strip()
            if not text:
                continue
            try:
                values[FIELD_OF.get(name, name.lower())] = read(text)
            except (ValueError, OSError) as error:
                problems.append(f"MERGEMETER_{name}: {_sentence(error)}")
        if problems:
            raise SettingsError("\n".join(problems))
        values.setdefault("oidc_audience", values.get("public_url", ""))
        return cls(**values)

    def require_complete(self) -> None:
        """Raise SettingsError when something is missing or unsafe that serving and working need."""
        problems = [
            *([] if self.app_id else ["MERGEMETER_APP_ID is missing: the App's numeric id"]),
            *([] if self.private_key else ["MERGEMETER_PRIVATE_KEY or MERGEMETER_PRIVATE_KEY_FILE is missing"]),
            *([] if self.public_url else ["MERGEMETER_PUBLIC_URL is missing: this server's https address"]),
            *_weaknesses(self.webhook_secrets),
        ]
        if problems:
            raise SettingsError("\n".join(problems))


def _weaknesses(secrets: tuple[str, ...]) -> list[str]:
    # A server with a guessable secret takes anybody's word for GitHub's: it must not start.
    if not secrets:
        return ["MERGEMETER_WEBHOOK_SECRETS is missing: the App's webhook secret (several for rotation, by comma)"]
    return [
        f"MERGEMETER_WEBHOOK_SECRETS: secret {number} is a placeholder or shorter than {SHORTEST_SECRET} characters"
        for number, secret in enumerate(secrets, 1)
        if len(secret) < SHORTEST_SECRET or len(set(secret)) < 4 or secret.lower().startswith(PLACEHOLDERS)
    ]


def _sentence(error: Exception) -> str:
    # An OSError's text may name a path, never a file's content.
    return str(error) or type(error).__name__


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("not an http(s) address")
    return text.rstrip("/")


def _database_url(text: str) -> str:
    # SQLAlchemy 2.1 takes "postgresql://" as psycopg 3; some hosts still hand out the old "postgres://".
    text = "postgresql://" + text.removeprefix("postgres://") if text.startswith("postgres://") else text
    if not text.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("not sqlite:///FILE or postgresql://…")
    return text


def _between(low: float, high: float) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not low <= int(text) <= high:
            raise ValueError(f"must be between {low} and {high}")
        return int(text)

    return read


def _seconds(text: str) -> float:
    if not 0 <= float(text) <= 86_400:
        raise ValueError("must be seconds between 0 and 86400")
    return float(text)


def _level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def _key(text: str) -> str:
    # Many hosts cannot hold line ends in a variable: "\n" in two characters is taken as one.
    text = text.replace("\\n", "\n")
    if "PRIVATE KEY-----" not in text:
        raise ValueError("not a private key in PEM form")
    return text


def _key_file(text: str) -> str:
    return _key(Path(text).read_text(encoding="ascii"))


def _comma_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _tokens(text: str) -> tuple[tuple[str, str], ...]:
    """Accounts with their tokens; what is wrong is said by place, as the text may be a token."""
    pairs = [part.partition("=") for part in re.split(r"[,\s]+", text) if part]
    found = [(login.lower(), token) for login, _, token in pairs]
    for number, (login, token) in enumerate(found, 1):
        if not LOGIN.fullmatch(login) or not TOKEN.fullmatch(token):
            raise ValueError(f"part {number} is not ACCOUNT=TOKEN")
        if login in dict(found[: number - 1]):
            raise ValueError(f"part {number} is of an account that has a token already")
        if token.startswith("ghs_"):
            raise ValueError(f"part {number} is an installation's token; GitHub asks for a user's")
    return tuple(found)


def _tokens_file(text: str) -> tuple[tuple[str, str], ...]:
    return _tokens(Path(text).read_text(encoding="ascii"))


def _vendor_keys(text: str) -> tuple[tuple[str, str, str], ...]:
    """Accounts and vendors with their keys; what is wrong is said by place, as the text may be a key."""
    parts = [part.partition("=") for part in re.split(r"[,\s]+", text) if part]
    found: list[tuple[str, str, str]] = []
    for number, (whose, _, key) in enumerate(parts, 1):
        login, _, vendor = whose.lower().partition("/")
        if not LOGIN.fullmatch(login) or vendor not in KEYED_VENDORS or not TOKEN.fullmatch(key):
            raise ValueError(f"part {number} is not ACCOUNT/VENDOR=KEY with a vendor of {', '.join(KEYED_VENDORS)}")
        if any((login, vendor) == each[:2] for each in found):
            raise ValueError(f"part {number} is of an account and vendor that has a key already")
        found.append((login, vendor, key))
    return tuple(found)


def _vendor_keys_file(text: str) -> tuple[tuple[str, str, str], ...]:
    return _vendor_keys(Path(text).read_text(encoding="ascii"))


def _url_list(text: str) -> tuple[str, ...]:
    return tuple(_url(part) for part in text.split())


READERS: dict[str, Callable[[str], Any]] = {
    "DATABASE_URL": _database_url,
    "APP_ID": _between(1, 2**63 - 1),
    "PRIVATE_KEY_FILE": _key_file,
    "PRIVATE_KEY": _key,
    "WEBHOOK_SECRETS": _comma_list,
    "PUBLIC_URL": _url,
    "OIDC_AUDIENCE": str,
    "OIDC_ISSUERS": _url_list,
    "GITHUB_API_URL": _url,
    "GITHUB_WEB_URL": _url,
    "HOST": str,
    "PORT": _between(0, 65_535),
    "WORKERS": _between(1, 64),
    "LOG_LEVEL": _level,
    "DEBOUNCE_S": _seconds,
    "WRITE_SPACING_S": _seconds,
    "CREATE_SPACING_S": _seconds,
    "SUMMARY_DAY": _between(1, 28),
    "AGENT_TASKS_TOKENS_FILE": _tokens_file,
    "AGENT_TASKS_TOKENS": _tokens,
    "VENDOR_KEYS_FILE": _vendor_keys_file,
    "VENDOR_KEYS": _vendor_keys,
    "ANTHROPIC_API_URL": _url,
    "OPENAI_API_URL": _url,
}
FIELD_OF = {
    "PRIVATE_KEY_FILE": "private_key",
    "AGENT_TASKS_TOKENS_FILE": "agent_tasks_tokens",
    "VENDOR_KEYS_FILE": "vendor_keys",
}

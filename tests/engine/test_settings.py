"""Settings: defaults, refusals of unsafe or malformed ones, and that secrets are never shown."""

from pathlib import Path

import pytest

from app.settings import Settings, SettingsError

KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nx\n-----END RSA " + "PRIVATE KEY-----"
GOOD = {
    "MERGEMETER_APP_ID": "4711",
    "MERGEMETER_PRIVATE_KEY": KEY,
    "MERGEMETER_WEBHOOK_SECRETS": "first-webhook-secret, second-webhook-secret",
    "MERGEMETER_PUBLIC_URL": "https://mergemeter.example/",
}


def test_the_defaults_are_githubs_own_addresses_and_a_sqlite_file() -> None:
    settings = Settings.from_environ({})
    assert settings.database_url == "sqlite:///mergemeter.sqlite3"
    assert settings.oidc_issuers == ("https://token.actions.githubusercontent.com",)
    assert settings.github_api_url == "https://api.github.com"


def test_everything_that_is_needed_can_be_set() -> None:
    settings = Settings.from_environ(GOOD | {"MERGEMETER_OIDC_ISSUERS": "https://a.example/x https://b.example"})
    settings.require_complete()
    assert settings.webhook_secrets == ("first-webhook-secret", "second-webhook-secret")
    assert settings.oidc_audience == "https://mergemeter.example"
    assert settings.oidc_issuers == ("https://a.example/x", "https://b.example")


def test_a_server_without_settings_is_told_all_that_is_missing_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({}).require_complete()
    assert len(str(refused.value).splitlines()) == 4


@pytest.mark.parametrize("secrets", ["", "short", "changeme-changeme-changeme", "a" * 40, "fine-webhook-secret,short"])
def test_a_server_with_a_guessable_webhook_secret_does_not_start(secrets: str) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_SECRETS"):
        Settings.from_environ(GOOD | {"MERGEMETER_WEBHOOK_SECRETS": secrets}).require_complete()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_ID", "app"),
        ("APP_ID", "-1"),
        ("PORT", "70000"),
        ("WORKERS", "0"),
        ("PUBLIC_URL", "mergemeter.example"),
        ("PUBLIC_URL", "ftp://mergemeter.example"),
        ("OIDC_ISSUERS", "https://good.example nonsense"),
        ("DATABASE_URL", "mysql://x"),
        ("PRIVATE_KEY", "not a key"),
        ("PRIVATE_KEY_FILE", "/does/not/exist"),
        ("DEBOUNCE_S", "nan"),
        ("WRITE_SPACING_S", "-1"),
        ("LOG_LEVEL", "LOUD"),
        ("SUMMARY_DAY", "31"),
        ("AGENT_TASKS_TOKENS", "github_pat_without_an_account"),
        ("AGENT_TASKS_TOKENS", "acme=short"),
        ("AGENT_TASKS_TOKENS", "=github_pat_0123456789"),
        ("AGENT_TASKS_TOKENS", "ac/me=github_pat_0123456789"),
        ("AGENT_TASKS_TOKENS", "acme=github_pat_0123456789,Acme=github_pat_9876543210"),
        ("AGENT_TASKS_TOKENS", "acme=ghs_0123456789abcdef"),
        ("AGENT_TASKS_TOKENS_FILE", "/does/not/exist"),
        ("VENDOR_KEYS", "acme=sk-ant-admin01-0123456789"),
        ("VENDOR_KEYS", "acme/mistral=0123456789abcdef"),
        ("VENDOR_KEYS", "/openai=sk-admin-0123456789"),
        ("VENDOR_KEYS", "acme/openai=short"),
        ("VENDOR_KEYS", "acme/openai=sk-admin-0123456789,Acme/OpenAI=sk-admin-9876543210"),
        ("VENDOR_KEYS_FILE", "/does/not/exist"),
        ("ANTHROPIC_API_URL", "api.anthropic.com"),
        ("OPENAI_API_URL", "ftp://api.openai.com"),
    ],
)
def test_a_malformed_setting_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"MERGEMETER_{name}: "):
        Settings.from_environ({f"MERGEMETER_{name}": value})


def test_a_key_may_come_from_a_file_or_with_written_out_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    from_file = Settings.from_environ({"MERGEMETER_PRIVATE_KEY_FILE": str(file)})
    from_variable = Settings.from_environ({"MERGEMETER_PRIVATE_KEY": KEY.replace("\n", "\\n")})
    assert from_file.private_key == from_variable.private_key == KEY


def test_user_tokens_are_by_account_from_a_variable_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("Acme=github_pat_0123456789\nglobex=ghp_0123456789abcdef\n")
    from_file = Settings.from_environ({"MERGEMETER_AGENT_TASKS_TOKENS_FILE": str(file)})
    text = "Acme=github_pat_0123456789, globex=ghp_0123456789abcdef"
    from_variable = Settings.from_environ({"MERGEMETER_AGENT_TASKS_TOKENS": text})
    assert from_file.agent_tasks_tokens == from_variable.agent_tasks_tokens
    assert from_file.agent_tasks_token("ACME") == "github_pat_0123456789"
    assert from_file.agent_tasks_token("initech") is None
    assert "0123456789" not in repr(from_file)


@pytest.mark.parametrize("text", ["github_pat_0123456789", "acme=ghs_0123456789abcdef", "acme github_pat_0123456789"])
def test_a_refused_user_token_is_not_repeated(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({"MERGEMETER_AGENT_TASKS_TOKENS": text})
    assert "0123456789" not in str(refused.value)


def test_vendors_keys_are_by_account_and_vendor_from_a_variable_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("Acme/anthropic=sk-ant-admin01-0123456789\nacme/openai=sk-admin-0123456789ab\n")
    from_file = Settings.from_environ({"MERGEMETER_VENDOR_KEYS_FILE": str(file)})
    text = "Acme/anthropic=sk-ant-admin01-0123456789, acme/openai=sk-admin-0123456789ab"
    from_variable = Settings.from_environ({"MERGEMETER_VENDOR_KEYS": text})
    assert from_file.vendor_keys == from_variable.vendor_keys
    assert from_file.vendor_key("ACME", "openai") == "sk-admin-0123456789ab"
    assert (from_file.vendor_key("acme", "github"), from_file.vendor_key("globex", "openai")) == (None, None)
    assert "0123456789" not in repr(from_file)


@pytest.mark.parametrize("text", ["sk-admin-0123456789", "acme/mistral=sk-0123456789ab", "acme/openai sk-0123456789ab"])
def test_a_refused_vendor_key_is_not_repeated(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({"MERGEMETER_VENDOR_KEYS": text})
    assert "0123456789" not in str(refused.value)


def test_each_vendor_is_asked_at_its_own_address() -> None:
    urls = {each: Settings().vendor_url(each) for each in ("anthropic", "claude-enterprise", "openai", "github")}
    anthropic = "https://api.anthropic.com"
    assert urls == {
        "anthropic": anthropic,
        "claude-enterprise": anthropic,
        "openai": "https://api.openai.com",
        "github": "https://api.github.com",
    }


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    shown = repr(Settings.from_environ(GOOD))
    assert "first-webhook-secret" not in shown
    assert "BEGIN" not in shown

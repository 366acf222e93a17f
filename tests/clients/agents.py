"""The real clients: what each needs in its home and its environment, and its command line.

A command is given as words of which the first is a program of tests/clients/package.json.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

CLAUDE, CLAUDE_SMALL = "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"
CODEX, GEMINI, QWEN = "gpt-5.1-codex", "gemini-2.5-pro", "qwen3-coder-plus"
CHECKER = '{"checker":{"description":"Checks things","prompt":"You are a checker","model":"haiku","tools":["Bash"]}}'


@dataclass(frozen=True)
class Client:
    """`first` and `again` make the words of a fresh and of a resumed run from a prompt."""

    name: str
    first: Callable[[str], Sequence[str]]
    again: Callable[[str], Sequence[str]] | None = None
    environ: Callable[[str], Mapping[str, str]] = lambda url: {}
    files: Callable[[str, str], Mapping[str, str]] = lambda url, otlp: {}
    telemetry: Callable[[str, str], Mapping[str, str]] | None = None  # from its address and a token
    limited: Sequence[str] = ()  # more words that make it stop early
    limited_by: "Client | None" = None  # the same client, set to stop early
    before: Callable[[str], Sequence[str]] | None = None
    sub_agent: bool = True


def otel(address: str, token: str, encoding: str = "http/json") -> dict[str, str]:
    """OpenTelemetry's own variables, as every SDK reads them."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": address,
        "OTEL_EXPORTER_OTLP_PROTOCOL": encoding,
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {token}",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "OTEL_LOGS_EXPORT_INTERVAL": "500",
        "OTEL_RESOURCE_ATTRIBUTES": "team=payments,vcs.owner.name=acme,vcs.repository.name=widgets",
    }


# ---- Claude Code ---------------------------------------------------------------------------------------------------


def claude(words: Sequence[str] = (), encoding: str = "http/json") -> Client:
    def first(prompt: str) -> list[str]:
        tools = ["--allowedTools", "Bash,Read,Task,Agent", "--agents", CHECKER]
        return ["claude", "-p", prompt, "--output-format", "json", "--model", CLAUDE, *tools, *words]

    return Client(
        "claude-code",
        first,
        lambda prompt: [*first(prompt), "--continue"],
        lambda url: {
            "ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": url, "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1", "IS_SANDBOX": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
        telemetry=lambda address, token: {
            **otel(address, token, encoding), "CLAUDE_CODE_ENABLE_TELEMETRY": "1", "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "otlp",
        },
        limited=["--max-turns", "2"],
    )  # fmt: skip


# ---- Codex ---------------------------------------------------------------------------------------------------------

CODEX_CONFIG = """\
model = "{model}"
model_provider = "stand-in"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[model_providers.stand-in]
name = "stand-in"
base_url = "{url}/v1"
env_key = "STAND_IN_KEY"
wire_api = "responses"
request_max_retries = 3
stream_max_retries = 1
supports_websockets = false
[analytics]
enabled = false
[feedback]
enabled = false
"""
CODEX_OTEL = """\
[otel]
environment = "test"
log_user_prompt = false
exporter = {{ otlp-http = {{ endpoint = "{otlp}/v1/logs", protocol = "{protocol}", headers = {{ "Authorization" = "Bearer {token}" }} }} }}
"""


def codex(protocol: str = "json", token: str = "secret-token") -> Client:
    def files(url: str, otlp: str) -> dict[str, str]:
        text = CODEX_CONFIG.format(model=CODEX, url=url)
        text += CODEX_OTEL.format(otlp=otlp, protocol=protocol, token=token) if otlp else ""
        return {".codex/config.toml": text}

    return Client(
        "codex",
        lambda prompt: ["codex", "exec", "--json", "--enable", "multi_agent", "--skip-git-repo-check", prompt],
        lambda prompt: ["codex", "exec", "--json", "--skip-git-repo-check", "resume", "--last", prompt],
        lambda url: {"STAND_IN_KEY": "sk-test"},
        files,
        lambda address, token: {"OTEL_RESOURCE_ATTRIBUTES": otel("", "")["OTEL_RESOURCE_ATTRIBUTES"]},
        limited=["-c", "features.rollout_budget.enabled=true", "-c", "features.rollout_budget.limit_tokens=6000",
                 "-c", "features.rollout_budget.reminder_at_remaining_tokens=[100]"],
    )  # fmt: skip


# ---- Gemini CLI and Qwen Code --------------------------------------------------------------------------------------


def _settings(auth: str, otlp: str, more: Mapping[str, object]) -> str:
    telemetry = {"enabled": True, "target": "local", "otlpEndpoint": otlp, "otlpProtocol": "http", "logPrompts": False}
    return json.dumps({
        "security": {"auth": {"selectedType": auth}, "folderTrust": {"enabled": False}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
        "telemetry": telemetry if otlp else {"enabled": False},
        "ide": {"enabled": False},
        **more,
    })  # fmt: skip


def gemini(more: Mapping[str, object] | None = None) -> Client:
    def words(prompt: str) -> list[str]:
        return ["gemini", "-p", prompt, "-o", "json", "-m", GEMINI, "--approval-mode", "yolo"]

    return Client(
        "gemini-cli",
        words,
        lambda prompt: [*words(prompt), "--resume", "latest"],
        lambda url: {
            "GEMINI_API_KEY": "test-key", "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_CLI_TRUST_WORKSPACE": "true",
        },
        lambda url, otlp: {".gemini/settings.json": _settings("gemini-api-key", otlp, more or {})},
        lambda address, token: otel(address, token),
        limited_by=None if more else gemini({"model": {"maxSessionTurns": 2}}),
    )  # fmt: skip


def qwen(more: Mapping[str, object] | None = None) -> Client:
    def words(prompt: str) -> list[str]:
        return ["qwen", prompt, "-o", "json", "-y"]

    return Client(
        "qwen-code",
        words,
        lambda prompt: [*words(prompt), "--continue"],
        lambda url: {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_MODEL": QWEN},
        lambda url, otlp: {".qwen/settings.json": _settings("openai", otlp, more or {})},
        lambda address, token: otel(address, token),
        limited=["--max-session-turns", "2"],
    )


# ---- Copilot CLI ---------------------------------------------------------------------------------------------------


def copilot(kind: str = "anthropic", wire: str = "") -> Client:
    def environ(url: str) -> dict[str, str]:
        model = {"anthropic": CLAUDE, "responses": "gpt-5.1"}.get(wire or kind, "gpt-4.1")
        base = url if kind == "anthropic" else f"{url}/v1"
        return {
            "COPILOT_OFFLINE": "true", "COPILOT_AUTO_UPDATE": "false", "COPILOT_PROVIDER_API_KEY": "sk-test",
            "COPILOT_PROVIDER_TYPE": kind, "COPILOT_PROVIDER_BASE_URL": base, "COPILOT_MODEL": model,
            **({"COPILOT_PROVIDER_WIRE_API": wire} if wire else {}),
        }  # fmt: skip

    def words(prompt: str) -> list[str]:
        return ["copilot", "-p", prompt, "--output-format", "json", "--allow-all", "--no-color"]

    return Client(
        "copilot-cli",
        words,
        lambda prompt: [*words(prompt), "--continue"],
        environ,
        telemetry=lambda address, token: otel(address, token),
    )


# ---- opencode, pi, Cline -------------------------------------------------------------------------------------------


def opencode() -> Client:
    def files(url: str, otlp: str) -> dict[str, str]:
        settings = {
            "model": f"anthropic/{CLAUDE}", "small_model": f"anthropic/{CLAUDE_SMALL}", "autoupdate": False,
            "provider": {"anthropic": {"options": {"baseURL": f"{url}/v1", "apiKey": "sk-test"}}},
        }  # fmt: skip
        return {".config/opencode/opencode.json": json.dumps(settings)}

    def words(prompt: str) -> list[str]:
        return ["opencode", "run", "--format", "json", "--auto", prompt]

    return Client(
        "opencode",
        words,
        lambda prompt: [*words(prompt), "--continue"],
        lambda url: {
            "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1", "ANTHROPIC_API_KEY": "sk-test",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1", "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
        },
        files,
    )  # fmt: skip


def pi() -> Client:
    def words(prompt: str) -> list[str]:
        return ["pi", "-p", "--mode", "json", "--offline", "--model", f"anthropic/{CLAUDE}", prompt]

    return Client(
        "pi",
        words,
        lambda prompt: [*words(prompt), "-c"],
        lambda url: {"ANTHROPIC_API_KEY": "sk-test", "PI_OFFLINE": "1", "PI_TELEMETRY": "0"},
        lambda url, otlp: {
            ".pi/agent/models.json": json.dumps({"providers": {"anthropic": {"baseUrl": url, "apiKey": "sk-test"}}})
        },
        sub_agent=False,
    )


def cline() -> Client:
    words = ["cline", "--json", "-P", "openai-compatible", "-m", "my-model"]
    return Client(
        "cline",
        lambda prompt: [*words, prompt],
        None,
        lambda url: {"CLINE_TELEMETRY": "0", "DO_NOT_TRACK": "1", "CLINE_NO_AUTO_UPDATE": "1"},
        before=lambda url: ["cline", "auth", "-p", "openai-compatible", "-k", "sk-test", "-m", "my-model", "-b", f"{url}/v1"],
        sub_agent=False,
    )

"""The real clients: what each needs in its home and its environment, and its command line."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

CLAUDE, CLAUDE_SMALL = "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"
CODEX, COPILOT, GEMINI, QWEN = "gpt-5.1-codex", "gpt-5.1", "gemini-2.5-pro", "qwen3-coder-plus"
CHECKER = '{"checker":{"description":"Checks things","prompt":"You are a checker","model":"haiku","tools":["Bash"]}}'
JSON, PROTOBUF = "http/json", "http/protobuf"


@dataclass(frozen=True)
class Telemetry:
    """Where a client sends its OpenTelemetry. `tags` are resource attributes; without, the job's stay as they are."""

    address: str
    token: str
    encoding: str = JSON
    tags: str = ""

    def environ(self) -> dict[str, str]:
        """OpenTelemetry's own variables, as every SDK reads them. Often, so that a short run sends more than once."""
        named = {"OTEL_RESOURCE_ATTRIBUTES": self.tags} if self.tags else {}
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.address,
            "OTEL_EXPORTER_OTLP_PROTOCOL": self.encoding,
            "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {self.token}",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_LOGS_EXPORT_INTERVAL": "500",
            **named,
        }


@dataclass(frozen=True)
class Client:
    """`first` and `again` make the words of a fresh and of a resumed run from a prompt; the first word is a program.

    `environ`, `files` (by their path in the home) and `before` (a command that sets it up) depend on the API's address,
    `telemetry` is None where a client has none. `limits`: a name, and more words that make it stop early. `older`: it
    is of the folder `older`, see installed.py. `child` is the type of sub-agent to ask it for, None where it has none.
    """

    name: str
    first: Callable[[str], Sequence[str]]
    again: Callable[[str], Sequence[str]] | None
    environ: Callable[[str], Mapping[str, str]]
    files: Callable[[str, Telemetry | None], Mapping[str, str]] = lambda url, told: {}
    telemetry: Callable[[Telemetry], Mapping[str, str]] | None = None
    before: Callable[[str], Sequence[str]] | None = None
    limits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limited: "Client | None" = None  # the same, set to stop early by its files
    older: bool = False
    child: str | None = None


def everyone() -> list[Client]:
    """Each client as it is pinned."""
    copilots = [copilot(), copilot("responses"), copilot("completions")]
    return [claude(), claude(older=True), codex(), gemini(), qwen(), *copilots, opencode(), pi(), cline()]


# ---- Claude Code ---------------------------------------------------------------------------------------------------


def claude(*, older: bool = False) -> Client:
    """The newest, and 2.1.197, which npm installs where Node.js is older than 22."""

    def first(prompt: str) -> list[str]:
        tools = ["--allowedTools", "Bash,Read,Task,Agent", "--agents", CHECKER]
        return ["claude", "-p", prompt, "--output-format", "json", "--model", CLAUDE, *tools]

    return Client(
        "claude-code-2.1.197" if older else "claude-code",
        first,
        lambda prompt: [*first(prompt), "--continue"],
        lambda url: {
            "ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": url, "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1", "IS_SANDBOX": "1",
        },
        telemetry=lambda told: {
            **told.environ(), "CLAUDE_CODE_ENABLE_TELEMETRY": "1", "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "otlp",
        },
        limits={"turns": ["--max-turns", "2"], "budget": ["--max-budget-usd", "0.005"]},
        older=older,
        child="checker",
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
[otel.exporter.otlp-http]
endpoint = "{address}/v1/logs"
protocol = "{protocol}"
headers = {{ "Authorization" = "Bearer {token}" }}
"""
CODEX_BUDGET = [
    "-c", "features.rollout_budget.enabled=true", "-c", "features.rollout_budget.limit_tokens=6000",
    "-c", "features.rollout_budget.reminder_at_remaining_tokens=[100]",
]  # fmt: skip


def codex() -> Client:
    """Its telemetry is set in its file, not in the environment, but for the tags."""

    def files(url: str, told: Telemetry | None) -> dict[str, str]:
        config = CODEX_CONFIG.format(model=CODEX, url=url)
        if told:
            protocol = "json" if told.encoding == JSON else "binary"
            config += CODEX_OTEL.format(address=told.address, protocol=protocol, token=told.token)
        return {".codex/config.toml": config}

    return Client(
        "codex",
        lambda prompt: ["codex", "exec", "--json", "--enable", "multi_agent", "--skip-git-repo-check", prompt],
        lambda prompt: ["codex", "exec", "--json", "--skip-git-repo-check", "resume", "--last", prompt],
        lambda url: {"STAND_IN_KEY": "sk-test"},
        files,
        lambda told: {name: value for name, value in told.environ().items() if name == "OTEL_RESOURCE_ATTRIBUTES"},
        limits={"budget": CODEX_BUDGET},
        child="",
    )


# ---- Gemini CLI and Qwen Code --------------------------------------------------------------------------------------


def _settings(auth: str, told: Telemetry | None, more: Mapping[str, object]) -> str:
    telemetry = {
        "enabled": True, "target": "local", "otlpEndpoint": told.address if told else "", "otlpProtocol": "http",
        "logPrompts": False,
    }  # fmt: skip
    return json.dumps({
        "security": {"auth": {"selectedType": auth}, "folderTrust": {"enabled": False}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
        "telemetry": telemetry if told else {"enabled": False},
        "ide": {"enabled": False},
        **more,
    })  # fmt: skip


def gemini(more: Mapping[str, object] | None = None) -> Client:
    """`more` settings beside those that every run needs."""

    def words(prompt: str) -> list[str]:
        return ["gemini", "-p", prompt, "-o", "json", "-m", GEMINI, "--approval-mode", "yolo"]

    return Client(
        "gemini-cli",
        words,
        lambda prompt: [*words(prompt), "--resume", "latest"],
        lambda url: {
            "GEMINI_API_KEY": "test-key", "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_CLI_TRUST_WORKSPACE": "true",
        },
        lambda url, told: {".gemini/settings.json": _settings("gemini-api-key", told, more or {})},
        Telemetry.environ,
        limited=None if more else gemini({"model": {"maxSessionTurns": 2}}),
        child="generalist",
    )  # fmt: skip


def qwen() -> Client:
    def words(prompt: str) -> list[str]:
        return ["qwen", prompt, "-o", "json", "-y"]

    return Client(
        "qwen-code",
        words,
        lambda prompt: [*words(prompt), "--continue"],
        lambda url: {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_MODEL": QWEN},
        lambda url, told: {".qwen/settings.json": _settings("openai", told, {})},
        Telemetry.environ,
        limits={"turns": ["--max-session-turns", "2"]},
        child="general-purpose",
    )


# ---- Copilot CLI ---------------------------------------------------------------------------------------------------


def copilot(wire: str = "") -> Client:
    """With a key of one's own and without GitHub, which is the only way that needs no account.

    It speaks Anthropic's API, or with `wire` one of OpenAI's two: "responses" or "completions".
    """

    def words(prompt: str) -> list[str]:
        return ["copilot", "-p", prompt, "--output-format", "json", "--allow-all", "--no-color"]

    return Client(
        f"copilot-cli over {wire}" if wire else "copilot-cli",
        words,
        lambda prompt: [*words(prompt), "--continue"],
        lambda url: {
            "COPILOT_OFFLINE": "true", "COPILOT_AUTO_UPDATE": "false", "COPILOT_PROVIDER_API_KEY": "sk-test",
            **_provider(url, wire),
        },
        telemetry=Telemetry.environ,
        child="general-purpose",
    )  # fmt: skip


def _provider(url: str, wire: str) -> dict[str, str]:
    if not wire:
        return {"COPILOT_PROVIDER_TYPE": "anthropic", "COPILOT_PROVIDER_BASE_URL": url, "COPILOT_MODEL": CLAUDE}
    return {
        "COPILOT_PROVIDER_TYPE": "openai", "COPILOT_PROVIDER_BASE_URL": f"{url}/v1", "COPILOT_MODEL": COPILOT,
        "COPILOT_PROVIDER_WIRE_API": wire,
    }  # fmt: skip


# ---- opencode, pi, Cline -------------------------------------------------------------------------------------------


def opencode() -> Client:
    def files(url: str, told: Telemetry | None) -> dict[str, str]:
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
        child="general",
    )  # fmt: skip


def pi() -> Client:
    def words(prompt: str) -> list[str]:
        return ["pi", "-p", "--mode", "json", "--offline", "--model", f"anthropic/{CLAUDE}", prompt]

    return Client(
        "pi",
        words,
        lambda prompt: [*words(prompt), "-c"],
        lambda url: {"ANTHROPIC_API_KEY": "sk-test", "PI_OFFLINE": "1", "PI_TELEMETRY": "0"},
        lambda url, told: {
            ".pi/agent/models.json": json.dumps({"providers": {"anthropic": {"baseUrl": url, "apiKey": "sk-test"}}})
        },
    )


def cline() -> Client:
    """It has to be told its provider by a command of its own. Resuming is for its terminal alone."""
    provider = ["-m", "my-model"]
    return Client(
        "cline",
        lambda prompt: ["cline", "--json", "-P", "openai-compatible", *provider, prompt],
        None,
        lambda url: {"CLINE_TELEMETRY": "0", "DO_NOT_TRACK": "1", "CLINE_NO_AUTO_UPDATE": "1"},
        before=lambda url: ["cline", "auth", "-p", "openai-compatible", "-k", "sk-test", *provider, "-b", f"{url}/v1"],
    )

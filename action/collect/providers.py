"""Who serves a model: agents' own names for providers as the price list's ids.

Refuses to guess: a name that is not known here stays as it was logged. Only where the log names no provider at all, or
just says that its API is like OpenAI's, the model's own name tells its maker.
"""

from __future__ import annotations

import re

from .calls import label

_IDS = {
    "amazon-bedrock": "aws", "bedrock": "aws",
    "azure-openai": "azure", "azure-openai-responses": "azure", "azure-cognitive-services": "azure",
    "fireworks-ai": "fireworks",
    "gemini": "google", "google-antigravity": "google", "google-gemini-cli": "google", "google-vertex": "google",
    "google-vertex-anthropic": "google", "vertex": "google",
    "github-copilot-enterprise": "github-copilot",
    "kimi-coding": "moonshotai", "moonshot": "moonshotai",
    "openai-codex": "openai", "openai-native": "openai",
    "togetherai": "together",
    "xai": "x-ai",
    "zai-coding-plan": "zai",
}  # fmt: skip
_UNSAID = {"", "litellm", "openai", "openai-compatible", "other"}  # OpenAI's API is also spoken by proxies
_MAKERS = (
    (re.compile(r"claude[-.\d]", re.IGNORECASE), "anthropic"),
    (re.compile(r"(gpt|chatgpt|codex|o[1-9])([-.\d]|$)", re.IGNORECASE), "openai"),
    (re.compile(r"gemini[-.\d]", re.IGNORECASE), "google"),
)


def provider_of(logged: object, model: str) -> str:
    """The price list's id of the provider, else what the log says, else `unknown`."""
    name = label(logged, 128)
    if name.lower() not in _UNSAID:
        return _IDS.get(name.lower(), name)
    maker = next((maker for pattern, maker in _MAKERS if pattern.match(model)), "")
    return maker or name or "unknown"

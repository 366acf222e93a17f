"""The tags as OTEL_RESOURCE_ATTRIBUTES, so that the agents' own telemetry carries them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

VARIABLE = "OTEL_RESOURCE_ATTRIBUTES"


def attributes(environ: Mapping[str, str], inputs: Mapping[str, Any], pull: int | None) -> str:
    """The variable's new value: what it held, and our tags after it. A key that was set already keeps its value."""
    existing = environ.get(VARIABLE, "").strip().strip(",")
    taken = {unquote(pair.partition("=")[0].strip()) for pair in existing.split(",")}
    ours = {name: value for name, value in _tags(environ, inputs, pull).items() if value and name not in taken}
    pairs = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in ours.items()]
    return ",".join(([existing] if existing else []) + pairs)


def _tags(environ: Mapping[str, str], inputs: Mapping[str, Any], pull: int | None) -> dict[str, str]:
    owner, _, name = environ.get("GITHUB_REPOSITORY", "").partition("/")
    return {
        "mergemeter.team": str(inputs["team"]),
        "mergemeter.purpose": str(inputs["purpose"]),
        "vcs.owner.name": owner,
        "vcs.repository.name": name,
        "vcs.change.id": str(pull or ""),
        "cicd.pipeline.name": environ.get("GITHUB_WORKFLOW", ""),
        "cicd.pipeline.run.id": environ.get("GITHUB_RUN_ID", ""),
        "mergemeter.run_attempt": environ.get("GITHUB_RUN_ATTEMPT", ""),
        "mergemeter.job": environ.get("GITHUB_JOB", ""),
        **{f"mergemeter.tag.{key}": value for key, value in inputs["tags"].items()},
    }

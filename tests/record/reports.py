"""Bodies of `POST /v1/agent-runs` for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime.now(UTC) - timedelta(minutes=30)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def call(number: int | str, **changed: Any) -> dict[str, Any]:
    """One model call of claude-sonnet-4-5: $0.0225 with 1,000 input and 1,300 output tokens."""
    return {
        "id": f"msg_{number}",
        "provider": "anthropic",
        "model": "claude-sonnet-4-5-20250929",
        "at": stamp(START),
        "input_tokens": 1_000,
        "output_tokens": 1_300,
        **changed,
    }


CALL_COST = 1_000 * 3_000 + 1_300 * 15_000


def agent_run(session: str = "s-1", calls: int | list[dict[str, Any]] = 2, **changed: Any) -> dict[str, Any]:
    listed = [call(f"{session}-{number}") for number in range(calls)] if isinstance(calls, int) else calls
    run = {"agent": "claude-code", "agent_version": "2.1.330", "session": session, "completeness": "complete"}
    return {**run, "calls": listed, **changed}


def closing(*agent_runs: dict[str, Any], job: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    return {
        "schema": "mergemeter.agent-runs/1",
        "phase": "closed",
        "action_version": "0.1.0",
        "job": {"name": "agent", "matrix": "", "started_at": stamp(START), **(job or {})},
        "tags": {"team": "payments", "purpose": "author", "labels": {"loop": "nightly"}},
        "agent_runs": list(agent_runs),
        **changed,
    }


def opening(**changed: Any) -> dict[str, Any]:
    return closing(phase="opened", **changed)

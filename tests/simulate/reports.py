"""What a job's record says, as the Action sends it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

CALL_NANO_USD = 1_000 * 3_000 + 1_300 * 15_000  # claude-sonnet-4-5: $3 and $15 a million tokens


def body_of(
    run: Mapping[str, Any], calls: Mapping[str, int], at: str, *, pull: int | None, issue: int | None,
    commits: Sequence[str], purpose: str, leg: int,
) -> dict[str, Any]:  # fmt: skip
    """A closing record. `calls`: how many each session made; `leg`: which one of a matrix, from 1; 0 without one."""
    job: dict[str, Any] = {"name": "agent", "started_at": at}
    if leg:
        job["matrix"] = hashlib.sha256(str(leg).encode()).hexdigest()
    named = pull or named_pull(run)
    if named:
        job["pull_number"] = named
    if issue is not None and not named:
        job["issue_number"] = issue
    if commits:
        job["commits_made"] = list(commits)
    return {
        "schema": "mergemeter.agent-runs/1",
        "phase": "closed",
        "action_version": "0.1.0",
        "job": job,
        "tags": {"team": "platform", "purpose": purpose},
        "agent_runs": [
            {
                "agent": "claude-code",
                "session": session,
                "completeness": "complete",
                "calls": [model_call(f"{session}/{n}", at) for n in range(count)],
            }
            for session, count in calls.items()
        ],
    }


def named_pull(run: Mapping[str, Any]) -> int | None:
    """The pull that the runner finds named by the ref or the event."""
    if run["ref"].startswith("refs/pull/"):
        return int(run["ref"].split("/")[2])
    event = run["event"]
    if "pull_request" in event:
        return int(event["pull_request"]["number"])
    issue = event.get("issue", {})
    return int(issue["number"]) if "pull_request" in issue else None


def model_call(number: str, at: str) -> dict[str, Any]:
    """One model call that costs CALL_NANO_USD."""
    return {
        "id": f"msg_{number}",
        "provider": "anthropic",
        "model": "claude-sonnet-4-5-20250929",
        "at": at,
        "input_tokens": 1_000,
        "output_tokens": 1_300,
    }

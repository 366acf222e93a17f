"""Run the Action's `collect` on every sample log with this Python, and compare the sums with the known true usage.

Standard library only and Python 3.9, so that it runs wherever the Action does: CI calls it on each system.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "tests" / "data" / "agent_logs"
# Their logs lack calls or classes that the vendor's own figures have; what is found may be less, never more.
LOGGED_IN_PART = {
    "aider-0.86.2/basic",
    "claude-code-2.1.330/errors",
    "cline-3.0.65/basic",
    "codex-0.118.0/basic",
    "codex-0.169.0/resume",
    "codex-0.63.0/basic",
    "copilot-cli-1.0.102/basic",
    "copilot-cli-1.0.102/resume",
    "opencode-1.18.33/basic",
    "pi-0.73.1/basic",
    "gh-aw-firewall-0.28.7/mixed",
}
CLASSES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other", "output", "reasoning")


def collected(sample):
    # type: (Path) -> dict[str, int]
    """Sums over all model calls that `collect` finds in a sample; `responses` is their number."""
    command = [sys.executable, "-I", str(ROOT / "action" / "main.py"), "collect"]
    command += ["--home", str(sample / "home"), "--temp", str(sample), "--workspace", str(sample / "workspace")]
    answer = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own program
    calls = [call for run in json.loads(answer.stdout)["agent_runs"] for call in run["calls"]]
    sums = {name: sum(call.get(f"{name}_tokens", 0) for call in calls) for name in CLASSES}
    return {"responses": len(calls), **sums}


def fits(name, found, expected):
    # type: (str, dict[str, int], dict[str, int]) -> bool
    """Exactly the known usage; for logs that hold a part of it, no more calls and no more tokens."""
    if name not in LOGGED_IN_PART:
        return found == expected
    tokens, known = (sum(sums[each] for each in CLASSES if each != "reasoning") for sums in (found, expected))
    return 0 < found["responses"] <= expected["responses"] and tokens <= known


def main():
    # type: () -> int
    """One line for each sample; the exit code is 1 when any is wrong, or when there is none."""
    samples = sorted(path.parent for path in SAMPLES.glob("*/*/EXPECTED.json"))
    wrong = 0
    for sample in samples:
        total = json.loads((sample / "EXPECTED.json").read_text(encoding="utf-8"))["total"]
        expected = {name: total.get(name, 0) for name in ("responses", *CLASSES)}
        found, name = collected(sample), sample.relative_to(SAMPLES).as_posix()
        right = fits(name, found, expected)
        wrong += not right
        sys.stdout.write(f"{name}: {'right' if right else f'{found} instead of {expected}'}\n")
    sys.stdout.write(f"{len(samples) - wrong} passed, {wrong} failed\n")
    return 1 if wrong or not samples else 0


if __name__ == "__main__":
    sys.exit(main())

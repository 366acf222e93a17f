"""What of the agents' work nobody can be asked about: agent runs without a team.

As everywhere in a summary, names of private repositories never reach a public issue.
"""

from app.core.report.escape import code
from app.core.report.numbers import count, percent
from app.core.report.values import MonthReport

MOST_NAMED = 3


def untagged(report: MonthReport) -> str:
    """How many agent runs name no team, as a share, and where most of them are; nothing when all do."""
    number, runs = report.total.untagged_agent_runs, report.total.agent_runs
    if not number:
        return ""
    lack = "name" if number > 1 else "names"
    what = "no team, or none of their repository's" if report.teams_configured else "no team"
    share = f"{number:,} of {count(runs, 'agent run')} ({percent(number, runs)})"
    return f"{share} {lack} {what} (the step's {code('team')} input): {_where(report)}."


def _where(report: MonthReport) -> str:
    """The repositories with the most, each with its number; those that may not be named in one."""
    lacking = [(each, each.figures.untagged_agent_runs) for each in report.repositories]
    named = [(code(each.name, 100), runs) for each, runs in lacking if runs and report.names(each.public)]
    named.sort(key=lambda item: (-item[1], item[0]))
    said = [f"{runs:,} in {name}" for name, runs in named[:MOST_NAMED]]
    if rest := sum(runs for _, runs in named[MOST_NAMED:]):
        said.append(f"{rest:,} in {count(len(named) - MOST_NAMED, 'other repository', 'other repositories')}")
    if unnamed := [runs for each, runs in lacking if runs and not report.names(each.public)]:
        said.append(f"{sum(unnamed):,} in {count(len(unnamed), 'private repository', 'private repositories')}")
    return ", ".join(said)

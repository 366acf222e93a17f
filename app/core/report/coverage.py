"""What of the agents' work nobody can be asked about: agent runs without a team, workflows without a record.

As everywhere in a summary, names of private repositories never reach a public issue.
"""

from app.core.report.escape import NOTHING, code, codes
from app.core.report.numbers import count, percent
from app.core.report.tables import table
from app.core.report.values import MonthReport, SilentWorkflow

MOST_NAMED = 3
MOST_ROWS = 10
PRIVATE = "a private repository"
WHY_UNKNOWN = "GitHub did not show the file or its runs"
HEAD = ["Repository", "Workflow", "Agents", "Runs", "Mergemeter's step"]


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


def silent(report: MonthReport) -> str:
    """How many workflows with agent steps left no record, of how many that ran; nothing when all is well."""
    number = len(report.silent_workflows)
    ran = count(number + report.recorded_workflows, "workflow")
    is_one = "runs" if number + report.recorded_workflows == 1 else "run"
    said = []
    if number:
        said.append(f"{number:,} of {ran} that {is_one} agents left no record: that cost is in no figure here.")
    if report.unknown_workflows:
        files = count(report.unknown_workflows, "workflow file")
        said.append(f"For {files} without a record it is not known whether agents ran: {WHY_UNKNOWN}.")
    return " ".join(said)


def silent_table(report: MonthReport) -> str:
    """The workflows that left no record, those with the most runs first; nothing when there are none."""
    listed = report.silent_workflows
    if not listed:
        return ""
    rows = [_silent_row(report, each) for each in listed[:MOST_ROWS]]
    if rest := listed[MOST_ROWS:]:
        rows.append([f"… and {len(rest):,} more", "", "", f"{sum(each.runs for each in rest):,}", ""])
    return table(HEAD, "lllrl", rows)


def _silent_row(report: MonthReport, each: SilentWorkflow) -> list[str]:
    name, path = PRIVATE, NOTHING
    if report.names(each.public):
        name, path = code(each.repository, 100), code(each.path, 100)
    step = "is there, no record came" if each.own_step else "missing"
    return [name, path, codes(each.agents, most=3), f"{each.runs:,}", step]

"""What the job's page shows: a table of the agent runs, what they used and, where the server says so, what they cost.

All text of logs and of the server stands in code spans, where nothing can be a link, a mention or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from collect.calls import AgentRun, text

ROWS_LIMIT = 50
MEANING = {
    "complete": "complete",
    "lower_bound": "at least",
    "estimated": "estimated",
    "missing": "missing",
}


def totals(runs: Sequence[AgentRun]) -> dict[str, int]:
    """Sums over all calls: calls, uncached input, cache reads, cache writes, output."""
    calls = [call for run in runs for call in run.calls]
    return {
        "agent_runs": len(runs),
        "model_calls": len(calls),
        "input": sum(call.input for call in calls),
        "cache_read": sum(call.cache_read for call in calls),
        "cache_write": sum(c.cache_write_5m + c.cache_write_1h + c.cache_write_other for c in calls),
        "output": sum(call.output for call in calls),
    }


def outputs(runs: Sequence[AgentRun], answer: Mapping[str, object] | None) -> dict[str, str]:
    """The outputs of a step that recorded these runs, or tried to: then there is no answer."""
    sums, given = totals(runs), answer or {}
    return {
        "status": str(given.get("status", "recorded")) if answer else "not-sent",
        "record-id": str(given.get("record_id", "")),
        "cost-usd": usd(given.get("cost_nano_usd")) if given.get("show_money") is True else "",
        "agent-runs": str(sums["agent_runs"]),
        "model-calls": str(sums["model_calls"]),
        "input-tokens": str(sums["input"]),
        "output-tokens": str(sums["output"]),
    }


def answered(answers: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """The outputs of a step that sent other jobs' records: sums over what the server answered."""
    runs = [run for answer in answers for run in _runs(answer)]
    costs = [answer.get("cost_nano_usd") for answer in answers if answer.get("show_money") is True]
    known = len(costs) == len(answers) and all(type(cost) is int for cost in costs)
    return {
        "record-id": ",".join(text(answer.get("record_id"), 64) for answer in answers)[:4096],
        "cost-usd": usd(sum(costs)) if known and costs else "",  # type: ignore[arg-type]
        "agent-runs": str(len(runs)),
        "model-calls": str(_sum(runs, "model_calls")),
        "input-tokens": str(_sum(runs, "input_tokens")),
        "output-tokens": str(_sum(runs, "output_tokens")),
    }


def relayed(sent: Sequence[tuple[str, Mapping[str, object]]], problems: Sequence[str]) -> str:
    """The step summary of a job that sent other jobs' records: one row for each, by the name of its job."""
    money = any(answer.get("show_money") is True for _, answer in sent)
    head = ["Job", "Agent runs", "Calls", "Output", *(["Cost"] if money else []), "Record"]
    lines = ["### AI agents in this workflow run", ""]
    if sent:
        lines += ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 2) + " --- |"]
    for job, answer in sent[:ROWS_LIMIT]:
        runs = _runs(answer)
        cells = [code(job, 60), f"{len(runs):,}", f"{_sum(runs, 'model_calls'):,}", f"{_sum(runs, 'output_tokens'):,}"]
        cells += [dollars(answer.get("cost_nano_usd"))] if money else []
        lines.append("| " + " | ".join([*cells, code(str(answer.get("status", "")), 20)]) + " |")
    lines += [f"\nand {len(sent) - ROWS_LIMIT} more"] if len(sent) > ROWS_LIMIT else []
    return "\n".join([*lines, "", *(f"* {code(problem, 400)}" for problem in problems)]) + "\n\n"


def _runs(answer: Mapping[str, object]) -> list[dict[str, object]]:
    listed = answer.get("agent_runs")
    return [run for run in listed if isinstance(run, dict)] if isinstance(listed, list) else []


def _sum(runs: Sequence[Mapping[str, object]], name: str) -> int:
    return sum(value for value in (run.get(name) for run in runs) if type(value) is int)


def markdown(
    runs: Sequence[AgentRun], answer: Mapping[str, object] | None, problem: str, notices: Sequence[str]
) -> str:
    """The step summary. Without the server's answer it tells tokens alone and why nothing was recorded."""
    costs = _costs(answer)
    lines = ["### AI agents in this job", ""]
    if problem:
        lines += [code(problem, 400), ""]
    if not runs:
        lines += ["No agent run was found.", ""]
    else:
        lines += [*_table(runs, costs), *_work(runs)]
    lines += _facts(answer)
    lines += [f"* {code(notice)}" for notice in notices]
    return "\n".join(lines) + "\n\n"


def _table(runs: Sequence[AgentRun], costs: Mapping[tuple[str, str], str]) -> list[str]:
    money = bool(costs)
    head = ["Agent", "Session", "Models", "Calls", "Input", "Cache read", "Cache write", "Output"]
    head += [*(["Cost"] if money else []), "Record"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * 3 + " ---: |" * (len(head) - 4) + " --- |"]
    for run in runs[:ROWS_LIMIT]:
        sums = totals([run])
        cells = [code(run.agent, 40), code(run.session, 13), _models(run)]
        cells += [f"{sums[name]:,}" for name in ("model_calls", "input", "cache_read", "cache_write", "output")]
        cells += [costs.get((run.agent, run.session), "–")] if money else []
        reason = f" {code('; '.join(run.reasons), 200)}" if run.reasons else ""
        lines.append("| " + " | ".join([*cells, MEANING[run.completeness] + reason]) + " |")
    if len(runs) > ROWS_LIMIT:
        lines.append(f"\nand {len(runs) - ROWS_LIMIT} more")
    return [*lines, ""]


def _work(runs: Sequence[AgentRun]) -> list[str]:
    """What the agents did, in one line, as far as their logs tell."""
    told = [run.shape.as_json() for run in runs if run.shape]
    calls = sum(sum(shape["tool_calls"].values()) for shape in told)
    if not calls:
        return []
    repeated, failed = (sum(shape[name] for shape in told) for name in ("repeated_requests", "failed_tool_calls"))
    return [f"{calls:,} tool calls, of which {repeated:,} asked the same again and {failed:,} failed.", ""]


def _models(run: AgentRun) -> str:
    names = list(dict.fromkeys(call.model for call in run.calls))
    return ", ".join(code(name, 60) for name in names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _costs(answer: Mapping[str, object] | None) -> dict[tuple[str, str], str]:
    if not answer or answer.get("show_money") is not True or not isinstance(answer.get("agent_runs"), list):
        return {}
    found = {}
    for run in answer["agent_runs"]:  # type: ignore[attr-defined]
        if isinstance(run, dict):
            found[str(run.get("agent")), str(run.get("session"))] = dollars(run.get("cost_nano_usd"))
    return found


def _facts(answer: Mapping[str, object] | None) -> list[str]:
    if not answer:
        return []
    lines = []
    if answer.get("show_money") is True:
        lines.append(f"**Cost of this job: {dollars(answer.get('cost_nano_usd'))}**")
        if isinstance(answer.get("price_list"), str):
            which = "at list prices" if answer.get("at_list_prices") is True else "contracted"
            lines[-1] += f" {which} (prices: {code(str(answer['price_list']), 60)})"
    unpriced = answer.get("unpriced_calls")
    if type(unpriced) is int and unpriced > 0:
        lines.append(f"{unpriced:,} model calls have no known price.")
    return [item for line in lines for item in (line, "")]


def usd(nano: object) -> str:
    """An amount in plain decimal USD, exact, or nothing when there is none."""
    if type(nano) is not int or nano < 0:
        return ""
    whole, rest = divmod(nano, 10**9)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".") if rest else str(whole)


def dollars(nano: object) -> str:
    """An amount for people: cents, or four digits when it is small."""
    if type(nano) is not int or nano < 0:
        return "unknown"
    digits = 2 if nano >= 10**9 or nano == 0 else 4
    unit = 10 ** (9 - digits)
    rounded = (nano + unit // 2) // unit
    return f"${rounded // 10**digits:,}.{rounded % 10**digits:0{digits}d}"


def code(value: str, limit: int = 120) -> str:
    """Outside text as a code span that it cannot leave, also inside a table."""
    cleaned = re.sub(r"[`|\\\s]+", lambda found: " " if found.group().isspace() else "'", text(value, 4096)).strip()
    if not cleaned:
        return "–"
    return "`" + (cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…") + "`"

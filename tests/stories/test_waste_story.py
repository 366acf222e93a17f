"""Waste found in what was recorded, workflow by workflow."""

from app.core.month import Month
from app.core.period import Period
from app.core.waste import Waste
from app.stories.find_waste import waste_in
from tests.stories.stage import REPOSITORY, Stage

PERIOD = Period.of(Month(2026, 10))
SHAPE = {
    "turns": 1, "repeated_requests": 1, "failed_tool_calls": 0, "subagents": 0,
    "tool_calls": {"read": 3, "edit": 1, "command": 0, "search": 0, "web": 0, "agent": 0, "other": 0},
}  # fmt: skip


def test_a_workflow_s_waste_is_found_in_its_calls_and_counts(stage: Stage) -> None:
    account_id = stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "1"})
    run = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml", pull=number)
    sizes = ({"input_tokens": 10_000}, {"input_tokens": 12_000}, {"cache_write_5m_tokens": 2_000, "subagent": True})
    stage.report(run, [stage.call(str(n), **size) for n, size in enumerate(sizes)], "first", shape=SHAPE)
    stage.settle()
    [found] = waste_in(stage.world, account_id, PERIOD)
    assert (found.workflow, found.agent_runs) == (".github/workflows/agent.yml", 1)
    amounts = {each.kind: each.amount for each in found.findings}
    assert amounts[Waste.RESENT_INPUT] == 10_000 * 2_700 - 10_000 * 750
    assert amounts[Waste.UNREAD_CACHE_WRITES] == 2_000 * 750
    assert amounts[Waste.REPEATED_REQUESTS] == found.cost // 4
    assert amounts.keys().isdisjoint({Waste.FAILED_ATTEMPTS, Waste.RETRIED_ATTEMPTS})


def test_another_account_has_none_of_it(stage: Stage) -> None:
    stage.install()
    stage.agent(event="schedule", calls=3)
    other = stage.install("globex/site", account="globex")
    assert waste_in(stage.world, other, PERIOD) == []

"""Waste found in an account's workflows in a period, the workflow with the most first."""

from app.core.month import Month
from app.core.period import Period
from app.core.rates import UnitPrices
from app.core.report.waste import waste_lines
from app.core.shares import Dimension, Share
from app.core.usage import ModelCall
from app.core.waste import RunCalls, WorkflowWaste, waste_of
from app.store.accounts import repositories_of
from app.store.configs import config_in_force
from app.store.ownership import owners_of
from app.store.run_calls import calls_by_run, tool_calls_of
from app.store.shares import SharesOf, read_shares
from app.world import World


def told_waste(world: World, account_id: int, month: Month) -> list[str]:
    """A month's waste as lines for a terminal, which are to be escaped."""
    with world.db.reading() as session:
        names = {each.repository_id: each.name for each in repositories_of(session, account_id)}
    return [f"account {account_id}, {month}", *waste_lines(waste_in(world, account_id, Period.of(month)), names)]


def waste_in(world: World, account_id: int, period: Period) -> list[WorkflowWaste]:
    """What each workflow's agent runs wasted in a period, at list prices of today."""
    with world.db.reading() as session:
        config = config_in_force(session, account_id)
        owners = owners_of(session, account_id, config)
        shares, _ = read_shares(session, SharesOf(account_id, [period], config.tracks, config.names_a_team, owners))
        of_run = {share.agent_run_id: share for share in shares}
        told = tool_calls_of(session, account_id, period)
        by_workflow: dict[str, list[tuple[Share, RunCalls]]] = {}
        for agent_run_id, calls in calls_by_run(session, account_id, period):
            share = of_run[agent_run_id]
            tool_calls, repeated = told.get(agent_run_id, (None, None))
            ended = share.failed and not share.kept
            run = RunCalls(calls, ended, share.retried, tool_calls, repeated)
            by_workflow.setdefault(Dimension.WORKFLOW.key_of(share), []).append((share, run))
    now = world.now()

    def prices(call: ModelCall) -> UnitPrices | None:
        return world.prices.unit_prices(call.provider, call.model, now, call.service_tier, call.speed)

    found = [
        waste_of(runs[0][0].repository_id, runs[0][0].workflow, (run for _, run in runs), prices)
        for _, runs in sorted(by_workflow.items())
    ]
    return sorted(found, key=lambda each: -sum(finding.amount for finding in each.findings))

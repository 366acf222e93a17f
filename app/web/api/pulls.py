"""`GET /v1/pulls/{repository_id}/{number}`: what a pull cost over its life, and which agent runs that is made of."""

from app.core.known import Known
from app.store.costs import Behind
from app.stories import walk
from app.web.api import shapes
from app.web.api.door import Asked, Operation, page
from app.web.api.repositories import pull_head
from app.web.api.shapes import Json, link, money


def pull(asked: Asked) -> Json | None:
    """A pull with each agent run's share; the shares of all pages sum to the cost, and so do the months."""
    repository_id, number = asked.values["repository_id"], asked.values["number"]
    behind = Behind(asked.values.get("run_cursor", ""), asked.most + 1)
    step = walk.pull_step(asked.world, asked.account_id, repository_id, number, behind)
    if step is None:
        return None
    shares, cursor = page(step.shares, asked.most, lambda each: each.tied.agent_run.id)
    path = f"/v1/pulls/{repository_id}/{number}"
    known = step.known
    return {
        "repository": shapes.repository(repository_id, step.repository),
        **pull_head(step.pull),
        "cost": money(step.amount, known.cost_known),
        "by_month": shapes.by_month(step.by_month),
        "completeness": shapes.completeness(known),
        "jobs_not_reported": step.open_jobs,
        "agent_runs_in_doubt": step.tied_candidates,
        "agent_runs": [_share(each) for each in shares],
        "next": cursor,
        "_links": {
            "self": link(path),
            "next": shapes.next_link(cursor, path, limit=asked.most),
            "months": [link(f"/v1/repositories/{repository_id}/pulls", month=month) for month in sorted(step.by_month)],
        },
    }


def _share(each: walk.ShareStep) -> Json:
    run = each.tied.agent_run
    return {
        "agent_run": shapes.agent_run(run),
        "share": money(each.amount, Known.of(run).cost_known),
        "by_month": shapes.by_month(each.by_month),
        "pulls_served": each.tied.pulls_served,
        "evidence": shapes.evidence(each.tied.tie),
    }


ABOUT = "A pull's cost, its agent runs, and what ties them to it"
OPERATIONS = (Operation("/v1/pulls/{repository_id}/{number}", "pull", ABOUT, "Pull", pull, ("limit", "run_cursor")),)

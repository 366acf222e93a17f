"""`GET /v1/repositories`, and what a repository's month is made of: pulls, and agent runs without one."""

from app.core.known import Known
from app.core.ledger import Book
from app.core.money import NanoUsd
from app.core.month import Month
from app.store.tables import Pull
from app.store.walk import LooseRun, PullInMonth
from app.stories import walk
from app.web.api import shapes
from app.web.api.door import Asked, Operation, page
from app.web.api.months import parts
from app.web.api.shapes import Json, link, money


def repositories(asked: Asked) -> Json:
    """Every repository that the App was told of or that has cost, by id."""
    after = asked.values.get("cursor", -1)
    found = walk.repositories(asked.world, asked.account_id, after, asked.most + 1)
    items, cursor = page(found, asked.most, lambda each: each.repository_id)
    now = Month.of(asked.world.now())
    return {
        "repositories": [_repository(each, now) for each in items],
        "next": cursor,
        "_links": {
            "self": link("/v1/repositories"),
            "next": shapes.next_link(cursor, "/v1/repositories", limit=asked.most),
            "month": link(f"/v1/months/{now}"),
        },
    }


def _repository(step: walk.RepositoryStep, now: Month) -> Json:
    row, path = step.repository, f"/v1/repositories/{step.repository_id}"
    return {
        **shapes.repository(step.repository_id, row),
        "default_branch": row.default_branch if row else None,
        "archived": row.archived if row else None,
        "state": row.state if row else None,
        "_links": {"pulls": link(f"{path}/pulls", month=now), "without_pull": link(f"{path}/without-pull", month=now)},
    }


def pulls(asked: Asked) -> Json | None:
    """A repository's pulls with charges of the month, and those that agents worked for or that closed in it."""
    of, repository_id = asked.values["month"], asked.values["repository_id"]
    step = walk.repository_step(asked.world, asked.account_id, repository_id, of)
    if step is None:
        return None
    after = asked.values.get("cursor", 0)
    found = walk.pulls(asked.world, asked.account_id, repository_id, of, after, asked.most + 1)
    items, cursor = page(found, asked.most, lambda each: each.pull.number)
    return {
        **_head(step, of),
        "pulls": [_pull(each) for each in items],
        "next": cursor,
        "_links": _links(step, of, "pulls", cursor, asked.most),
    }


def without_pull(asked: Asked) -> Json | None:
    """A repository's agent runs with charges of the month that no pull has."""
    of, repository_id = asked.values["month"], asked.values["repository_id"]
    step = walk.repository_step(asked.world, asked.account_id, repository_id, of)
    if step is None:
        return None
    after = asked.values.get("run_cursor", "")
    found = walk.without_pull(asked.world, asked.account_id, repository_id, of, after, asked.most + 1)
    items, cursor = page(found, asked.most, lambda each: each.run.id)
    return {
        **_head(step, of),
        "agent_runs": [_loose(each) for each in items],
        "next": cursor,
        "_links": _links(step, of, "without-pull", cursor, asked.most),
    }


def _head(step: walk.RepositoryStep, of: Month) -> Json:
    return {
        "month": str(of),
        "repository": shapes.repository(step.repository_id, step.repository),
        "spend": money(step.spend, (step.tied + step.loose).cost_known),
        "parts": parts([step]),
    }


def _links(step: walk.RepositoryStep, of: Month, here: str, cursor: str | None, most: int) -> Json:
    path = f"/v1/repositories/{step.repository_id}"
    return {
        "self": link(f"{path}/{here}", month=of),
        "next": shapes.next_link(cursor, f"{path}/{here}", month=of, limit=most),
        "month": link(f"/v1/months/{of}"),
        "pulls": link(f"{path}/pulls", month=of),
        "without_pull": link(f"{path}/without-pull", month=of),
        "shares": link("/v1/shares.csv", month=of, repository_id=step.repository_id),
    }


def _pull(each: PullInMonth) -> Json:
    return {
        **pull_head(each.pull),
        "in_month": money(each.in_month, each.known.cost_known),
        "cost": money(each.lifetime, each.known.cost_known),
        "completeness": shapes.completeness(each.known),
        "_links": {"self": link(f"/v1/pulls/{each.pull.repository_id}/{each.pull.number}")},
    }


def pull_head(pull: Pull) -> Json:
    """What is told of a pull wherever it is named."""
    return {
        "number": pull.number,
        "title": pull.title,
        "state": pull.state,
        "base_branch": pull.base_ref,
        "created_at": shapes.at(pull.created_at_us),
        "closed_at": shapes.at(pull.closed_at_us),
        "merged_at": shapes.at(pull.merged_at_us),
        "reverts": pull.reverts_number,
    }


def _loose(each: LooseRun) -> Json:
    known = Known.of(each.run)
    total = NanoUsd(sum(each.amounts.values()))
    return {
        "agent_run": shapes.agent_run(each.run),
        "in_month": money(total, known.cost_known),
        **{book.value: money(each.amounts[book], known.cost_known) for book in LOOSE},
    }


LOOSE = (Book.UNATTRIBUTED, Book.ABANDONED, Book.OVERHEAD)
PAGED = ("month", "limit", "cursor")
OPERATIONS = (
    Operation(
        "/v1/repositories", "repositories", "The account's repositories", "Repositories", repositories,
        ("limit", "cursor"),
    ),
    Operation(
        "/v1/repositories/{repository_id}/pulls", "pulls_of_month", "A repository's pulls in a month", "PullsOfMonth",
        pulls, PAGED,
    ),
    Operation(
        "/v1/repositories/{repository_id}/without-pull", "without_pull", "A repository's agent runs without a pull",
        "WithoutPull", without_pull, ("month", "limit", "run_cursor"),
    ),
)  # fmt: skip

"""`GET /v1/months/{month}`: the figures of the account, and of each repository, a page at a time."""

from app.core.ledger import Book
from app.core.money import ZERO, NanoUsd
from app.core.report.values import MonthFigures, RepositoryMonth
from app.stories.summarize import month_report
from app.stories.walk import NOBODY, RepositoryStep, month_step
from app.web.api import shapes
from app.web.api.door import Asked, Operation, page
from app.web.api.shapes import Json, link, money


def month(asked: Asked) -> Json:
    """The month's figures. The repositories' charges sum to the account's, and each one's parts to its charges."""
    of = asked.values["month"]
    report = month_report(asked.world, asked.account_id, of, public_issue=False)
    steps = {step.repository_id: step for step in month_step(asked.world, asked.account_id, of)}
    behind = [each for each in report.repositories if each.repository_id > asked.values.get("cursor", -1)]
    behind.sort(key=lambda each: each.repository_id)
    items, cursor = page(behind, asked.most, lambda each: each.repository_id)
    path = f"/v1/months/{of}"
    return {
        "month": str(of),
        "account": {"id": asked.account_id, "login": report.account},
        "provisional_until": None if report.provisional_until is None else f"{report.provisional_until}",
        "figures": figures(report.total),
        "parts": parts(list(steps.values())),
        "repositories": [_repository(each, steps.get(each.repository_id), str(of)) for each in items],
        "price_lists": list(report.price_lists),
        "discounted": report.discounted,
        "own_prices": report.own_prices,
        "next": cursor,
        "_links": {
            "self": link(path),
            "next": shapes.next_link(cursor, path, limit=asked.most),
            "metrics": link(f"{path}/metrics"),
            "trend": link(f"{path}/trend"),
            "shares": link("/v1/shares.csv", month=of),
            "repositories": link("/v1/repositories"),
        },
    }


def _repository(told: RepositoryMonth, step: RepositoryStep | None, of: str) -> Json:
    path = f"/v1/repositories/{told.repository_id}"
    return {
        "repository": shapes.repository(told.repository_id, step.repository if step else None),
        "figures": figures(told.figures),
        "parts": parts([step] if step else []),
        "_links": {"pulls": link(f"{path}/pulls", month=of), "without_pull": link(f"{path}/without-pull", month=of)},
    }


def parts(steps: list[RepositoryStep]) -> Json:
    """Where a month's charges sit. They sum to `spend`."""
    tied = sum((step.tied for step in steps), NOBODY).cost_known
    loose = sum((step.loose for step in steps), NOBODY).cost_known

    def of(book: Book) -> Json | None:
        amount = NanoUsd(sum((step.books.get(book, ZERO) for step in steps), ZERO))
        return money(amount, tied if book is Book.PULL else loose)

    return {
        "pulls": of(Book.PULL),
        "unattributed": of(Book.UNATTRIBUTED),
        "abandoned": of(Book.ABANDONED),
        "overhead": of(Book.OVERHEAD),
    }


def figures(told: MonthFigures) -> Json:
    known = told.spend_known
    return {
        "spend": money(told.spend, known),
        "released": money(told.released, known),
        "period": money(told.period, known),
        "cohort": money(told.cohort, known),
        "direct": money(told.direct, known),
        "load_factor": None if told.load_factor is None else f"{told.load_factor:.6f}",
        "merged_pulls": told.merged_pulls,
        "agent_pulls_merged": told.agent_pulls_merged,
        "survived": told.survived,
        "unattributed_agent_runs": told.unattributed_agent_runs,
        "untagged_agent_runs": told.untagged_agent_runs,
        "agent_runs_by_token": told.told_agent_runs,
        "cost_by_token": money(told.told_cost, known),
        "tokens": shapes.tokens(told.tokens),
        "unpriced_models": list(told.unpriced_models),
        "completeness": {
            "complete": not told.incomplete_agent_runs and not told.unpriced_calls,
            "agent_runs": told.agent_runs,
            "incomplete_agent_runs": told.incomplete_agent_runs,
            "model_calls": told.model_calls,
            "unpriced_calls": told.unpriced_calls,
        },
    }


ABOUT = "A month's figures, of the account and by repository"
OPERATIONS = (Operation("/v1/months/{month}", "month", ABOUT, "Month", month, ("limit", "cursor")),)

"""Whose a row is: the agent run and the place where the books hold its cost, or only a cost center."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.core.focus.items import json_text
from app.core.ledger import Book
from app.core.money import NanoUsd, share

TAG_PREFIX = "gh/"
RUN_TYPE = "AI Coding Agent Run"
RATIO_DIGITS = 12
# What the weights of a method are: nano-dollars of direct or covered cost, a cost center each, given shares.
WEIGHED_BY = {"proportional": ("USD", 9), "use": ("USD", 9), "even": ("Cost Centers", 0)}


class Run(NamedTuple):
    """What a row says of an agent run. `repository` is "owner/name"; `workflow` its file or name."""

    agent_run_id: str
    agent: str
    repository_id: int
    repository: str
    workflow: str = ""
    team: str = ""
    cost_center: str = ""


class Receiver(NamedTuple):
    """Who bears a part of a shared cost, by a method; `ratio` is of the whole, as a decimal text."""

    method: str
    cost_center: str
    ratio: str
    weight: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """How what one cost center spent is shared out: weights by receiving cost center, in stable order."""

    method: str  # "proportional", "use", "even", "fixed"
    weights: Mapping[str, int]

    def receivers(self) -> list[Receiver]:
        """Its receivers. Their ratios are decimals that sum to 1 exactly."""
        parts = share(NanoUsd(10**RATIO_DIGITS), list(self.weights.values()))
        weights = self.weights if any(self.weights.values()) else dict.fromkeys(self.weights, 1)
        return [
            Receiver(self.method, name, decimal_text(part, RATIO_DIGITS), weight)
            for (name, weight), part in zip(weights.items(), parts, strict=True)
        ]


def decimal_text(units: int, digits: int) -> str:
    """So many units of the last of some decimals, as a decimal without needless zeros."""
    if not digits:
        return str(units)
    whole, rest = divmod(units, 10**digits)
    return f"{whole}.{rest:0{digits}}".rstrip("0").rstrip(".")


class Origin(NamedTuple):
    """An agent run in one place, and who bears it where it is shared out. `pull_repository` is where the pull is."""

    run: Run
    book: Book
    number: int = 0
    pull_repository: str = ""
    receiver: Receiver | None = None

    @property
    def key(self) -> str:
        """Tells its rows from those of every other origin."""
        place = f"{self.pull_repository}#{self.number}" if self.book is Book.PULL else self.book.value
        return f"{self.run.agent_run_id}/{place}" + (f"/{self.receiver.cost_center}" if self.receiver else "")


def tags_of(origin: Origin) -> str:
    """Keys that we make begin with gh/; the team is the organisation's own word."""
    run = origin.run
    tags = {
        f"{TAG_PREFIX}cost_center": run.cost_center,
        f"{TAG_PREFIX}pull_request": str(origin.number) if origin.book is Book.PULL else "",
        f"{TAG_PREFIX}pull_request_repository": _elsewhere(origin),
        f"{TAG_PREFIX}repository": run.repository,
        f"{TAG_PREFIX}workflow": run.workflow,
        "team": run.team,
    }
    return json_text({key: value for key, value in tags.items() if value})


def _elsewhere(origin: Origin) -> str:
    return "" if origin.pull_repository == origin.run.repository else origin.pull_repository


def _resource(origin: Origin) -> str | None:
    run = origin.run
    return f"urn:mergemeter:agent-run:{run.agent_run_id}" if run.agent_run_id else None


def _name(origin: Origin) -> str | None:
    run = origin.run
    if not run.agent_run_id:
        return None
    where = f"{origin.pull_repository}#{origin.number}" if origin.book is Book.PULL else run.repository
    return f"{run.agent} on {where}"


def _method_details(origin: Origin) -> str | None:
    if origin.receiver is None:
        return None
    method, _, ratio, weight = origin.receiver
    unit, digits = WEIGHED_BY.get(method, ("Shares", 0))
    quantity = decimal_text(weight, digits)
    return f'{{"Elements":[{{"AllocatedRatio":{ratio},"UsageQuantity":{quantity},"UsageUnit":"{unit}"}}]}}'


def _allocated_tags(origin: Origin) -> str | None:
    if origin.receiver is None:
        return None
    return json_text({f"{TAG_PREFIX}allocated_cost_center": origin.receiver.cost_center})


CELLS: Mapping[str, Callable[[Origin], str | None]] = {
    "AllocatedMethodDetails": _method_details,
    "AllocatedMethodId": lambda o: o.receiver.method if o.receiver else None,
    "AllocatedResourceId": lambda o: f"urn:mergemeter:cost-center:{o.receiver.cost_center}" if o.receiver else None,
    "AllocatedResourceName": lambda o: o.receiver.cost_center if o.receiver else None,
    "AllocatedTags": _allocated_tags,
    "ResourceId": _resource,
    "ResourceName": _name,
    "ResourceType": lambda o: RUN_TYPE if o.run.agent_run_id else None,
    "Tags": tags_of,
    "x_AgentName": lambda o: o.run.agent or None,
    "x_AgentRunId": lambda o: o.run.agent_run_id or None,
    "x_CostCenter": lambda o: o.run.cost_center or None,
    "x_Place": lambda o: o.book.value if o.run.agent_run_id else None,
    "x_PullRequestNumber": lambda o: str(o.number) if o.book is Book.PULL else None,
    "x_PullRequestRepository": lambda o: o.pull_repository if o.book is Book.PULL else None,
    "x_RepositoryName": lambda o: o.run.repository or None,
    "x_TeamName": lambda o: o.run.team or None,
    "x_WorkflowName": lambda o: o.run.workflow or None,
}


def cells_of(column: str, origins: Sequence[Origin]) -> list[str | None]:
    """A column's value for each origin."""
    cell = CELLS[column]
    return [cell(origin) for origin in origins]

"""A share: what one agent run did for one pull, or without a pull. All metrics are sums over shares.

A scope (a repository, team, cost center, workflow, agent, model, purpose) is nothing but a choice of shares.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.core.chargeback.terms import UNASSIGNED
from app.core.metrics import PullFate
from app.core.money import NanoUsd
from app.core.usage import Completeness, Purpose, Tokens


@dataclass(frozen=True, slots=True)
class Piece:
    """What a share used in a piece of time that begins `at` and that no bound of the asked periods cuts."""

    at: datetime
    cost: NanoUsd  # contracted, of the priced calls
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Share:
    """One agent run × pull, or one agent run without a pull; by model too, where that was asked for.

    `retried`: there is a later attempt of the same job and matrix leg of its workflow run, so of the same head sha.
    `failed`: GitHub's record of the attempt says error, time-out or cancel. `kept`: a commit that its job made is in an
    open or merged pull.
    """

    agent_run_id: str
    repository_id: int
    pull: PullFate | None
    pieces: tuple[Piece, ...]
    began_at: datetime  # the agent run; it counts in the period that holds this
    waits_since: datetime  # the job: 14 days later it is abandoned, if no pull has come
    purpose: Purpose = Purpose.OTHER
    completeness: Completeness = Completeness.COMPLETE
    tied: bool = False  # several pulls fit equally well
    attempt: int = 1
    retried: bool = False
    failed: bool = False
    kept: bool = False
    agent: str = ""
    team: str = ""  # "" also for a tag that the configuration does not give the repository
    cost_center: str = UNASSIGNED  # the agent run's own, whichever repository its pull is in
    workflow: str = ""  # ".github/workflows/x.yml", or its name where the file is another repository's
    model: str = ""  # "" unless shares were asked for by model
    unpriced_calls: int = 0

    @property
    def cost(self) -> NanoUsd:
        return NanoUsd(sum(piece.cost for piece in self.pieces))


class Dimension(StrEnum):
    """What scopes are told apart by."""

    ORGANISATION = "organisation"
    REPOSITORY = "repository"
    TEAM = "team"
    COST_CENTER = "cost-center"
    WORKFLOW = "workflow"
    AGENT = "agent"
    MODEL = "model"
    PURPOSE = "purpose"

    def key_of(self, share: Share) -> str:
        """The scope that a share is in: the repository's id, "id/path" of a workflow, else the name; "" for none."""
        return KEYS[self](share)


KEYS: Mapping[Dimension, Callable[[Share], str]] = {
    Dimension.ORGANISATION: lambda _share: "",
    Dimension.REPOSITORY: lambda share: str(share.repository_id),
    Dimension.TEAM: lambda share: share.team,
    Dimension.COST_CENTER: lambda share: share.cost_center,
    Dimension.WORKFLOW: lambda share: f"{share.repository_id}/{share.workflow}",
    Dimension.AGENT: lambda share: share.agent,
    Dimension.MODEL: lambda share: share.model,
    Dimension.PURPOSE: lambda share: share.purpose.value,
}


def by_scope(shares: Iterable[Share], dimension: Dimension) -> Mapping[str, list[Share]]:
    """The shares of each scope, by its key, in order of the keys."""
    found: dict[str, list[Share]] = {}
    for share in shares:
        found.setdefault(dimension.key_of(share), []).append(share)
    return dict(sorted(found.items()))

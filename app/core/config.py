"""An organisation's `mergemeter.yml`: what it may say, what it means, and every mistake in it at once.

Refuses what it does not know: a setting with a typing error must never be silently without effect. Numbers are
read exactly, `off` is a word and not a boolean, and money never passes through a float.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from app.core.agreements import Discount, OwnPrice, discounts_in, holds, prices_in
from app.core.chargeback.terms import Chargeback
from app.core.chargeback.terms_file import KEYS as CHARGEBACK_KEYS
from app.core.chargeback.terms_file import chargeback_in
from app.core.config_file import Problem, Value, Where, parsed, problems_of
from app.core.money import ZERO, NanoUsd, nano_usd
from app.core.vendors.accounts import VendorRules, vendors_in

PRIVATE_ONLY = ("prices", "discounts", "subscriptions", "journal", "vendors")
CONFIDENTIAL = "is confidential, and everybody can read this file: keep mergemeter.yml in a private .github-private"


class CommentMode(StrEnum):
    ON_MERGE = "on-merge"
    LIVE = "live"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Team:
    """A team whose name the Action's `team` input may give, in the repositories that match."""

    name: str
    label: str
    repositories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """What is in force. `Config()` is what holds without a file."""

    comment: CommentMode = CommentMode.ON_MERGE
    comment_threshold: NanoUsd = ZERO
    annotations: int = 1
    summary_repository: str = ""  # without the owner; "": no summary
    show_money_in_public: bool = False
    tracked_branches: tuple[str, ...] = ()
    claims_count: bool = False
    overhead_workflows: tuple[str, ...] = ()
    teams: tuple[Team, ...] = ()
    discounts: tuple[Discount, ...] = ()
    prices: tuple[OwnPrice, ...] = ()
    chargeback: Chargeback = field(default_factory=Chargeback)
    vendors: VendorRules = field(default_factory=VendorRules)

    @property
    def evidence_rules(self) -> tuple[object, ...]:
        """What decides to which pull an agent run belongs: a change concerns what was recorded before."""
        return self.claims_count, self.overhead_workflows

    def shows_money(self, public: bool) -> bool:
        """Whether amounts may appear in a repository."""
        return self.show_money_in_public or not public

    def tracks(self, base_ref: str, default_branch: str) -> bool:
        """Whether a merge into this branch counts as a merged pull."""
        return base_ref == default_branch or any(fnmatchcase(base_ref, each) for each in self.tracked_branches)

    def is_overhead(self, repository: str, file: str) -> bool:
        """Whether what a workflow spends without a pull is overhead. Both are names: of the repository, of the file."""
        name = f"{repository}/{file}".lower()
        return bool(file) and any(fnmatchcase(name, each.lower()) for each in self.overhead_workflows)

    def team(self, tag: str, repository: str) -> Team | None:
        """The team that a run's tag names, if this repository (its name, without the owner) may use it."""
        for team in self.teams:
            if team.name == tag and any(fnmatchcase(repository.lower(), each.lower()) for each in team.repositories):
                return team
        return None

    def names_a_team(self, tag: str, repository: str) -> bool:
        """Whether a run's tag tells whose it is: any where no teams are configured, else one of the repository's."""
        return bool(tag) and (not self.teams or self.team(tag, repository) is not None)

    def team_text(self, tag: str, repository: str) -> str:
        """What to call the team of a run's tag: its label, the tag itself where no teams are configured, or a doubt."""
        if not tag or not self.teams:
            return tag
        team = self.team(tag, repository)
        return team.label if team else f"{tag} (not a team of this repository)"

    def discount(self, provider: str, at: datetime) -> Decimal:
        """The share off the list price at an instant: contracted = list × (1 − share). 0 without a discount."""
        found = (each.share for each in self.discounts if each.provider == provider and holds(each, at))
        return next(found, Decimal(0))

    def own_price(self, provider: str, model: str, at: datetime) -> OwnPrice | None:
        """The price agreed for a provider's model at an instant, which replaces list price and discount."""
        name = model.lower()
        found = (each for each in self.prices if each.provider == provider and each.names(name) and holds(each, at))
        return next(found, None)


def read(text: str, public: bool) -> tuple[Config | None, list[Problem]]:
    """The configuration in a file's text, or None with all its problems. `public`: everybody can read the file."""
    tree, lines, wrong = parsed(text)
    if tree is None:
        return (None, wrong) if wrong else (Config(), [])
    refused = _refused(tree, lines, public) if isinstance(tree, dict) else []
    wrong = [*wrong, *refused, *problems_of(tree, lines)]
    valid: Any = tree if isinstance(tree, dict) else {}
    discounts, doubtful = discounts_in(valid.get("discounts", []), lines) if _sound("discounts", wrong) else ([], [])
    prices, dubious = prices_in(valid.get("prices", []), lines) if _sound("prices", wrong) else ([], [])
    sound = all(_sound(key, wrong) for key in (*CHARGEBACK_KEYS, "teams"))
    chargeback, faults = chargeback_in(valid, lines) if sound else (Chargeback(), [])
    vendors, errors = vendors_in(valid.get("vendors", {}), lines) if _sound("vendors", wrong) else (VendorRules(), [])
    wrong = sorted([*wrong, *doubtful, *dubious, *faults, *errors], key=lambda problem: problem.line)
    return (None, wrong) if wrong else (replace(_config(valid, discounts, prices, chargeback), vendors=vendors), [])


def _sound(key: str, wrong: list[Problem]) -> bool:
    """Whether a setting fits the schema, so that what it says can be looked at."""
    return not any(problem.path.startswith(key) or not problem.path for problem in wrong)


@lru_cache(maxsize=256)
def in_force(text: str, public: bool) -> Config:
    """The configuration of a file that was found good when it was read; the defaults for an empty one."""
    return read(text, public)[0] or Config()


def _refused(tree: dict[str, Value], lines: dict[Where, int], public: bool) -> list[Problem]:
    """Takes out what may not stand in this file, and says so."""
    said = []
    for key in PRIVATE_ONLY:
        if public and key in tree:
            del tree[key]
            said.append(Problem(lines[(key,)], key, CONFIDENTIAL))
    return said


def _config(tree: dict[str, Any], discounts: list[Discount], prices: list[OwnPrice], chargeback: Chargeback) -> Config:
    """The value of a tree that the schema found valid."""
    teams = tree.get("teams", {})
    return Config(
        comment=CommentMode(tree.get("comment", CommentMode.ON_MERGE)),
        comment_threshold=nano_usd(Decimal(tree.get("comment_threshold_usd", 0))),
        annotations=int(tree.get("annotations", 1)),
        summary_repository=tree.get("summary", {}).get("repository", ""),
        show_money_in_public=tree.get("public_repositories", {}).get("show_money", False),
        tracked_branches=tuple(tree.get("tracked_branches", ())),
        claims_count=tree.get("claims_count", False),
        overhead_workflows=tuple(tree.get("overhead_workflows", ())),
        teams=tuple(Team(name, team.get("label", name), tuple(team["repositories"])) for name, team in teams.items()),
        discounts=tuple(discounts),
        prices=tuple(prices),
        chargeback=chargeback,
    )

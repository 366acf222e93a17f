"""An organisation's `mergemeter.yml`: what it may say, what it means, and every mistake in it at once.

Refuses what it does not know: a setting with a typing error must never be silently without effect. Numbers are
read exactly, `off` is a word and not a boolean, and money never passes through a float.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from app.core.config_file import Problem, Value, Where, named, parsed, problems_of
from app.core.money import ZERO, NanoUsd, nano_usd

PRIVATE_ONLY = ("prices", "discounts")
CONFIDENTIAL = "is confidential, and everybody can read this file: keep mergemeter.yml in a private .github-private"
NO_PRICES = "is not read: own prices cannot be given yet, only discounts on list prices"


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
class Discount:
    """A share off the list price of a provider (0 to 1), from a day on and until a day, which is not included."""

    provider: str
    share: Decimal
    start: date
    end: date | None


@dataclass(frozen=True, slots=True)
class Config:
    """What is in force. `Config()` is what holds without a file."""

    comment: CommentMode = CommentMode.ON_MERGE
    comment_threshold: NanoUsd = ZERO
    annotations: int = 1
    summary_repository: str = ""  # without the owner; "": no summary
    show_money_in_public: bool = False
    tracked_branches: tuple[str, ...] = ()
    teams: tuple[Team, ...] = ()
    discounts: tuple[Discount, ...] = ()

    def shows_money(self, public: bool) -> bool:
        """Whether amounts may appear in a repository."""
        return self.show_money_in_public or not public

    def tracks(self, base_ref: str, default_branch: str) -> bool:
        """Whether a merge into this branch counts as a merged pull."""
        return base_ref == default_branch or any(fnmatchcase(base_ref, each) for each in self.tracked_branches)

    def team(self, tag: str, repository: str) -> Team | None:
        """The team that a run's tag names, if this repository (its name, without the owner) may use it."""
        for team in self.teams:
            if team.name == tag and any(fnmatchcase(repository.lower(), each.lower()) for each in team.repositories):
                return team
        return None

    def team_text(self, tag: str, repository: str) -> str:
        """What to call the team of a run's tag: its label, the tag itself where no teams are configured, or a doubt."""
        if not tag or not self.teams:
            return tag
        team = self.team(tag, repository)
        return team.label if team else f"{tag} (not a team of this repository)"

    def discount(self, provider: str, at: datetime) -> Decimal:
        """The share off the list price at an instant: contracted = list × (1 − share). 0 without a discount."""
        day = at.astimezone(UTC).date()
        for each in self.discounts:
            if each.provider == provider and each.start <= day and (each.end is None or day < each.end):
                return each.share
        return Decimal(0)


def read(text: str, public: bool) -> tuple[Config | None, list[Problem]]:
    """The configuration in a file's text, or None with all its problems. `public`: everybody can read the file."""
    tree, lines, wrong = parsed(text)
    if tree is None:
        return (None, wrong) if wrong else (Config(), [])
    refused = _refused(tree, lines, public) if isinstance(tree, dict) else []
    wrong = [*wrong, *refused, *problems_of(tree, lines)]
    valid: Any = tree if isinstance(tree, dict) else {}
    discounts: tuple[Discount, ...] = ()
    if not any(problem.path.startswith("discounts") or not problem.path for problem in wrong):
        discounts, doubtful = _discounts(valid.get("discounts", []), lines)
        wrong += doubtful
    return (None, sorted(wrong, key=lambda problem: problem.line)) if wrong else (_config(valid, discounts), [])


@lru_cache(maxsize=256)
def in_force(text: str, public: bool) -> Config:
    """The configuration of a file that was found good when it was read; the defaults for an empty one."""
    return read(text, public)[0] or Config()


def _refused(tree: dict[str, Value], lines: dict[Where, int], public: bool) -> list[Problem]:
    """Takes out what may not stand in this file, and says so."""
    said = []
    for key in PRIVATE_ONLY:
        if key not in tree or (key == "discounts" and not public):
            continue
        del tree[key]
        said.append(Problem(lines[(key,)], key, CONFIDENTIAL if public else NO_PRICES))
    return said


def _config(tree: dict[str, Any], discounts: tuple[Discount, ...]) -> Config:
    """The value of a tree that the schema found valid."""
    teams = tree.get("teams", {})
    return Config(
        comment=CommentMode(tree.get("comment", CommentMode.ON_MERGE)),
        comment_threshold=nano_usd(Decimal(tree.get("comment_threshold_usd", 0))),
        annotations=int(tree.get("annotations", 1)),
        summary_repository=tree.get("summary", {}).get("repository", ""),
        show_money_in_public=tree.get("public_repositories", {}).get("show_money", False),
        tracked_branches=tuple(tree.get("tracked_branches", ())),
        teams=tuple(Team(name, team.get("label", name), tuple(team["repositories"])) for name, team in teams.items()),
        discounts=discounts,
    )


def _discounts(entries: list[dict[str, Any]], lines: dict[Where, int]) -> tuple[tuple[Discount, ...], list[Problem]]:
    """Discounts whose days exist, and of which one at most holds for a provider at any time."""
    kept: list[Discount] = []
    problems: list[Problem] = []
    for number, entry in enumerate(entries):
        read = _discount(entry)
        fault = read if isinstance(read, str) else _overlap(read, kept)
        if fault:
            where = ("discounts", number)
            problems.append(Problem(lines[where], named(where), fault))
        elif isinstance(read, Discount):
            kept.append(read)
    return tuple(kept), problems


def _discount(entry: dict[str, Any]) -> Discount | str:
    """The discount, or what is wrong with it."""
    share = Decimal(entry["percent"]) / 100
    if not share:
        return "must have a percent above 0"
    try:
        start = date.fromisoformat(entry["from"])
        end = date.fromisoformat(entry["until"]) if "until" in entry else None
    except ValueError:
        return "needs days of the calendar in from and until"
    if end is not None and end <= start:
        return "must have an until later than its from"
    return Discount(entry["provider"], share, start, end)


def _overlap(new: Discount, kept: list[Discount]) -> str:
    for old in kept:
        apart = (old.end is not None and old.end <= new.start) or (new.end is not None and new.end <= old.start)
        if old.provider == new.provider and not apart:
            return f"holds at the same time as another discount of {new.provider}, from {old.start}"
    return ""

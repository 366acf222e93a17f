"""Token yield: which part of what agents generated became merged work (definitions §5).

Each share gets one class: of nine ordered rules the first that fits. What is unknown or still pending is left out of
the base, and below 80 % coverage there is no figure at all.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from app.core.metrics import REVERT_WINDOW, stands
from app.core.money import ZERO, NanoUsd
from app.core.period import Period
from app.core.shares import Share
from app.core.usage import Completeness, Purpose

ABANDONED_AFTER = timedelta(days=14)
LEAST_COVERAGE = Fraction(4, 5)
SUPPORTING = frozenset({Purpose.REVIEW, Purpose.TRIAGE, Purpose.CI_FIX})
UNMEASURED = frozenset({Completeness.MISSING, Completeness.ESTIMATED})


class ShareClass(StrEnum):
    """In the order of their rules."""

    UNKNOWN = "unknown"
    SUPERSEDED_RETRY = "superseded_retry"
    FAILED = "failed"
    REJECTED = "rejected"
    ABANDONED = "abandoned"
    REVERTED = "reverted"
    PENDING = "pending"
    SUPPORT = "support"
    PRODUCTIVE = "productive"


class Dead(StrEnum):
    """Why spend is dead. `unattributed` has no pull and is not given up yet, or it is a tie."""

    REVERTED = "reverted"
    REJECTED = "rejected"
    ABANDONED = "abandoned"
    UNATTRIBUTED = "unattributed"
    SUPERSEDED_RETRY = "superseded_retry"
    FAILED = "failed"


COUNTED = frozenset({ShareClass.SUPPORT, ShareClass.PRODUCTIVE})
LEFT_OUT = frozenset({ShareClass.UNKNOWN, ShareClass.PENDING})


def class_of(share: Share, now: datetime) -> ShareClass:
    """The class of a share as things stand at an aware instant."""
    return next(kind for kind, fits in RULES if fits(share, now))


def dead_because(share: Share, now: datetime) -> Dead | None:
    """Why a share's cost is dead; None for what is not. Asked of every share, also of one whose usage is unknown."""
    for kind, fits in DEAD_RULES:
        if fits(share, now):
            return Dead(kind.value)
    return Dead.UNATTRIBUTED if share.pull is None else None


def _unknown(share: Share, _now: datetime) -> bool:
    return share.tied or share.completeness in UNMEASURED


def _superseded(share: Share, _now: datetime) -> bool:
    return share.retried and not share.kept


def _failed(share: Share, _now: datetime) -> bool:
    return share.failed and not share.kept


def _rejected(share: Share, _now: datetime) -> bool:
    return share.pull is not None and share.pull.rejected


def _abandoned(share: Share, now: datetime) -> bool:
    return share.pull is None and not share.tied and now >= share.waits_since + ABANDONED_AFTER


def _reverted(share: Share, _now: datetime) -> bool:
    return share.pull is not None and share.pull.reverted


def _pending(share: Share, now: datetime) -> bool:
    """Waits for a pull, or its pull is open or inside W.

    So is what merged without being a merged PR: a revert, and what went into a branch that does not count.
    """
    pull = share.pull
    return pull is None or pull.merged_at is None or not stands(pull) or now < pull.merged_at + REVERT_WINDOW


def _support(share: Share, _now: datetime) -> bool:
    return share.purpose in SUPPORTING


def _productive(_share: Share, _now: datetime) -> bool:
    return True


Rule = tuple[ShareClass, Callable[[Share, datetime], bool]]
DEAD_RULES: tuple[Rule, ...] = (
    (ShareClass.SUPERSEDED_RETRY, _superseded),
    (ShareClass.FAILED, _failed),
    (ShareClass.REJECTED, _rejected),
    (ShareClass.ABANDONED, _abandoned),
    (ShareClass.REVERTED, _reverted),
)
RULES: tuple[Rule, ...] = (
    (ShareClass.UNKNOWN, _unknown),
    *DEAD_RULES,
    (ShareClass.PENDING, _pending),
    (ShareClass.SUPPORT, _support),
    (ShareClass.PRODUCTIVE, _productive),
)


@dataclass(frozen=True, slots=True)
class Part:
    """What the shares of one class add up to in a period. An agent run counts where it began, once in its class."""

    agent_runs: int = 0
    output_tokens: int = 0
    tokens: int = 0  # of all classes
    cost: NanoUsd = ZERO

    def __add__(self, other: "Part") -> "Part":
        return Part(
            self.agent_runs + other.agent_runs,
            self.output_tokens + other.output_tokens,
            self.tokens + other.tokens,
            NanoUsd(self.cost + other.cost),
        )


@dataclass(frozen=True, slots=True)
class Yields:
    """Token yield on three bases; each in [0, 1], or None: nothing to measure, or too little is known.

    `coverage` is the lower of that by output tokens and by agent runs; None where there is neither.
    """

    classes: Mapping[ShareClass, Part]
    coverage: Fraction | None
    generated: Fraction | None  # of output tokens
    consumed: Fraction | None  # of all tokens
    cost: Fraction | None

    @property
    def insufficient(self) -> bool:
        """Too much is unknown to give a figure."""
        return self.coverage is not None and self.coverage < LEAST_COVERAGE


def yields_of(classed: Iterable[tuple[Share, ShareClass]], period: Period) -> Yields:
    """The yields of a scope's shares in a period."""
    return yields_from(*_parts(classed, period))


def yields_from(classes: Mapping[ShareClass, Part], agent_runs: int) -> Yields:
    """The yields of what each class adds up to, and of how many agent runs there are."""
    coverage = _coverage(classes, agent_runs)
    base = sum((part for kind, part in classes.items() if kind not in LEFT_OUT), Part())
    good = sum((part for kind, part in classes.items() if kind in COUNTED), Part())
    if coverage is None or coverage < LEAST_COVERAGE:
        base = Part()
    return Yields(
        classes=classes,
        coverage=coverage,
        generated=ratio(good.output_tokens, base.output_tokens),
        consumed=ratio(good.tokens, base.tokens),
        cost=ratio(good.cost, base.cost),
    )


def _coverage(classes: Mapping[ShareClass, Part], agent_runs: int) -> Fraction | None:
    unknown, output = classes[ShareClass.UNKNOWN], sum(part.output_tokens for part in classes.values())
    pairs = (unknown.output_tokens, output), (unknown.agent_runs, agent_runs)
    return min((1 - Fraction(lacking, whole) for lacking, whole in pairs if whole), default=None)


def _parts(classed: Iterable[tuple[Share, ShareClass]], period: Period) -> tuple[dict[ShareClass, Part], int]:
    """The sums of each class, and how many agent runs there are: one whose pulls differ is in several classes."""
    sums = {kind: [0, 0, 0] for kind in ShareClass}
    began: dict[ShareClass, set[str]] = {kind: set() for kind in ShareClass}
    for share, kind in classed:
        if share.began_at in period:
            began[kind].add(share.agent_run_id)
        for piece in share.pieces:
            if piece.at in period:
                total = sums[kind]
                total[0] += piece.tokens.output
                total[1] += piece.tokens.total
                total[2] += piece.cost
    parts = {
        kind: Part(len(began[kind]), output, tokens, NanoUsd(cost)) for kind, (output, tokens, cost) in sums.items()
    }
    return parts, len(set().union(*began.values()))


def ratio(part: int, whole: int) -> Fraction | None:
    """A part of a whole, exactly; None of nothing."""
    return Fraction(part, whole) if whole > 0 else None

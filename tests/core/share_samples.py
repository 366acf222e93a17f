"""Shares to measure: worked examples of the definitions, and any others for laws."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from app.core.metrics import PullFate
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.period import Period
from app.core.scope_metrics import Metrics, measure
from app.core.shares import Piece, Share
from app.core.usage import Completeness, Purpose, Tokens

OCTOBER = Month(2026, 10)
IN_OCTOBER = datetime(2026, 10, 6, 9, tzinfo=UTC)
LATE = datetime(2027, 1, 1, tzinfo=UTC)
PERIOD = Period.of(OCTOBER)
DAY = timedelta(days=1)
WIDGETS = 1


def fate(number: int, **changes: Any) -> PullFate:
    """A pull that is open."""
    return replace(PullFate(WIDGETS, number, lines_changed=20), **changes)


def merged(number: int, day: int = 10, **changes: Any) -> PullFate:
    at = datetime(2026, 10, day, tzinfo=UTC)
    return fate(number, closed_at=at, merged_at=at, **changes)


def share(
    agent_run: str, pull: PullFate | None = None, cost: int = 0, tokens: Tokens | None = None, **changes: Any
) -> Share:
    """A whole author agent run of October with all of its tokens in one piece."""
    whole = Share(
        agent_run_id=agent_run,
        repository_id=WIDGETS,
        pull=pull,
        pieces=(Piece(IN_OCTOBER, NanoUsd(cost), tokens or Tokens()),),
        began_at=IN_OCTOBER,
        waits_since=IN_OCTOBER,
        purpose=Purpose.AUTHOR,
    )
    return replace(whole, **changes)


def october(now: datetime = LATE) -> Metrics:
    """Example A with reviews, a retry, and input that was read from the cache: $53.10."""
    reverted = merged(3, reverted_at=datetime(2026, 10, 13, tzinfo=UTC))
    closed = fate(4, closed_at=datetime(2026, 10, 20, tzinfo=UTC))
    used = Tokens(input=9_000, cache_read=71_000, cache_write_5m=20_000, output=8_000)
    dollar = 1_000_000_000
    shares = [
        share("one", merged(1), 10 * dollar, used),
        share("two", merged(2), 11 * dollar, used),
        share("first", merged(2), 2 * dollar, used, retried=True),
        share("review", merged(2), dollar, used, purpose=Purpose.REVIEW),
        share("three", reverted, 6 * dollar, used),
        share("four", closed, 8 * dollar, used),
        share("five", fate(5), 5 * dollar, used),
        share("six", None, 101 * dollar // 10, used),
    ]
    return measure(PERIOD, shares, [merged(1), merged(2), reverted, closed, fate(5)], now)


# ---- any ---------------------------------------------------------------------------------------------------------

days = st.integers(0, 120).map(lambda day: datetime(2026, 8, 1, tzinfo=UTC) + timedelta(days=day))
counts = st.integers(0, 10**7)
tokens = st.builds(Tokens, counts, counts, counts, counts, counts, counts)
pieces = st.builds(Piece, days, st.integers(0, 10**11).map(NanoUsd), tokens)


@st.composite
def fates(draw: st.DrawFn) -> PullFate:
    """One of six pulls of two repositories: open, closed, merged, reverted early or late, a revert, into a branch."""
    number, repository = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    closed = draw(st.none() | days)
    merged_at = closed if draw(st.booleans()) else None
    reverted_at = merged_at + timedelta(days=draw(st.integers(0, 30))) if merged_at and draw(st.booleans()) else None
    return PullFate(
        repository, number, closed, merged_at, reverted_at, draw(st.booleans()), draw(st.booleans()),
        draw(st.none() | st.integers(0, 3000)),
    )  # fmt: skip


@st.composite
def organisations(draw: st.DrawFn) -> tuple[list[Share], list[PullFate]]:
    """Shares of a few agent runs on a few pulls, in which every fact that metrics read differs."""
    pulls = {(pull.repository_id, pull.number): pull for pull in draw(st.lists(fates(), max_size=6))}
    places = [None, *pulls.values()]
    runs = [draw(agent_runs()) for _ in range(draw(st.integers(1, 5)))]
    made = []
    for number in range(draw(st.integers(0, 8))):
        run = number % len(runs)
        pull = draw(st.sampled_from(places))
        made.append(
            replace(
                runs[run],
                agent_run_id=f"run-{run}",
                pull=pull,
                pieces=tuple(draw(st.lists(pieces, max_size=3))),
                tied=pull is None and runs[run].tied,
                model=draw(st.sampled_from(["", "m1", "m2"])),
            )
        )
    return made, list(pulls.values())


@st.composite
def agent_runs(draw: st.DrawFn) -> Share:
    """What all shares of an agent run have in common; its pulls may be another repository's."""
    began = draw(days)
    return Share(
        agent_run_id="",
        repository_id=draw(st.integers(1, 2)),
        pull=None,
        pieces=(),
        began_at=began,
        waits_since=began,
        purpose=draw(st.sampled_from(Purpose)),
        completeness=draw(st.sampled_from(Completeness)),
        tied=draw(st.booleans()),
        retried=draw(st.booleans()),
        failed=draw(st.booleans()),
        kept=draw(st.booleans()),
        agent=draw(st.sampled_from(["claude-code", "codex"])),
        team=draw(st.sampled_from(["", "payments"])),
        cost_center=draw(st.sampled_from(["unassigned", "platform"])),
        workflow=draw(st.sampled_from(["a.yml", "b.yml"])),
        unpriced_calls=draw(st.integers(0, 2)),
    )

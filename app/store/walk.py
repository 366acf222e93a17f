"""What a number is made of, read from the books one step at a time: month, repository, pull, agent run. Reads only.

Each step's parts sum to the step above, because all of them are sums of the same ledger. Lists come in the order of
their ids, behind the id `after`, so that a page is found without counting what stands before it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, bindparam, func, text
from sqlmodel import Session, col, select

from app.core.known import Known
from app.core.ledger import Book
from app.core.money import ZERO, NanoUsd
from app.core.month import Month
from app.store.keys import us
from app.store.tables import AgentRun, Balance, LedgerEntry, Pull, Tie

WITHOUT_PULL = (Book.UNATTRIBUTED, Book.ABANDONED, Book.OVERHEAD)


def spend_of_repository(session: Session, account_id: int, repository_id: int, month: Month) -> dict[Book, NanoUsd]:
    """What a repository's charges of a month amount to in each book."""
    query = (
        select(Balance.book, func.sum(Balance.amount_nano_usd))
        .where(Balance.account_id == account_id, Balance.repository_id == repository_id)
        .where(Balance.month == int(month), Balance.book != Book.USAGE.value)
        .group_by(Balance.book)
    )
    return {Book(book): NanoUsd(int(amount)) for book, amount in session.exec(query)}


def known_of_repository(session: Session, account_id: int, repository_id: int, month: Month) -> tuple[Known, Known]:
    """How far the cost of a repository's agent runs of a month is known: of those that pulls have, and the others."""
    bounds = {
        "account_id": account_id, "repository_id": repository_id, "start": us(month.start), "end": us(month.end)
    }  # fmt: skip
    found = {bool(row[0]): Known(*map(int, row[1:])) for row in session.connection().execute(KNOWN, bounds)}
    return found.get(True, Known()), found.get(False, Known())


KNOWN = text("""
    SELECT CASE WHEN evidence = '' THEN 0 ELSE 1 END, COUNT(*),
        SUM(CASE WHEN completeness <> 'complete' THEN 1 ELSE 0 END), SUM(model_calls), SUM(unpriced_calls)
    FROM agent_run
    WHERE account_id = :account_id AND repository_id = :repository_id AND started_at_us < :end
        AND ended_at_us >= :start
    GROUP BY 1
""")


def repository_ids(session: Session, account_id: int, after: int, most: int) -> list[int]:
    """Repositories that the App was told of or that have cost; 0 stands for those that telemetry did not name."""
    values = {"account_id": account_id, "after": after, "most": most}
    return list(session.connection().execute(REPOSITORIES, values).scalars())


REPOSITORIES = text("""
    SELECT repository_id FROM repository WHERE account_id = :account_id AND repository_id > :after
    UNION SELECT repository_id FROM balance WHERE account_id = :account_id AND repository_id > :after
    ORDER BY repository_id LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class PullInMonth:
    """`in_month`: charges of the month; `lifetime`: of all months. `known` is of all its agent runs."""

    pull: Pull
    in_month: NanoUsd
    lifetime: NanoUsd
    known: Known


def pulls_of_month(
    session: Session, account_id: int, repository_id: int, month: Month, after: int, most: int
) -> list[PullInMonth]:
    """A repository's pulls on which agents spent or worked in the month, and agents' pulls that were closed in it."""
    values = {
        "account_id": account_id, "repository_id": repository_id, "month": int(month), "after": after, "most": most,
        "start": us(month.start), "end": us(month.end),
    }  # fmt: skip
    numbers = list(session.connection().execute(PULLS_OF_MONTH, values).scalars())
    query = select(Pull).where(
        Pull.account_id == account_id, Pull.repository_id == repository_id, col(Pull.number).in_(numbers)
    )
    amounts = amounts_of_pulls(session, account_id, repository_id, numbers)
    known = known_of_pulls(session, account_id, repository_id, numbers)
    return [
        PullInMonth(
            pull,
            amounts[pull.number].get(month, ZERO),
            NanoUsd(sum(amounts[pull.number].values())),
            known.get(pull.number, Known()),
        )
        for pull in session.exec(query.order_by(col(Pull.number)))
    ]


PULLS_OF_MONTH = text("""
    SELECT number FROM balance WHERE account_id = :account_id AND repository_id = :repository_id AND book = 'pull'
        AND month = :month AND amount_nano_usd <> 0 AND number > :after
    UNION SELECT tie.number FROM tie JOIN agent_run ON agent_run.id = tie.agent_run_id
        WHERE tie.account_id = :account_id AND tie.repository_id = :repository_id AND tie.number > :after
        AND agent_run.account_id = :account_id AND agent_run.started_at_us < :end AND agent_run.ended_at_us >= :start
    UNION SELECT pull.number FROM pull JOIN tie ON tie.account_id = pull.account_id
            AND tie.repository_id = pull.repository_id AND tie.number = pull.number
        WHERE pull.account_id = :account_id AND pull.repository_id = :repository_id AND pull.number > :after
        AND pull.closed_at_us >= :start AND pull.closed_at_us < :end
    ORDER BY number LIMIT :most
""")


def amounts_of_pulls(
    session: Session, account_id: int, repository_id: int, numbers: Sequence[int]
) -> dict[int, dict[Month, NanoUsd]]:
    """What each pull's charges amount to by month; every number that was asked for has its (perhaps empty) place."""
    found: dict[int, dict[Month, NanoUsd]] = {number: {} for number in numbers}
    query = select(Balance).where(
        Balance.account_id == account_id, Balance.repository_id == repository_id, Balance.book == Book.PULL.value,
        col(Balance.number).in_(numbers), Balance.amount_nano_usd != 0,
    )  # fmt: skip
    for row in session.exec(query.order_by(col(Balance.number), col(Balance.month))):
        found[row.number][Month.from_int(row.month)] = NanoUsd(row.amount_nano_usd)
    return found


def known_of_pulls(session: Session, account_id: int, repository_id: int, numbers: Sequence[int]) -> dict[int, Known]:
    """How far the cost of each pull's agent runs is known."""
    values = {"account_id": account_id, "repository_id": repository_id, "numbers": list(numbers)}
    rows = session.connection().execute(KNOWN_OF_PULLS, values)
    return {number: Known(*map(int, counts)) for number, *counts in rows}


KNOWN_OF_PULLS = text("""
    SELECT tie.number, COUNT(*), SUM(CASE WHEN agent_run.completeness <> 'complete' THEN 1 ELSE 0 END),
        SUM(agent_run.model_calls), SUM(agent_run.unpriced_calls)
    FROM tie JOIN agent_run ON agent_run.id = tie.agent_run_id
    WHERE tie.account_id = :account_id AND tie.repository_id = :repository_id AND tie.number IN :numbers
        AND agent_run.account_id = :account_id
    GROUP BY tie.number
""").bindparams(bindparam("numbers", expanding=True))


def shares_of_pull(
    session: Session, account_id: int, repository_id: int, number: int, ids: Sequence[str]
) -> dict[str, dict[Month, NanoUsd]]:
    """What the share of each of these agent runs in a pull amounts to by month."""
    query = (
        select(LedgerEntry.agent_run_id, LedgerEntry.month, func.sum(LedgerEntry.amount_nano_usd))
        .where(
            LedgerEntry.account_id == account_id, LedgerEntry.repository_id == repository_id,
            LedgerEntry.book == Book.PULL.value, LedgerEntry.number == number, col(LedgerEntry.agent_run_id).in_(ids),
        )
        .group_by(LedgerEntry.agent_run_id, col(LedgerEntry.month))
    )  # fmt: skip
    found: dict[str, dict[Month, NanoUsd]] = defaultdict(dict)
    for agent_run_id, month, amount in session.exec(query):
        if amount:
            found[agent_run_id][Month.from_int(month)] = NanoUsd(int(amount))
    return found


@dataclass(frozen=True, slots=True)
class LooseRun:
    """An agent run with what of its month's charges is tied to no pull."""

    run: AgentRun
    amounts: dict[Book, NanoUsd] = field(default_factory=dict)


def runs_without_pull(
    session: Session, account_id: int, repository_id: int, month: Month, after: str, most: int
) -> list[LooseRun]:
    """A repository's agent runs with charges of the month that no pull has, and those in it of unknown cost."""
    values = {
        "account_id": account_id, "repository_id": repository_id, "month": int(month), "after": after, "most": most,
        "start": us(month.start), "end": us(month.end),
    }  # fmt: skip
    rows = session.connection().execute(RUNS_WITHOUT_PULL, values).all()
    runs = agent_runs(session, account_id, [row[0] for row in rows])
    return [
        LooseRun(runs[row[0]], {book: NanoUsd(int(amount)) for book, amount in zip(WITHOUT_PULL, row[1:], strict=True)})
        for row in rows
        if row[0] in runs
    ]


RUNS_WITHOUT_PULL = text("""
    SELECT agent_run_id, SUM(CASE WHEN book = 'unattributed' THEN amount ELSE 0 END),
        SUM(CASE WHEN book = 'abandoned' THEN amount ELSE 0 END),
        SUM(CASE WHEN book = 'overhead' THEN amount ELSE 0 END)
    FROM (
        SELECT agent_run_id, book, amount_nano_usd AS amount, 0 AS present FROM ledger_entry
        WHERE account_id = :account_id AND repository_id = :repository_id AND month = :month
            AND book IN ('unattributed', 'abandoned', 'overhead') AND agent_run_id > :after
        UNION ALL SELECT id, 'unattributed', 0, 1 FROM agent_run
        WHERE account_id = :account_id AND repository_id = :repository_id AND evidence = '' AND cost_nano_usd = 0
            AND started_at_us >= :start AND started_at_us < :end AND id > :after
    ) AS loose
    GROUP BY agent_run_id
    HAVING MAX(present) = 1 OR SUM(CASE WHEN book = 'unattributed' THEN amount ELSE 0 END) <> 0
        OR SUM(CASE WHEN book = 'abandoned' THEN amount ELSE 0 END) <> 0
        OR SUM(CASE WHEN book = 'overhead' THEN amount ELSE 0 END) <> 0
    ORDER BY agent_run_id LIMIT :most
""")


def agent_runs(session: Session, account_id: int, ids: Sequence[str]) -> dict[str, AgentRun]:
    query = select(AgentRun).where(AgentRun.account_id == account_id, col(AgentRun.id).in_(ids))
    return {run.id: run for run in session.exec(query)}


def agent_run_of(session: Session, account_id: int, agent_run_id: str) -> AgentRun | None:
    return agent_runs(session, account_id, [agent_run_id]).get(agent_run_id)


def ties_of(session: Session, account_id: int, agent_run_id: str) -> list[Tie]:
    """The pulls that an agent run is tied to, by number."""
    query = select(Tie).where(Tie.account_id == account_id, Tie.agent_run_id == agent_run_id)
    return list(session.exec(query.order_by(col(Tie.repository_id), col(Tie.number))))


def shares_of_month(session: Session, account_id: int, repository_id: int, month: Month) -> Sequence[Row[Any]]:
    """Every share of a repository's month: what of an agent run's charges sits in which book, and in which pull."""
    values = {
        "account_id": account_id, "repository_id": repository_id, "month": int(month), "start": us(month.start),
        "end": us(month.end),
    }  # fmt: skip
    return session.connection().execute(SHARES_OF_MONTH, values).all()


SHARES_OF_MONTH = text("""
    SELECT share.agent_run_id, share.book, share.number, share.amount, tie.evidence, pull.state AS pull_state,
        pull.merged_at_us, run.agent, run.models, run.team, run.purpose, run.provenance, run.completeness,
        run.model_calls, run.unpriced_calls, run.started_at_us, job.workflow, job.run_id, job.run_attempt
    FROM (
        SELECT agent_run_id, book, number, SUM(amount) AS amount FROM (
            SELECT agent_run_id, book, number, amount_nano_usd AS amount, 0 AS present FROM ledger_entry
            WHERE account_id = :account_id AND repository_id = :repository_id AND month = :month AND book <> 'usage'
            UNION ALL SELECT tie.agent_run_id, 'pull', tie.number, 0, 1 FROM tie
                JOIN agent_run ON agent_run.id = tie.agent_run_id
            WHERE tie.account_id = :account_id AND tie.repository_id = :repository_id
                AND agent_run.account_id = :account_id AND agent_run.cost_nano_usd = 0
                AND agent_run.started_at_us >= :start AND agent_run.started_at_us < :end
            UNION ALL SELECT id, 'unattributed', 0, 0, 1 FROM agent_run
            WHERE account_id = :account_id AND repository_id = :repository_id AND evidence = '' AND cost_nano_usd = 0
                AND started_at_us >= :start AND started_at_us < :end
        ) AS part
        GROUP BY agent_run_id, book, number HAVING SUM(amount) <> 0 OR MAX(present) = 1
    ) AS share
    JOIN agent_run AS run ON run.id = share.agent_run_id AND run.account_id = :account_id
    JOIN workflow_job AS job ON job.id = run.workflow_job_id AND job.account_id = :account_id
    LEFT JOIN tie ON share.book = 'pull' AND tie.account_id = :account_id AND tie.agent_run_id = share.agent_run_id
        AND tie.repository_id = :repository_id AND tie.number = share.number
    LEFT JOIN pull ON share.book = 'pull' AND pull.account_id = :account_id AND pull.repository_id = :repository_id
        AND pull.number = share.number
    ORDER BY share.agent_run_id, share.book, share.number
""")

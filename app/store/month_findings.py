"""What is doubtful about a month before it closes: all of it at once. Reads only.

About owners, from what the month states; about usage, from the sums that are kept of each repository's month.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session

from app.core.chargeback.findings import Finding, Spent
from app.core.chargeback.periods import is_early
from app.core.config import Config
from app.core.ledger import Book
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.month_sums import MonthSums
from app.core.report.numbers import count
from app.store.configs import config_in_force
from app.store.owner_findings import findings_of_owners
from app.store.periods import config_of_period, period_of
from app.store.place_findings import place_findings
from app.store.rolled_up import months_of
from app.store.stated import Stated

EARLY = "Vendors' figures of this month may still move until day 8 of the next one: what changes becomes adjustments."
LOOSE = (Book.UNATTRIBUTED.value, Book.ABANDONED.value)
MOST_NAMED = 5


def findings_of(session: Session, account_id: int, month: Month, stated: Stated, now: datetime) -> list[Finding]:
    """All findings of a month, by the configuration with which it closes."""
    row = period_of(session, account_id, month)
    config = config_in_force(session, account_id) if row is None else config_of_period(row)
    sums = {each: own for each, (_, own) in months_of(session, account_id, config, month, now).items()}
    found = [Finding("early", EARLY)] if is_early(month, now) else []
    found += _usage(config, sums, stated)
    spent = [
        Spent(stated.names.get(repository_id, ""), owner, NanoUsd(amount), runs, differing)
        for (repository_id, owner), (amount, runs, differing) in stated.states.spent.items()
    ]
    found += findings_of_owners(session, account_id, month, spent)
    return [*found, *place_findings(session, account_id, config.chargeback.close)]


def _usage(config: Config, sums: dict[int, MonthSums], stated: Stated) -> Iterator[Finding]:
    """What is not known of a month's usage, or not of whom it is."""
    models = sorted({model for each in sums.values() for model in each.unpriced_models})
    if calls := sum(each.unpriced_calls for each in sums.values()):
        named = ", ".join(models[:MOST_NAMED]) + (" …" if len(models) > MOST_NAMED else "")
        sentence = f"{count(calls, 'model call')} without a price ({named}): unknown cost, and in no statement."
        yield Finding(
            "unpriced-models", f"{sentence} Give their prices in mergemeter.yml and run reprice.", count=calls
        )
    if incomplete := sum(each.incomplete for each in sums.values()):
        sentence = f"{count(incomplete, 'agent run')} without a whole record: the cost is at least what is stated."
        yield Finding("incomplete-records", sentence, count=incomplete)
    loose, runs = _without_pull(stated)
    if loose:
        sentence = f"{count(runs, 'agent run')} without a known pull: unattributed or abandoned."
        yield Finding("unattributed-spend", sentence, amount=NanoUsd(loose), count=runs)
    tags = Counter[bool]()
    for repository_id, each in sums.items():
        name = stated.names.get(repository_id, "").partition("/")[2]
        for tag, number in each.by_team.items():
            tags[config.names_a_team(tag, name)] += number
    if config.teams and tags[False]:
        sentence = f"{count(tags[False], 'agent run')} without a team that the repository may use."
        yield Finding("untagged-agent-runs", sentence, count=tags[False])


def _without_pull(stated: Stated) -> tuple[int, int]:
    lines = [line for own in stated.states.lines.values() for line in own if line.book in LOOSE]
    return sum(line.amount + line.covered for line in lines), sum(line.agent_runs for line in lines)

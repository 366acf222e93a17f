"""A month of one account, told in one issue: created once, edited in place until it is final and afterwards.

Nothing is booked here. The figures are read from the books, so making a summary again gives the same one.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlmodel import Session

from app.core.agent_accounts import AGENT_ACCOUNTS
from app.core.config import Config, in_force
from app.core.facts import PullState
from app.core.ledger import Book
from app.core.metrics import REVERT_WINDOW, MonthCost, PullSpend, month_cost
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.outcomes import Refused
from app.core.report.marker import Kind, marker
from app.core.report.summary import summary, title
from app.core.report.values import MonthFigures, MonthReport, PullInMonth, RepositoryMonth, SilentWorkflow
from app.core.survey import SurveyedWorkflow
from app.core.usage import Tokens
from app.store.accounts import installation_of, repositories_of
from app.store.configs import config_of, problems_of
from app.store.costs import (
    RunsOfMonth,
    UsageOfMonth,
    UsageOfPull,
    balances_by_repository,
    price_lists,
    pull_spends,
    runs_of_month,
    usage_of_month,
    usage_of_pulls,
)
from app.store.effects import effect_of, fingerprint, write_effect
from app.store.queue import Job
from app.store.surveys import surveys_of_month
from app.store.tables import Effect, Pull, Repository
from app.store.told_runs import NO_REPOSITORY
from app.world import World

LABEL = "mergemeter"
DEAREST = 10
NO_USAGE = UsageOfMonth(0, 0, (), Tokens())
NO_RUNS = RunsOfMonth(0, 0, 0, {})
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RepositoryBooks:
    """One repository's month, before it is told."""

    repository: Repository
    pulls: list[tuple[Pull, PullSpend]]
    loose: dict[Book, dict[Month, NanoUsd]]
    usage: UsageOfMonth
    runs: RunsOfMonth
    untagged: int


def summarize(job: Job, world: World) -> None:
    """Put the month's summary issue where the configuration says; without a place only the log tells.

    `anew` in the arguments: what stands on GitHub may not be what we wrote last, so it is compared.
    """
    anew = bool(job.args.get("anew"))
    account_id, month = job.account_id, Month.parse(str(job.args["month"]))
    with world.db.reading() as session:
        version = config_of(session, account_id)
        config = in_force(version.good_text, version.public)
        installation = installation_of(session, account_id)
        key = f"summary:{int(month)}"
        effect = effect_of(session, account_id, key) or Effect(
            account_id=account_id, key=key, state="intent", updated_at_us=0
        )
    github = world.client(account_id)
    if github is None or installation is None:
        return
    if not config.summary_repository:
        log.info("account %s: no summary.repository is configured, the summary of %s is not posted", account_id, month)
        return
    owner, name = installation.account_login, config.summary_repository
    target = github.read_repository(owner, name)
    if target is None:
        _keep(world, effect, "refused", f"{owner}/{name} is not there, or the App is not installed on it")
        return
    mark = marker(Kind.SUMMARY, account_id, int(month))
    report = month_report(world, account_id, month, target.public)
    heading, body = title(report), summary(report, mark)
    said = fingerprint(heading, body)
    effect.location = f"{owner}/{name}"
    if effect.state == "removed" or (effect.state == "written" and effect.body_sha256 == said and not anew):
        return
    _keep(world, effect, "intent", "")
    try:
        put = github.put_issue(owner, name, heading, body, mark, effect.github_id, LABEL, anew=anew)
        if put.state == "adopted":  # the lane is ours, so our words are newer than those of whoever wrote it
            put = github.put_issue(owner, name, heading, body, mark, put.id, LABEL)
    except Refused as no:
        _keep(world, effect, "refused", str(no))
        return
    effect.github_id, effect.body_sha256 = put.id, said
    if put.state == "deleted_by_hand":
        _keep(world, effect, "removed", "a person deleted the issue; it is not posted again")
    else:
        _keep(world, effect, "written", "")


def preview(world: World, account_id: int, month: Month) -> str:
    """The summary's Markdown where no repository is configured for it, else nothing."""
    with world.db.reading() as session:
        version = config_of(session, account_id)
    config = in_force(version.good_text, version.public)
    if config.summary_repository:
        return ""
    return summary(month_report(world, account_id, month, public_issue=False), "")


def _keep(world: World, effect: Effect, state: str, note: str) -> None:
    if note:
        log.warning("account %s: %s at %s: %s", effect.account_id, effect.key, effect.location, note)
    effect.state, effect.note = state, note
    with world.db.transaction() as session:
        write_effect(session, effect, world.now())


def month_report(world: World, account_id: int, month: Month, public_issue: bool) -> MonthReport:
    """The month of an account as its summary tells it."""
    with world.db.reading() as session:
        version = config_of(session, account_id)
        config = in_force(version.good_text, version.public)
        installation = installation_of(session, account_id)
        books = _books(session, account_id, month, config)
        usage = usage_of_pulls(session, account_id)
        lists = price_lists(session, account_id)
        surveys = surveys_of_month(session, account_id, month)
    told = [each for each in books if _worth_telling(each, month)]
    total = month_cost(month, [spend for each in books for _, spend in each.pulls], _loose(books), world.now())
    surveyed = [each for found in surveys.values() for each in found]
    return MonthReport(
        account=installation.account_login if installation else "",
        month=month,
        repositories=tuple(_repository_month(each, month, world) for each in told),
        total=_figures(total, books, month),
        dearest=tuple(_dearest(told, month, usage)),
        price_lists=lists,
        money=config.shows_money(public_issue),
        public_issue=public_issue,
        discounted=bool(config.discounts),
        own_prices=bool(config.prices),
        provisional_until=(month.end + REVERT_WINDOW).date() if total.provisional else None,
        config_source=version.source,
        config_problems=problems_of(version),
        teams_configured=bool(config.teams),
        recorded_workflows=sum(each.is_recorded for each in surveyed),
        silent_workflows=_silent([each.repository for each in books], surveys),
        unknown_workflows=sum(each.is_unknown for each in surveyed),
    )


def _books(session: Session, account_id: int, month: Month, config: Config) -> list[RepositoryBooks]:
    balances = balances_by_repository(session, account_id)
    usage = usage_of_month(session, account_id, month)
    runs = runs_of_month(session, account_id, month)
    found = []
    known = repositories_of(session, account_id)
    if NO_REPOSITORY in {*balances, *usage, *runs}:
        known.append(_no_repository(account_id))
    for repository in known:
        own = balances.get(repository.repository_id, {})
        loose: dict[Book, dict[Month, NanoUsd]] = {Book.UNATTRIBUTED: {}, Book.ABANDONED: {}, Book.OVERHEAD: {}}
        for (book, _, of), amount in own.items():
            if book in loose:
                loose[book][of] = amount
        pulls = pull_spends(session, repository, own, config.tracks)
        started = runs.get(repository.repository_id, NO_RUNS)
        found.append(
            RepositoryBooks(
                repository,
                pulls,
                loose,
                usage.get(repository.repository_id, NO_USAGE),
                started,
                _untagged(started, repository.name, config),
            )
        )
    return found


def _no_repository(account_id: int) -> Repository:
    """Where agent runs stand that name no repository of the account."""
    name = "(no repository)"
    return Repository(
        account_id=account_id, repository_id=NO_REPOSITORY, owner="", name=name, default_branch="", visibility="public",
        updated_at_us=0,
    )  # fmt: skip


def _untagged(runs: RunsOfMonth, repository: str, config: Config) -> int:
    return sum(number for tag, number in runs.by_team.items() if not config.names_a_team(tag, repository))


def _silent(
    repositories: list[Repository], surveys: Mapping[int, list[SurveyedWorkflow]]
) -> tuple[SilentWorkflow, ...]:
    found = [
        SilentWorkflow(of.name, of.visibility == "public", each.path, each.agents or (), each.own_step, each.runs or 0)
        for of in repositories
        for each in surveys.get(of.repository_id, ())
        if each.leaves_no_record
    ]
    return tuple(sorted(found, key=lambda each: (-each.runs, each.repository, each.path)))


def _loose(books: Iterable[RepositoryBooks]) -> dict[Month, NanoUsd]:
    total: dict[Month, NanoUsd] = {}
    for each in books:
        for by_month in each.loose.values():
            for month, amount in by_month.items():
                total[month] = NanoUsd(total.get(month, 0) + amount)
    return total


def _worth_telling(each: RepositoryBooks, month: Month) -> bool:
    """A repository where agents ran, or whose agents' pulls merged, in the month."""
    closed = any(spend.agent_runs and spend.closed_at in month for _, spend in each.pulls)
    return bool(each.runs.agent_runs or each.usage.model_calls or closed)


def _repository_month(each: RepositoryBooks, month: Month, world: World) -> RepositoryMonth:
    cost = month_cost(month, [spend for _, spend in each.pulls], _loose([each]), world.now())
    public = each.repository.visibility == "public"
    return RepositoryMonth(each.repository.name, public, _figures(cost, [each], month))


def _figures(cost: MonthCost, books: list[RepositoryBooks], month: Month) -> MonthFigures:
    def in_month(book: Book) -> NanoUsd:
        return NanoUsd(sum(each.loose[book].get(month, 0) for each in books))

    unrecorded = _unrecorded(books, month)
    return MonthFigures(
        spend=cost.cost,
        released=cost.released,
        period=cost.period,
        cohort=cost.cohort,
        direct=cost.direct,
        load_factor=cost.load_factor,
        merged_pulls=cost.merged,
        agent_pulls_merged=cost.agent_merged,
        survived=cost.survived,
        unattributed=in_month(Book.UNATTRIBUTED),
        abandoned=in_month(Book.ABANDONED),
        agent_runs=sum(each.runs.agent_runs for each in books),
        incomplete_agent_runs=sum(each.runs.incomplete for each in books),
        model_calls=sum(each.usage.model_calls for each in books),
        unpriced_calls=sum(each.usage.unpriced_calls for each in books),
        tokens=sum((each.usage.tokens for each in books), Tokens()),
        unpriced_models=tuple(sorted({model for each in books for model in each.usage.unpriced_models})),
        unattributed_agent_runs=sum(each.runs.unattributed for each in books),
        untagged_agent_runs=sum(each.untagged for each in books),
        unrecorded_agent_pulls=len(unrecorded),
        unrecorded_agents=tuple(sorted({AGENT_ACCOUNTS[pull.author_id] for pull in unrecorded})),
        told_agent_runs=sum(each.runs.told for each in books),
        told_cost=NanoUsd(sum(each.usage.told_cost for each in books)),
    )


def _unrecorded(books: list[RepositoryBooks], month: Month) -> list[Pull]:
    """Pulls that an agent opened under its own account, that merged in the month, and of which there is no record."""
    return [
        pull
        for each in books
        for pull, spend in each.pulls
        if pull.author_id in AGENT_ACCOUNTS and not spend.agent_runs and spend.tracked and spend.merged_at in month
    ]


def _usage_with(
    usage: Mapping[tuple[int, int], UsageOfPull], repository_id: int, numbers: Iterable[int]
) -> UsageOfPull:
    """What the agent runs of a pull and of those that it carries used together."""
    found = [usage[key] for number in numbers if (key := (repository_id, number)) in usage]
    return UsageOfPull(
        sum((each.tokens for each in found), Tokens()),
        sum(each.doubtful for each in found),
        sum(each.priced_calls for each in found),
    )


def _dearest(
    books: list[RepositoryBooks], month: Month, usage: dict[tuple[int, int], UsageOfPull]
) -> list[PullInMonth]:
    """The pulls that were closed or spent on in the month, the dearest first by lifetime cost."""
    found = [
        (each.repository, pull, spend)
        for each in books
        for pull, spend in each.pulls
        if spend.agent_runs and (spend.closed_at in month or month in spend.by_month)
    ]
    found.sort(key=lambda item: (-item[2].lifetime, item[0].name, item[1].number))
    return [
        PullInMonth(
            repository=repository.name,
            public=repository.visibility == "public",
            number=pull.number,
            title=pull.title,
            state=PullState(pull.state),
            agent_runs=spend.agent_runs,
            cost=spend.lifetime,
            cost_known=used.priced_calls > 0 or not used.doubtful,
            cost_complete=not used.doubtful,
            tokens=used.tokens,
        )
        for repository, pull, spend in found[:DEAREST]
        if (used := _usage_with(usage, repository.repository_id, (pull.number, *spend.carries)))
    ]

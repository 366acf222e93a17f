"""A month of one account, told in one issue: created once, edited in place until it is final and afterwards.

Nothing is booked here. The figures are read from the books, so making a summary again gives the same one.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from app.core.agent_accounts import AGENT_ACCOUNTS
from app.core.combined import Row, combined, metrics_of_sums
from app.core.config import Config, in_force
from app.core.facts import PullState
from app.core.ledger import Book
from app.core.metrics import REVERT_WINDOW, PeriodCost
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.month_sums import DEAREST, MonthSums
from app.core.outcomes import Refused
from app.core.period import Period
from app.core.report.marker import Kind, marker
from app.core.report.summary import summary, title
from app.core.report.values import MonthFigures, MonthReport, PullInMonth, RepositoryMonth, SilentWorkflow
from app.core.scope_sums import ScopeSums
from app.core.shares import Dimension
from app.core.survey import SurveyedWorkflow
from app.core.usage import Tokens
from app.store.accounts import installation_of, repositories_of
from app.store.configs import config_in_force, config_of, problems_of
from app.store.costs import usage_of_pulls
from app.store.effect_tables import Effect
from app.store.effects import effect_of, fingerprint, write_effect
from app.store.pulls import PullKey, pull_of
from app.store.queue import Job
from app.store.rolled_up import months_of
from app.store.surveys import surveys_of_month
from app.store.tables import Repository
from app.store.told_runs import NO_REPOSITORY
from app.world import World

LABEL = "mergemeter"
NOTHING = (Row(0), MonthSums())
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RepositoryBooks:
    """One repository's month, before it is told."""

    repository: Repository
    cost: PeriodCost
    sums: MonthSums
    untagged: int


def summarize(job: Job, world: World) -> None:
    """Put the month's summary issue where the configuration says; without a place only the log tells.

    `anew` in the arguments: what stands on GitHub may not be what we wrote last, so it is compared.
    """
    anew = bool(job.args.get("anew"))
    account_id, month = job.account_id, Month.parse(str(job.args["month"]))
    with world.db.reading() as session:
        config = config_in_force(session, account_id)
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
        config = config_in_force(session, account_id)
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
    now = world.now()
    with world.db.reading() as session:
        version = config_of(session, account_id)
        config = in_force(version.good_text, version.public)
        installation = installation_of(session, account_id)
        found = months_of(session, account_id, config, month, now)
        books = _books(session, account_id, config, found, Period.of(month), now)
        surveys = surveys_of_month(session, account_id, month)
        told = [each for each in books if _worth_telling(each)]
        dearest = _dearest(session, account_id, told)
    total = combined(Dimension.ORGANISATION, Period.of(month), [row for row, _ in found.values()], now)[""]
    surveyed = [each for found_there in surveys.values() for each in found_there]
    return MonthReport(
        account=installation.account_login if installation else "",
        month=month,
        repositories=tuple(_repository_month(each) for each in told),
        total=_figures(total.cost, books),
        dearest=dearest,
        price_lists=tuple(sorted({name for each in books for name in each.sums.price_lists})),
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
        metrics=total,
    )


def _books(
    session: Session,
    account_id: int,
    config: Config,
    found: Mapping[int, tuple[Row, MonthSums]],
    period: Period,
    now: datetime,
) -> list[RepositoryBooks]:
    """Every repository's month, by name; those of which no event has told yet last."""
    known = repositories_of(session, account_id)
    nameless = {each for each, (row, sums) in found.items() if row.scopes or sums}
    nameless -= {each.repository_id for each in known}
    known += [_nameless(account_id, repository_id) for repository_id in sorted(nameless)]
    return [_one(each, config, *found.get(each.repository_id, NOTHING), period, now) for each in known]


def _one(
    repository: Repository, config: Config, row: Row, sums: MonthSums, period: Period, now: datetime
) -> RepositoryBooks:
    cost = metrics_of_sums(period, row.scopes.get("", ScopeSums()), row.merged, now).cost
    untagged = sum(number for tag, number in sums.by_team.items() if not config.names_a_team(tag, repository.name))
    return RepositoryBooks(repository, cost, sums, untagged)


def _nameless(account_id: int, repository_id: int) -> Repository:
    """Where agent runs stand that name no repository of the account, or one of which no event has told yet."""
    none = repository_id == NO_REPOSITORY
    name, visibility = ("(no repository)", "public") if none else (f"(repository {repository_id})", "private")
    return Repository(
        account_id=account_id, repository_id=repository_id, owner="", name=name, default_branch="",
        visibility=visibility, updated_at_us=0,
    )  # fmt: skip


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


def _worth_telling(each: RepositoryBooks) -> bool:
    """A repository where agents ran, or whose agents' pulls were closed, in the month."""
    return bool(each.sums.agent_runs or each.sums.model_calls or each.sums.agent_pulls_closed)


def _repository_month(each: RepositoryBooks) -> RepositoryMonth:
    public = each.repository.visibility == "public"
    return RepositoryMonth(each.repository.name, public, _figures(each.cost, [each]), each.repository.repository_id)


def _figures(cost: PeriodCost, books: list[RepositoryBooks]) -> MonthFigures:
    sums = [each.sums for each in books]
    unrecorded = [author for each in sums for author in each.unrecorded]

    def in_month(book: Book) -> NanoUsd:
        return NanoUsd(sum(each.books.get(book.value, 0) for each in sums))

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
        agent_runs=sum(each.agent_runs for each in sums),
        incomplete_agent_runs=sum(each.incomplete for each in sums),
        model_calls=sum(each.model_calls for each in sums),
        unpriced_calls=sum(each.unpriced_calls for each in sums),
        tokens=sum((Tokens(*each.tokens) for each in sums), Tokens()),
        unpriced_models=tuple(sorted({model for each in sums for model in each.unpriced_models})),
        unattributed_agent_runs=sum(each.unattributed for each in sums),
        untagged_agent_runs=sum(each.untagged for each in books),
        unrecorded_agent_pulls=len(unrecorded),
        unrecorded_agents=tuple(sorted({AGENT_ACCOUNTS[author] for author in unrecorded})),
        told_agent_runs=sum(each.told for each in sums),
        told_cost=NanoUsd(sum(each.told_cost for each in sums)),
    )


def _dearest(session: Session, account_id: int, books: list[RepositoryBooks]) -> tuple[PullInMonth, ...]:
    """The pulls that were closed or spent on in the month, the dearest first by lifetime cost."""
    found = [(each.repository, pull) for each in books for pull in each.sums.dearest]
    found.sort(key=lambda item: (-item[1].lifetime, item[0].name, item[1].number))
    told = []
    for repository, dear in found[:DEAREST]:
        pull = pull_of(session, PullKey(account_id, repository.repository_id, dear.number))
        if pull is None:
            continue
        used = usage_of_pulls(session, account_id, repository.repository_id, [dear.number, *dear.carries])
        told.append(
            PullInMonth(
                repository=repository.name,
                public=repository.visibility == "public",
                number=pull.number,
                title=pull.title,
                state=PullState(pull.state),
                agent_runs=dear.agent_runs,
                cost=NanoUsd(dear.lifetime),
                cost_known=used.priced_calls > 0 or not used.doubtful,
                cost_complete=not used.doubtful,
                tokens=used.tokens,
            )
        )
    return tuple(told)

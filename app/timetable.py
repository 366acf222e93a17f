"""Which story each kind of job has, and what recurs. The one place where the worker meets the stories."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlmodel import Session

from app.core.events import (
    CommentEvent,
    Event,
    InstallationEvent,
    PropertyEvent,
    PullEvent,
    RepositoryEvent,
    RerequestEvent,
)
from app.core.month import Month
from app.settings import Settings
from app.store.accounts import active_accounts, installation_of
from app.store.properties import properties_job
from app.store.queue import BEHIND, NewJob, behind
from app.store.redeliveries import deliveries_job
from app.store.rollups import waiting_accounts
from app.store.schedule import Entry
from app.store.statement_issues import daily_jobs
from app.store.surveys import survey_job, unsurveyed
from app.store.vendor_readings import vendor_job
from app.stories import (
    allocate,
    attribute,
    close_period,
    cloud_agents,
    conclude,
    decide_statement,
    enroll,
    history,
    post_statement,
    publish,
    read_properties,
    read_vendors,
    record,
    redeliver,
    roll_up,
    summarize,
    survey,
    watch_statement,
)
from app.worker import Story, deliver, throw_away
from app.world import World

# A month can change for two weeks after its end (reverts); the summary of this day is the last one.
FINAL_DAY = 16
REFRESH_SPREAD_S = 3000
SUMMARY_SPREAD_S = 3600
SWEEP_SPREAD_S = 3 * 3600
# The first day's surveys end before the second day's summaries; the other days are for what was missed.
SURVEY_DAYS = range(1, 4)
SURVEY_SPREAD_S = 20 * 3600


# Who listens to which event.
LISTENERS: Mapping[type[Event], Callable[[Any, World], None]] = {
    PullEvent: allocate.on_pull,
    InstallationEvent: enroll.on_installation,
    RepositoryEvent: enroll.on_repository,
    RerequestEvent: publish.on_rerequest,
    CommentEvent: lambda event, world: (attribute if event.on_pull else decide_statement).on_comment(event, world),
    PropertyEvent: read_properties.on_properties,
}


def stories() -> Mapping[str, Story]:
    """What to call for each kind of job."""
    return {
        "delivery": deliver(LISTENERS),
        "place": allocate.place,
        "read": allocate.read,
        "resettle": allocate.resettle,
        "publish": publish.publish,
        "answer": attribute.answer,
        "expect": record.expect,
        "ended": conclude.conclude,
        "summary": summarize.summarize,
        "close": close_period.close_by_clock,
        "statement": post_statement.post_statement,
        "statement-days": watch_statement.watch,
        "survey": survey.survey,
        "pulls": history.pulls_of(allocate.linked),
        "sweep": history.sweep,
        "deliveries": redeliver.deliveries,
        "agent-tasks": cloud_agents.read_sessions,
        "vendor": read_vendors.read_vendor,
        "rollup": roll_up.roll_up,
        "properties": read_properties.read_properties,
        "refresh": enroll.refresh,
        "discover": enroll.discover,
        "prune": throw_away,
    }


def entries(settings: Settings) -> list[Entry]:
    """What recurs: each account is refreshed hourly and gets its summary daily while the month can still change.

    Deliveries that did not arrive are asked for every quarter of an hour; four times a day each repository's pulls are
    compared with what we hold. The sums of repositories that changed are computed anew within seconds. Where there is a
    token for it, the sessions of cloud agents are read hourly; where there is a key, vendors' reports are nightly.
    Statements that wait for an answer are looked at daily, custom properties are read every night, and a month closes
    on the day that the configuration says.

    Before the first one its repositories' workflow files are surveyed, once for the month.
    """
    day, hour = timedelta(days=1), timedelta(hours=1)

    def summaries(session: Session, slot: datetime) -> Iterable[NewJob]:
        if not settings.summary_day <= slot.day <= FINAL_DAY:
            return
        month = str(Month.of(slot).previous)
        for account in active_accounts(session):
            due = slot + _spread(account, SUMMARY_SPREAD_S)
            yield NewJob(account, f"{account}/summary", "summary", f"summary/{month}", {"month": month}, due)

    def refreshes(session: Session, slot: datetime) -> Iterable[NewJob]:
        for account in active_accounts(session):
            due = slot + _spread(account, REFRESH_SPREAD_S)
            yield NewJob(account, f"{account}/installation", "refresh", "refresh", {}, due)

    def discoveries(_session: Session, slot: datetime) -> Iterable[NewJob]:
        yield NewJob(0, "0/discover", "discover", "discover", {}, slot)

    def prunes(_session: Session, slot: datetime) -> Iterable[NewJob]:
        yield NewJob(0, "0/prune", "prune", "prune", {}, slot)

    def agent_tasks(session: Session, slot: datetime) -> Iterable[NewJob]:
        for account in active_accounts(session) if settings.agent_tasks_tokens else ():
            due = slot + _spread(account, REFRESH_SPREAD_S)
            yield NewJob(account, behind(account), "agent-tasks", "agent-tasks", {}, due)

    return [
        Entry("summary", day, timedelta(hours=3), summaries),
        Entry("close", hour, timedelta(0), _closes),
        Entry("statements", day, timedelta(hours=6), _statements),
        Entry("survey", day, timedelta(hours=1), _surveys),
        Entry("rollup", timedelta(seconds=10), timedelta(0), _rollups),
        Entry("properties", day, timedelta(hours=2), _properties),
        Entry("refresh", hour, timedelta(0), refreshes),
        Entry("sweep", timedelta(hours=6), timedelta(hours=2), _sweeps),
        Entry("agent-tasks", hour, timedelta(minutes=10), agent_tasks),
        Entry("vendor", day, timedelta(hours=4), partial(_vendors, settings)),
        Entry("deliveries", timedelta(minutes=15), timedelta(minutes=5), _deliveries),
        Entry("discover", hour, timedelta(minutes=15), discoveries),
        Entry("prune", hour, timedelta(minutes=30), prunes),
    ]


def _closes(session: Session, slot: datetime) -> Iterable[NewJob]:
    for account in active_accounts(session):
        if (month := close_period.due_month(session, account, slot)) is not None:
            yield NewJob(account, f"{account}/close{BEHIND}", "close", f"close/{account}", {"month": str(month)}, slot)


def _statements(session: Session, slot: datetime) -> Iterable[NewJob]:
    return daily_jobs(session, active_accounts(session), slot)


def _sweeps(session: Session, slot: datetime) -> Iterable[NewJob]:
    for account in active_accounts(session):
        yield NewJob(account, behind(account), "sweep", "sweep", {}, slot + _spread(account, SWEEP_SPREAD_S))


def _properties(session: Session, slot: datetime) -> Iterable[NewJob]:
    for account in active_accounts(session):
        yield properties_job(account, slot + _spread(account, REFRESH_SPREAD_S))


def _deliveries(_session: Session, slot: datetime) -> Iterable[NewJob]:
    yield deliveries_job(slot)


def _rollups(session: Session, slot: datetime) -> Iterable[NewJob]:
    for account in waiting_accounts(session, slot, Month.of(slot).next):
        yield NewJob(account, f"{account}/rollup{BEHIND}", "rollup", f"rollup/{account}", {}, slot)


def _vendors(settings: Settings, session: Session, slot: datetime) -> Iterable[NewJob]:
    for account in active_accounts(session) if settings.vendor_keys else ():
        installation = installation_of(session, account)
        login = installation.account_login.lower() if installation else ""
        due = slot + _spread(account, REFRESH_SPREAD_S)
        yield from (vendor_job(account, vendor, due) for whose, vendor, _ in settings.vendor_keys if whose == login)


def _surveys(session: Session, slot: datetime) -> Iterable[NewJob]:
    if slot.day not in SURVEY_DAYS:
        return
    month = Month.of(slot).previous
    for account in active_accounts(session):
        for repository_id in unsurveyed(session, account, month):
            yield survey_job(account, repository_id, month, slot + _spread(repository_id, SURVEY_SPREAD_S))


def _spread(one_id: int, over_s: int) -> timedelta:
    """An account's or repository's own place in the slot: always the same, and far from its neighbours'."""
    return timedelta(seconds=one_id * 7919 % over_s)

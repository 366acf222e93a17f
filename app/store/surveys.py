"""Surveys of workflow files: what was found in each repository in each month, and the jobs that look."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, delete, func, select

from app.core.month import Month
from app.core.survey import SurveyedWorkflow
from app.core.workflow_lines import own_workflow
from app.store.keys import us
from app.store.queue import NewJob, enqueue_all
from app.store.reading_tables import SurveyedFile
from app.store.tables import Repository, WorkflowJob


def survey_job(account_id: int, repository_id: int, month: Month, due: datetime) -> NewJob:
    """The job that surveys one repository for one month, in a lane of its own."""
    args = {"repository_id": repository_id, "month": str(month)}
    lane = f"{account_id}/{repository_id}/survey"
    return NewJob(account_id, lane, "survey", f"survey/{repository_id}/{month}", args, due)


def surveyable(session: Session, account_id: int) -> list[int]:
    """The repositories of an account in which workflows can run."""
    query = select(Repository.repository_id).where(
        Repository.account_id == account_id, Repository.state == "installed", col(Repository.archived).is_(False)
    )
    return list(session.exec(query.order_by(col(Repository.repository_id))))


def unsurveyed(session: Session, account_id: int, month: Month) -> list[int]:
    """Those of them in which nothing was found since the month ended."""
    query = select(SurveyedFile.repository_id).where(
        SurveyedFile.account_id == account_id,
        SurveyedFile.month == int(month),
        SurveyedFile.surveyed_at_us >= us(month.end),
    )
    done = set(session.exec(query.distinct()))
    return [repository_id for repository_id in surveyable(session, account_id) if repository_id not in done]


def ask_for_surveys(session: Session, account_id: int, month: Month, now: datetime) -> int:
    """Have every repository of an account surveyed now; how many there are."""
    chosen = surveyable(session, account_id)
    enqueue_all(session, [survey_job(account_id, repository_id, month, now) for repository_id in chosen], now)
    return len(chosen)


def recorded_jobs(session: Session, repository: Repository, month: Month) -> Counter[str]:
    """How many jobs of a month's workflow runs reported, by the path of the file that GitHub counts the run under.

    That is GitHub's own record of the run, and until it is read the signed token's.
    """
    at_us = func.coalesce(WorkflowJob.run_created_at_us, WorkflowJob.opened_at_us)
    query = (
        select(WorkflowJob.run_path, WorkflowJob.workflow_ref, func.count())
        .where(
            WorkflowJob.account_id == repository.account_id,
            WorkflowJob.repository_id == repository.repository_id,
            at_us >= us(month.start),
            at_us < us(month.end),
        )
        .group_by(col(WorkflowJob.run_path), col(WorkflowJob.workflow_ref))
    )
    found: Counter[str] = Counter()
    for run_path, workflow_ref, jobs in session.exec(query):
        found[run_path or own_workflow(workflow_ref, f"{repository.owner}/{repository.name}")] += jobs
    return found


def save_survey(
    session: Session, repository: Repository, month: Month, found: Sequence[SurveyedWorkflow], now: datetime
) -> None:
    """Keep what a survey found in place of what an earlier one of the same month did."""
    session.exec(
        delete(SurveyedFile).where(
            col(SurveyedFile.account_id) == repository.account_id,
            col(SurveyedFile.repository_id) == repository.repository_id,
            col(SurveyedFile.month) == int(month),
        )
    )
    session.add_all(
        SurveyedFile(
            account_id=repository.account_id,
            repository_id=repository.repository_id,
            month=int(month),
            path=each.path,
            agents=json.dumps(each.agents),
            own_step=each.own_step,
            runs=each.runs,
            recorded_jobs=each.recorded_jobs,
            surveyed_at_us=us(now),
        )
        for each in found
    )
    session.flush()


def surveys_of_month(session: Session, account_id: int, month: Month) -> dict[int, list[SurveyedWorkflow]]:
    """What the surveys of a month found, by repository and in the order of paths."""
    query = select(SurveyedFile).where(SurveyedFile.account_id == account_id, SurveyedFile.month == int(month))
    found: dict[int, list[SurveyedWorkflow]] = defaultdict(list)
    for row in session.exec(query.order_by(col(SurveyedFile.repository_id), col(SurveyedFile.path))):
        agents = json.loads(row.agents)
        known = None if agents is None else tuple(agents)
        found[row.repository_id].append(SurveyedWorkflow(row.path, known, row.own_step, row.runs, row.recorded_jobs))
    return found

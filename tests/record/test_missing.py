"""A job opened its record and never closed it: asked of GitHub, its cost is missing and never a silent zero."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.core.outcomes import Later
from app.github.app import GitHubApp
from app.sandbox import Sandbox
from app.store.database import Database
from app.store.effect_tables import Effect
from app.store.queue import Job
from app.store.queue_tables import Job as JobRow
from app.store.tables import AgentRun, LedgerEntry, Tie, WorkflowJob
from app.stories.record import expect
from tests.openapi import contract
from tests.record.issuer import AUDIENCE
from tests.record.ledger import check_books, everything
from tests.record.reports import CALL_COST, agent_run, closing, opening
from tests.record.serving import Answer, Server, install, serving, world_of


@dataclass
class Scene:
    """One workflow job on the sandbox, and our surface."""

    gh: Sandbox
    server: Server
    run: dict[str, Any]
    account_id: int

    def post(self, body: dict[str, Any]) -> Answer:
        return self.server.post(body, self.gh.mint_token(self.run, AUDIENCE))

    def expect(self) -> None:
        (row,) = [job for job in everything(self.server.world.db, JobRow) if job.kind == "expect"]
        expect(Job(row.id, row.account_id, row.lane, row.kind, json.loads(row.args)), self.server.world)

    def agent_runs(self) -> list[AgentRun]:
        return everything(self.server.world.db, AgentRun)

    def state(self) -> str:
        (job,) = everything(self.server.world.db, WorkflowJob)
        return job.state

    def kinds(self) -> list[str]:
        return sorted(job.kind for job in everything(self.server.world.db, JobRow))


@pytest.fixture
def scene(database: Database) -> Iterator[Scene]:
    with contract.watched() as gh:
        registered = gh.register_app()
        account_id = gh.create_account("acme")
        gh.create_repository("acme/shop", files={".github/workflows/agent.yml": "on: push\n"})
        installation_id = gh.install("acme")
        run = gh.start_workflow_run("acme/shop", event="push")
        github = GitHubApp(registered["app_id"], registered["private_key"], gh.url)
        with database.transaction() as session:
            install(
                session, account_id, run["repository_id"], installation_id=installation_id, owner="acme", name="shop"
            )
        with serving(world_of(database, gh.oidc_issuer, github)) as server:
            yield Scene(gh, server, run, account_id)
        github.close()


def test_while_the_workflow_run_goes_on_we_look_again_later(scene: Scene) -> None:
    scene.post(opening())
    with pytest.raises(Later):
        scene.expect()
    assert (scene.state(), scene.agent_runs()) == ("opened", [])


def test_once_it_has_ended_the_agent_run_is_missing(scene: Scene) -> None:
    scene.post(opening())
    scene.gh.finish_run(scene.run["run_id"], "cancelled")
    scene.expect()
    (run,) = scene.agent_runs()
    assert (run.agent, run.completeness, run.model_calls, run.cost_nano_usd) == ("unknown", "missing", 0, 0)
    assert (run.team, run.purpose) == ("payments", "author")
    assert (scene.state(), scene.kinds()) == ("missing", ["expect", "place"])
    assert everything(scene.server.world.db, LedgerEntry) == []


def test_looking_twice_makes_one(scene: Scene) -> None:
    scene.post(opening())
    scene.gh.finish_run(scene.run["run_id"])
    scene.expect()
    scene.expect()
    assert len(scene.agent_runs()) == 1


def test_a_closed_job_is_not_expected(scene: Scene) -> None:
    scene.post(opening())
    scene.post(closing())
    scene.gh.finish_run(scene.run["run_id"])
    scene.expect()
    assert (scene.state(), scene.agent_runs()) == ("closed", [])


def test_a_late_closing_record_takes_the_place_of_the_missing_one(scene: Scene) -> None:
    scene.post(opening())
    scene.gh.finish_run(scene.run["run_id"])
    scene.expect()
    (stand_in,) = scene.agent_runs()
    tie(scene, stand_in)
    answer = scene.post(closing(agent_run(calls=1)))
    assert answer.content["status"] == "recorded"
    (run,) = scene.agent_runs()
    assert (run.agent, run.cost_nano_usd, scene.state()) == ("claude-code", CALL_COST, "closed")
    assert everything(scene.server.world.db, Tie) == []
    assert scene.kinds() == ["expect", "place", "publish"]
    assert check_books(scene.server.world.db) == CALL_COST


def test_a_late_word_that_no_agent_ran_takes_it_away(scene: Scene) -> None:
    scene.post(opening())
    scene.gh.finish_run(scene.run["run_id"])
    scene.expect()
    scene.post(closing())
    assert (scene.state(), scene.agent_runs()) == ("closed", [])


def test_a_run_that_github_no_longer_knows_is_missing(scene: Scene) -> None:
    scene.post(opening())
    with scene.server.world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE workflow_job SET run_id = 1")
    scene.expect()
    assert scene.state() == "missing"


def test_an_account_without_the_app_is_not_asked_about(scene: Scene) -> None:
    scene.post(opening())
    with scene.server.world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE installation SET state = 'deleted'")
    scene.expect()
    assert (scene.state(), everything(scene.server.world.db, Effect)) == ("opened", [])


def tie(scene: Scene, run: AgentRun) -> None:
    with scene.server.world.db.transaction() as session:
        session.add(
            Tie(
                account_id=scene.account_id,
                agent_run_id=run.id,
                repository_id=run.repository_id,
                number=3,
                evidence="E4",
                note="",
            )
        )

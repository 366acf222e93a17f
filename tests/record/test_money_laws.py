"""Whatever is sent, in whatever order and however often: each model call is in the books once."""

import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.facts import AccountId, Claims, RepositoryId
from app.core.reported import read_report
from app.core.usage import ModelCall
from app.store.database import Database
from app.store.tables import AgentRun, ModelCallRow
from app.stories.record import admit, prepare, record
from app.world import World
from tests.record.issuer import ACCOUNT, REPOSITORY, Issuer, issuing
from tests.record.ledger import check_books, everything
from tests.record.reports import START, agent_run, call, closing, stamp
from tests.record.serving import PRICES, install, world_of

MODELS = ["claude-sonnet-4-5", "claude-haiku-5-5", "claude-opus-4-5", "unheard-of"]


@pytest.fixture(scope="module")
def issuer_once() -> Iterator[Issuer]:
    with issuing() as one:
        yield one


def claims_of(job: int, token: int) -> Claims:
    return Claims(
        issuer="https://issuer.example",
        jti=f"token-{token}",
        expires_at=START + timedelta(hours=1),
        account_id=AccountId(ACCOUNT),
        repository_id=RepositoryId(REPOSITORY),
        repository="acme/widgets",
        visibility="private",
        run_id=1,
        run_attempt=1,
        event_name="push",
        ref="refs/heads/main",
        sha="",
        head_ref="",
        base_ref="",
        actor_id=1,
        workflow="agent",
        workflow_ref="",
        job_workflow_ref="",
        check_run_id=job,
        environment="",
    )


def modelled(number: int) -> dict[str, Any]:
    """A call whose number decides all of it, so that the same id never says two things."""
    chance = random.Random(number)
    at = START - timedelta(days=chance.randrange(60))
    return call(
        number,
        model=chance.choice(MODELS),
        at=stamp(at),
        input_tokens=chance.randrange(200_000),
        cache_read_tokens=chance.randrange(10**7),
        cache_write_1h_tokens=chance.randrange(1_000),
        output_tokens=chance.randrange(50_000),
        web_searches=chance.randrange(3),
    )


SESSIONS = st.dictionaries(st.sampled_from("abcd"), st.lists(st.integers(0, 30), max_size=6, unique=True), max_size=3)
POSTS = st.lists(st.tuples(st.integers(1, 3), SESSIONS), max_size=6)


def send(world: World, job: int, token: int, sessions: dict[str, list[int]]) -> None:
    body = closing(*(agent_run(name, [modelled(n) for n in numbers]) for name, numbers in sorted(sessions.items())))
    claims = claims_of(job, token)
    raw = json.dumps(body).encode()
    with world.db.reading() as session:
        terms = admit(session, claims)
    (outcome,) = record(world, [prepare(world, claims, terms, raw, body)])
    assert not isinstance(outcome, Exception)


@settings(max_examples=40, deadline=None)
@given(posts=POSTS, order=st.randoms(use_true_random=False))
def test_order_and_duplicates_change_no_total(
    sqlite_template: Path, issuer_once: Issuer, posts: list[tuple[int, dict[str, list[int]]]], order: random.Random
) -> None:
    sent = [*enumerate(posts), *enumerate(posts)]
    order.shuffle(sent)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "law.sqlite3"
        shutil.copyfile(sqlite_template, path)
        database = Database(f"sqlite:///{path}")
        world = world_of(database, issuer_once.url)
        with database.transaction() as session:
            install(session)
        for token, (job, sessions) in sent:
            send(world, job, token, sessions)
        counted = {row.response_id: row for row in everything(database, ModelCallRow)}
        total = check_books(database)
        runs = everything(database, AgentRun)
        database.close()
    for row in counted.values():
        number = int(row.response_id.removeprefix("msg_"))
        assert row.cost_nano_usd == PRICES.cost(read_call(number))
    assert total == sum(row.cost_nano_usd or 0 for row in counted.values()) == sum(run.cost_nano_usd for run in runs)
    assert sum(run.model_calls for run in runs) == len(counted)
    # Whoever comes first has the session; where no two records of a job differ in one, nothing is left out.
    if not any(run.revisions for run in runs):
        assert {f"msg_{n}" for _, sessions in posts for numbers in sessions.values() for n in numbers} == counted.keys()


def read_call(number: int) -> ModelCall:
    return read_report(closing(agent_run("x", [modelled(number)])), START + timedelta(hours=1)).agent_runs[0].calls[0]

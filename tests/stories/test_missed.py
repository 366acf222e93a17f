"""A deaf App: no webhook ever reaches it, it reads lists alone. It must end as the one that heard everything.

What a force-push took away is not in any list: such pulls are told apart by their branch (E4), or by the redelivery of
the events; so nothing is pushed by force here.
"""

from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sandbox import Sandbox
from app.store.accounts import active_accounts
from app.store.database import Database
from app.store.queue import NewJob, behind, enqueue
from tests.stories.stage import ORGANISATION, PATH, REPOSITORY, WORKFLOW, Stage
from tests.stories.test_any_order import OPS, START, Happenings, assert_they_agree, copies

LISTED = tuple(op for op in OPS if op != "force")
SIX_HOURS_S = 6 * 3600


class Deaf(Happenings):
    """Records come at any time; of the deliveries the untidy App hears none, and now and then it sweeps."""

    def happen(self, op: str) -> None:
        super().happen(op)
        self.pending = [tell for tell in self.pending if tell in self.reports]

    def tell_some(self) -> None:
        super().tell_some()
        if self.random.random() < 0.2:
            sweep(self.untidy)

    def finish(self) -> None:
        super().finish()
        self.gh.advance(self.random.choice([SIX_HOURS_S, 40 * SIX_HOURS_S]))
        self.tidy.settle()
        sweep(self.untidy)


def sweep(stage: Stage) -> None:
    """What the timetable does every six hours, and every hour."""
    with stage.world.db.transaction() as session:
        for account_id in active_accounts(session):
            lane = f"{account_id}/installation"
            enqueue(session, NewJob(account_id, lane, "refresh", "refresh", {}, stage.now()), stage.now())
            enqueue(session, NewJob(account_id, behind(account_id), "sweep", "sweep", {}, stage.now()), stage.now())
    stage.worker.drain()


def play(first: Database, second: Database, ops: list[str], random: Random) -> None:
    with Sandbox() as gh:
        gh.set_time(START)
        tidy, untidy = Stage(gh, first, "tidy"), Stage(gh, second, "untidy")
        with closing(tidy), closing(untidy):
            gh.create_account(ORGANISATION)
            gh.create_repository(REPOSITORY, files={PATH: WORKFLOW})
            for stage in (tidy, untidy):
                gh.install(ORGANISATION, app_id=stage.app["app_id"])
                stage.settle()
            deaf = Deaf(gh, tidy, untidy, random)
            for op in ops:
                deaf.happen(op)
                deaf.tell_some()
                assert sum(untidy.books().values()) == 0
            deaf.finish()
            assert_they_agree(deaf, tidy, untidy)
            every_pull = "SELECT number, state, head_sha, base_ref, reverts_number FROM pull ORDER BY number"
            assert untidy.rows(every_pull) == tidy.rows(every_pull)


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(LISTED), min_size=4, max_size=14), st.randoms(use_true_random=False))
def test_without_any_delivery_the_books_and_the_words_end_the_same(
    sqlite_template: Path, ops: list[str], random: Random
) -> None:
    with copies(sqlite_template) as (first, second):
        play(first, second, ops, random)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_story_without_any_delivery_ends_the_same_on_both_kinds_of_database(
    database: Database, sqlite_template: Path, seed: int
) -> None:
    random = Random(seed)
    with copies(sqlite_template) as (first, _):
        play(first, database, [random.choice(LISTED) for _ in range(30)], random)

"""A journal that was altered, lost or added is found, and so is a statement that it does not book."""

from random import Random

import pytest

from app.store.database import Database
from app.store.journal_proofs import wrong_journals
from app.store.journals import journals_of
from app.store.statements import statements_of
from app.stories.post_journal import post, reverse
from app.stories.verify_books import verify
from app.world import World
from tests.core.statement_samples import OCTOBER, line, statement, usd
from tests.engine.play import world_of
from tests.stories.closed_months import ACCOUNT, NOW, close, install, issued, named

FIRST = "SELECT lines, sha256, kept_sha256 FROM journal WHERE number = 'J-2026-10-1'"


@pytest.fixture
def world(sqlite: Database) -> World:
    """Two statements were posted, reversed and posted again."""
    install(sqlite)
    close(sqlite, "2026-10")
    both = named(statement("api", [line(usd("412.17"))]), statement("web", [line(usd("5.00"))]))
    issued(sqlite, both, accepted=["api", "web"])
    made = world_of(sqlite, lambda: NOW)
    post(made, ACCOUNT, OCTOBER, "ada")
    reverse(made, ACCOUNT, "J-2026-10-1", "the wrong account", "ada")
    post(made, ACCOUNT, OCTOBER, "ada")
    return made


def faults(world: World) -> list[str]:
    with world.db.reading() as session:
        return wrong_journals(session, ACCOUNT, statements_of(session, ACCOUNT))


def altered(world: World, statement: str) -> list[str]:
    with world.db.transaction() as session:
        session.connection().exec_driver_sql(statement)
    return faults(world)


def test_journals_as_they_were_written_have_no_fault(world: World) -> None:
    assert faults(world) == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE journal SET total_cents = 1 WHERE number = 'J-2026-10-1'", "J-2026-10-1: total_cents is not"),
        ("UPDATE journal SET kind = 'accrual' WHERE number = 'J-2026-10-2'", "J-2026-10-2: kind is not"),
        ("UPDATE journal SET sha256 = 'x' WHERE number = 'J-2026-10-3'", "J-2026-10-3 is not what was written"),
        ("UPDATE journal SET number = 'J-2026-10-4' WHERE number = 'J-2026-10-3'", "J-2026-10-3: it is missing"),
        ("DELETE FROM journal WHERE number = 'J-2026-10-1'", "J-2026-10-2: there is no J-2026-10-1"),
        ("DELETE FROM journal WHERE number = 'J-2026-10-2'", "2026-10-001 v1: journal J-2026-10-1 books it"),
        ("DELETE FROM journal WHERE number = 'J-2026-10-3'", "2026-10-002 v1: it is posted by journal J-2026-10-3"),
        ("UPDATE statement SET journal = '' WHERE cost_center = 'web'", "2026-10-002 v1: it is posted by journal none"),
        ("UPDATE statement SET journal = '', state = 'accepted'", "journal J-2026-10-3 books it, but it is not posted"),
        ("UPDATE statement SET sha256 = 'x' WHERE cost_center = 'api'", "journal J-2026-10-3 books it, but it is not"),
        (
            f"UPDATE journal SET (lines, sha256, kept_sha256) = ({FIRST}) WHERE number = 'J-2026-10-2'",
            "J-2026-10-2: kind is not",
        ),
    ],
)
def test_what_was_altered_is_named(world: World, statement: str, told: str) -> None:
    assert any(told in fault for fault in altered(world, statement)), faults(world)


def test_verify_looks_at_journals_too(world: World) -> None:
    assert not any("J-2026" in fault for fault in verify(world, ACCOUNT).faults)
    altered(world, "DELETE FROM journal WHERE number = 'J-2026-10-3'")
    assert any("J-2026-10-3" in fault for fault in verify(world, ACCOUNT).faults)


@pytest.mark.parametrize("seed", range(5))
def test_a_flipped_byte_of_any_journal_is_found(world: World, seed: int) -> None:
    chance = Random(seed)
    with world.db.transaction() as session:
        row = chance.choice(journals_of(session, ACCOUNT))
        raw = bytearray(row.lines)
        raw[chance.randrange(len(raw))] ^= 0xFF
        row.lines = bytes(raw)
        session.add(row)
    assert any(f"journal {row.number} " in fault for fault in faults(world))

"""A small organisation with every case, twice: what the App finds out is what happened."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.store.database import Database
from tests.simulate.cases import CASES
from tests.simulate.known_gaps import KNOWN_GAPS
from tests.simulate.replay import Manner, Replay
from tests.simulate.score import Score, books, score, table
from tests.simulate.world import Size, World

EVERY_CASE = Size(repositories=4, cases=0, each=2, days=4)


@contextmanager
def fresh(template: Path, folder: Path) -> Iterator[Database]:
    shutil.copyfile(template, folder / "simulated.sqlite3")
    database = Database(f"sqlite:///{folder / 'simulated.sqlite3'}")
    yield database
    database.close()


def lived_through(size: Size, seed: int, database: Database, manner: Manner, only: str = "") -> Score:
    world = World(seed, size, only)
    told = Replay(world, database, manner).play()
    return score(world, database, told)


def test_what_is_found_out_is_what_happened_but_for_the_known_gaps(sqlite_template: Path, tmp_path: Path) -> None:
    with fresh(sqlite_template, tmp_path) as database:
        result = lived_through(EVERY_CASE, 1, database, Manner(seed=1))
    assert result.broken == []
    assert result.sums_held >= EVERY_CASE.repositories
    assert result.failing() == KNOWN_GAPS.keys(), table(result) + "\n" + "\n".join(map(str, result.mistakes))
    assert set(result.by_case) | set(result.reverts_by_case) == set(CASES)


def test_two_orders_give_the_same_books(sqlite_template: Path, tmp_path: Path) -> None:
    told = []
    for manner in (Manner(seed=1, in_order=True, doubled=0), Manner(seed=2, anywhere=True)):
        (tmp_path / str(manner.seed)).mkdir()
        with fresh(sqlite_template, tmp_path / str(manner.seed)) as database:
            lived_through(Size(repositories=1, cases=0, each=1, days=3), 5, database, manner)
            told.append(books(database))
    assert told[0] == told[1]

"""`python -m tests.simulate`: play a world, print the table by case and the figures."""

import argparse
import gc
import hashlib
import json
import math
import sys
import tempfile
import time
from pathlib import Path

from app.store.database import Database
from app.store.migrations import migrate
from tests.simulate.replay import Manner, Replay
from tests.simulate.score import Score, books, score, table
from tests.simulate.world import Size, World

SIZES = {
    "small": Size(repositories=4, cases=0, each=3),
    "some": Size(repositories=8, cases=330, each=4, days=12),
    "medium": Size(repositories=20, cases=1_500, each=6, days=30),
    "full": Size(repositories=200, cases=15_200, each=20, days=90),
}
PROGRESS_S = 10.0


def main() -> None:
    asked = arguments()
    gc.set_threshold(100_000, 20, 100)  # the world stays as it is: nothing in it is garbage
    size = SIZES["full" if asked.full else asked.size]
    manners = {
        "shuffled, doubled, some dropped": Manner(seed=1, dropped=asked.dropped),
        "anywhere, doubled, the same dropped": Manner(seed=2, anywhere=True, dropped=asked.dropped),
    }
    told: dict[str, dict[str, tuple[object, ...]]] = {}
    for name, manner in list(manners.items())[asked.first : asked.first + asked.orders]:
        result, told[name] = play(name, asked, size, manner)
        say(table(result))
        for mistake in result.mistakes[: asked.show]:
            say(f"  {mistake}")
        digest = hashlib.sha256(json.dumps(sorted(told[name].items())).encode()).hexdigest()
        say(f"books: {digest[:16]}")
        if asked.books:
            Path(asked.books).write_text(json.dumps(sorted(told[name].items())), encoding="utf-8")
    if len(told) > 1:
        first, second = told.values()
        differing = sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))
        say(f"\nthe two orders differ in {len(differing)} of {len(first)} agent runs")
        for key in differing[: asked.show]:
            say(f"  {key}: {first.get(key)} | {second.get(key)}")


def play(
    name: str, asked: argparse.Namespace, size: Size, manner: Manner
) -> tuple[Score, dict[str, tuple[object, ...]]]:
    """One world from the seed, one App, one order."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mm-simulate-") as folder:
        url = asked.database or f"sqlite:///{Path(folder) / 'mergemeter.sqlite3'}"
        migrate(url)
        database = Database(url)
        world = World(asked.seed, size, asked.only)
        replay = Replay(world, database, manner)
        told = replay.play(Progress(began, asked.minutes))
        result, found = score(world, database, told), books(database)
        database.close()
    took_s = time.monotonic() - began
    say(f"\n{name}: seed {asked.seed}, {size.repositories} repositories, {world.pulls} pulls, "
        f"{len(world.truth.agent_runs)} agent runs; {told.deliveries} deliveries ({told.doubles} of them twice, "
        f"{told.drops} dropped), {told.records} records, {told.requests} requests; {took_s:.0f} s\n")  # fmt: skip
    return result, found


class Progress:
    """A line now and then; and the end of new cases when the time is over."""

    def __init__(self, began: float, minutes: float) -> None:
        self.began = self.last = began
        self.closes_at = began + minutes * 60

    def __call__(self, replay: Replay) -> None:
        now = time.monotonic()
        if now > self.closes_at:
            self.closes_at = math.inf
            replay.world.close_doors()
        if now - self.last > PROGRESS_S:
            self.last = now
            told = replay.told
            say(f"{now - self.began:6.0f} s  {replay.app.now():%Y-%m-%d}  {replay.world.pulls} pulls, "
                f"{told.deliveries} deliveries, {told.records} records", to_error=True)  # fmt: skip


def say(words: str, *, to_error: bool = False) -> None:
    print(words, file=sys.stderr if to_error else sys.stdout, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulate", description=__doc__)
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--full", action="store_true", help="200 repositories, 20,000 pulls, 60,000 agent runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dropped", type=float, default=0.05, help="which part of the deliveries never comes")
    parser.add_argument("--orders", type=int, default=2, choices=[1, 2])
    parser.add_argument("--first", type=int, default=0, choices=[0, 1], help="which order comes first")
    parser.add_argument("--books", default="", help="a file for what the books say in the end")
    parser.add_argument("--only", default="", help="cases with these words in their name")
    parser.add_argument("--show", type=int, default=20, help="so many mistakes, one by one")
    parser.add_argument("--minutes", type=float, default=math.inf, help="no case begins after these")
    parser.add_argument("--database", default="", help="an empty database; SQLite in a temporary folder otherwise")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""`python -m app …` with another lease: `python -m tests.chaos.replica LEASE_S serve …`. All else is as it ships."""

import sys
from datetime import timedelta
from unittest.mock import patch

from app import __main__ as door
from app import timetable
from app.commands import opening
from app.worker import Worker
from app.world import World


def main(lease_s: str, *arguments: str) -> int:
    def impatient(world: World) -> Worker:
        lease = timedelta(seconds=float(lease_s))
        return Worker(world, timetable.stories(), timetable.entries(world.settings), lease=lease)

    with patch.object(opening, "worker", impatient):
        return door.main(arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

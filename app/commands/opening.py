"""What a command works on, opened and closed again: the database, the world, and the worker of this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.core.pricing import PriceList
from app.settings import Settings
from app.store.database import Database
from app.world import World

if TYPE_CHECKING:
    from app.worker import Worker


@contextmanager
def opened(settings: Settings, with_github: bool = True) -> Iterator[World]:
    """The world of this process. Without GitHub: it only takes things in or writes them down, and loads no client."""
    with database(settings) as held:
        github: Any = None
        if with_github:
            from app.github.app import GitHubApp  # noqa: PLC0415 - see above

            github = GitHubApp(settings.app_id, settings.private_key, settings.github_api_url)
        yield World(settings, held, github, PriceList.load(), now)
        if github is not None:
            github.close()


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    held = Database(settings.database_url, pool_size=settings.workers + 6)
    yield held
    held.close()


def worker(world: World) -> "Worker":
    """The one loop, with every story. Loaded here and not above: most commands work nothing off."""
    from app import timetable  # noqa: PLC0415
    from app.worker import Worker  # noqa: PLC0415

    return Worker(world, timetable.stories(), timetable.entries(world.settings))


def discover(world: World) -> None:
    """Whoever installed the App while nothing listened here is found now."""
    from app.store.queue import NewJob, enqueue  # noqa: PLC0415

    with world.db.transaction() as session:
        enqueue(session, NewJob(0, "0/discover", "discover", "discover", {}, world.now()), world.now())


def now() -> datetime:
    return datetime.now(UTC)

"""What a story may use of the world: handed to it, never looked up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from app.settings import Settings
from app.store.database import Database

if TYPE_CHECKING:
    from app.core.pricing import PriceList
    from app.github.app import GitHubApp


@dataclass(frozen=True)
class World:
    """`now` returns the present as an aware UTC datetime."""

    settings: Settings
    db: Database
    github: "GitHubApp"
    prices: "PriceList"
    now: Callable[[], datetime]

"""What a story may use of the world: handed to it, never looked up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from app.settings import Settings
from app.store.accounts import installation_of
from app.store.buckets import Allowance
from app.store.database import Database
from app.store.lanes import Hold

if TYPE_CHECKING:
    from app.core.pricing import PriceList
    from app.github.app import GitHubApp
    from app.github.client import GitHubClient
    from app.github.limits import Limits


@dataclass(frozen=True)
class World:
    """`now` returns the present as an aware UTC datetime. `hold` is the lane that the worker has, if one works."""

    settings: Settings
    db: Database
    github: "GitHubApp"
    prices: "PriceList"
    now: Callable[[], datetime]
    hold: Hold | None = None

    def client(self, account_id: int, limits: "Limits | None" = None) -> "GitHubClient | None":
        """GitHub as the App sees it on one account, within its limits; None where it is not installed and active."""
        with self.db.reading() as session:
            installation = installation_of(session, account_id)
        if installation is None or installation.state != "active":
            return None
        return self.github.on(installation.installation_id, limits or self.allowance(account_id))

    def allowance(self, account_id: int) -> Allowance:
        """The account's limits, for a client made by hand."""
        spacing = self.settings.write_spacing_s, self.settings.create_spacing_s
        return Allowance(self.db, account_id, *spacing, self.now, self.hold)

"""Which values of the organisation's property its repositories have: read every night, and whenever one changed.

The event is a hint: values are read from GitHub as they are, so events that come late or twice change nothing. Without
the permission, or on a person's own account, there is no such history, and signed tokens and the configuration count.
"""

import json
import logging
from typing import TYPE_CHECKING

from app.core.events import PropertyEvent
from app.core.outcomes import Refused
from app.store.accounts import installation_of, repositories_of
from app.store.configs import config_in_force
from app.store.properties import properties_job, save_reading, save_values
from app.store.queue import Job, enqueue
from app.world import World

if TYPE_CHECKING:
    from app.github.client import GitHubClient

PERMISSION = "organization_custom_properties"
READ, MISSING, REFUSED = "read", "missing", "refused"
log = logging.getLogger(__name__)


def on_properties(event: PropertyEvent, world: World) -> None:
    """`custom_property_values`: somebody edited a repository's properties."""
    with world.db.transaction() as session:
        enqueue(session, properties_job(event.account_id, world.now()), world.now())


def read_properties(job: Job, world: World) -> None:
    """Read the values of an account's repositories, and who may edit them."""
    with world.db.reading() as session:
        name = config_in_force(session, job.account_id).chargeback.property_name
        installation = installation_of(session, job.account_id)
        ours = {each.repository_id for each in repositories_of(session, job.account_id) if each.state == "installed"}
    github = world.client(job.account_id)
    if not name or github is None or installation is None or installation.account_type != "Organization":
        return
    began, state, editors, values = world.now(), REFUSED, "", dict[int, str]()
    if PERMISSION in json.loads(installation.permissions):
        state, editors, values = _asked(github, installation.account_login, name)
    if state == MISSING:
        values = dict.fromkeys(ours, "")
    with world.db.transaction() as session:
        kept = {each: value for each, value in values.items() if each in ours}
        save_values(session, job.account_id, name, kept, began, world.now())
        save_reading(session, job.account_id, name, state, editors, world.now())


def _asked(github: "GitHubClient", organisation: str, name: str) -> tuple[str, str, dict[int, str]]:
    """What became of the reading, who may edit values, and the values."""
    try:
        editors = github.read_property_editors(organisation, name)
        if editors is None:
            return MISSING, "", {}
        return READ, editors, github.read_property_values(organisation, name)
    except Refused as no:
        log.warning("the property %s of %s cannot be read: %s", name, organisation, no)
        return REFUSED, "", {}

"""The configuration of each account: the text as last read, and the last good one, which stays in force."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from app.core.config import Config, in_force
from app.store.keys import us
from app.store.rollups import mark_all
from app.store.tables import ConfigVersion


def config_of(session: Session, account_id: int) -> ConfigVersion:
    """What is kept for an account; the defaults (no text) when nothing was read yet."""
    return session.get(ConfigVersion, account_id) or ConfigVersion(account_id=account_id, read_at_us=0)


def config_in_force(session: Session, account_id: int) -> Config:
    """The configuration that an account's last good text gives."""
    version = config_of(session, account_id)
    return in_force(version.good_text, version.public)


def problems_of(version: ConfigVersion) -> tuple[str, ...]:
    return tuple(json.loads(version.problems))


def save_config(session: Session, version: ConfigVersion, text: str, problems: Sequence[str], now: datetime) -> None:
    """Keep what was read. A text with problems leaves the last good one in force."""
    version.read_text = text
    version.problems = json.dumps(list(problems))
    version.read_at_us = us(now)
    if not problems:
        if version.good_text != text:
            mark_all(session, version.account_id)
        version.good_text = text
    session.merge(version)
    session.flush()

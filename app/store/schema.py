"""How far a database's schema is, next to how far this code is. Only looks: `migrations.migrate` changes it."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.store import migrations
from app.store.database import Database


def revisions(url: str) -> tuple[str | None, str | None]:
    """The database's schema revision (None: never migrated) and the newest one. Raises SQLAlchemyError."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    newest = ScriptDirectory.from_config(config).get_current_head()
    database = Database(url)
    try:
        with database.reading() as session:
            return MigrationContext.configure(session.connection()).get_current_revision(), newest
    finally:
        database.close()

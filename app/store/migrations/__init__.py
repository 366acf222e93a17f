"""The schema's history. Forward only; a migration never imports the tables, which have moved on since."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from app.store.database import Database

# Any number that nothing else in the database uses: replicas that start together migrate one after the other.
LOCK = 7_305_107_462


def migrate(url: str) -> None:
    """Bring the database at `url` to the newest schema, in one transaction; a newer one raises CommandError."""
    database = Database(url)
    try:
        with database.transaction() as session:
            connection = session.connection()
            if not database.sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(Path(__file__).parent))
            command.upgrade(config, "head")
    finally:
        database.close()

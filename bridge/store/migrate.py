"""Apply the migrations, through Alembic, on the engine at hand."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

FOLDER = Path(__file__).with_name("migrations")
# Two machines that deploy at once take turns; the number means nothing but this.
_LOCK = 7_263_114


def migrate(engine: Engine) -> None:
    """Bring the database to the newest revision; a second caller waits, then finds it done."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            # A table may be large; what a migration does to it takes as long as it takes.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

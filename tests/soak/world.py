"""What every step of a soak has at hand: a folder, PostgreSQL, its time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.fleet import Fleet, migrated, variables
from tests.postgres import Postgres
from tests.soak.figures import Figure


@dataclass
class World:
    """One step's surroundings.

    folder: its own. seconds: how long it is to put the bridge under load. say: tells what is
    going on just now. after: what is to be ended or removed when the step is over.
    """

    folder: Path
    postgres: Postgres
    seconds: float
    say: Callable[[str], None]
    after: ExitStack = field(default_factory=ExitStack)

    def database(self, kind: str) -> str:
        """Make an empty database of this release, on `sqlite` or `postgresql`; gives its URL."""
        if kind == "sqlite":
            return migrated(f"sqlite:///{self.folder / 'bridge.db'}")
        url = self.postgres.create()
        self.after.callback(self.postgres.drop, url)
        return self.migrated(url)

    def migrated(self, url: str) -> str:
        """Bring a PostgreSQL database to this release; gives its URL as the store takes it."""
        return migrated(url.replace("postgresql://", "postgresql+psycopg://"))

    def fleet(self, database_url: str, heap_url: str, **environ: str) -> Fleet:
        """Make a bridge's processes, none of them started yet; they end with the step."""
        fleet = Fleet(self.folder, variables(database_url, heap_url, **environ))
        self.after.callback(fleet.stop)
        return fleet


@dataclass(frozen=True)
class Step:
    """One part of a soak, by its name.

    share: of the soak's time. least: seconds below which it says nothing.
    """

    name: str
    run: Callable[[World], Iterator[Figure]]
    share: float
    least: float

"""Three machines killed in turn under 200 webhooks a second (G1, G4, G5): nothing may be lost."""

from collections.abc import Iterator

from tests.faults.killed import trial
from tests.soak.figures import Figure, none_of
from tests.soak.world import Step, World

RATE = 200.0
# Less than the load needs, so that the pace is what holds.
PER_MINUTE = 30_000


def run(world: World) -> Iterator[Figure]:
    """Two web and three worker processes, PostgreSQL behind PgBouncer, for the step's time."""
    found = trial(
        world.postgres,
        world.folder,
        seconds=world.seconds,
        rate=RATE,
        per_minute=PER_MINUTE,
        say=world.say,
    )
    what = f"{found.orders} orders, {found.kills} kills on three machines"
    yield none_of("G1", f"missing, {what}", found.missing)
    yield none_of("G6", f"doubled or never ordered, {what}", found.surplus + found.conflicts)
    yield none_of("G5", f"requests beyond the pace of {PER_MINUTE}/min, {what}", found.too_fast)
    yield Figure(guarantee="G4", what=f"drained, {what}", value=found.drained, unit="s")


STEPS = (Step("machines", run, share=2, least=20),)

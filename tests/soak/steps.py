"""The steps of a soak, in their order; each room adds its own here."""

from tests.soak import claims, clocks, database, machines, mutants, outage, steady, web
from tests.soak.world import Step

STEPS: tuple[Step, ...] = (
    *steady.STEPS,
    *machines.STEPS,
    *claims.STEPS,
    *outage.STEPS,
    *web.STEPS,
    *database.STEPS,
    *clocks.STEPS,
    *mutants.STEPS,
)

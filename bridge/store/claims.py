"""How often something is tried that may be what ends the worker.

A try counts when its claim commits, so that it counts though the worker dies of it; once something
has come of it, none counts any more. What was tried before is claimed alone, so that what it does
to a worker befalls no other.
"""

# After so many tries it is parked.
MAX_CLAIMS = 5
GIVEN_UP = (
    f"fault in the bridge, tried {MAX_CLAIMS} times: the worker or its database ended each time"
)

"""How long tests wait on a busy machine. No limit here is a finding; each only bounds a failure."""

from collections.abc import Mapping
from typing import Any

SECONDS = 180.0


def patience(fault: Mapping[str, Any]) -> tuple[float, float]:
    """Return a client's limits: short only if the fault is an answer that does not come."""
    return SECONDS, 1.0 if "after" in fault else SECONDS

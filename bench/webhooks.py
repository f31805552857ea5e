"""Signed webhooks of realistic size, each of an order of its own."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from adapters.contract import SignedRequest, WebhookEvent
from adapters.registry import adapters
from bridge.tools.samples import fixtures

SECRETS = {"stripe": "whsec_bench", "shopify": "shpss_bench"}
VARIABLES = {f"{name.upper()}_WEBHOOK_SECRET": secret for name, secret in SECRETS.items()}
_DIGITS = 10


@dataclass(frozen=True)
class Kind:
    """One sample, of which any number can be made.

    ids: what names the order in it; their last ten characters become the order's number.
    """

    provider: str
    sample: str
    position: int
    ids: tuple[str, ...]

    @cached_property
    def _sample(self) -> WebhookEvent:
        found = {sample.name: sample for sample in fixtures(adapters()[self.provider])}
        return found[self.sample].events[self.position]

    @cached_property
    def _between(self) -> list[bytes]:
        ids = "|".join(f"(?<={one[:-_DIGITS]}){one[-_DIGITS:]}" for one in self.ids)
        return re.split(ids.encode(), self._sample.body)

    def event(self, number: int) -> WebhookEvent:
        """Make one, not signed yet."""
        body = (b"%0*d" % (_DIGITS, number)).join(self._between)
        return replace(self._sample, body=body)

    def request(self, number: int) -> SignedRequest:
        """Make one, signed now."""
        event = replace(self.event(number), signed_at=datetime.now(UTC))
        return adapters()[self.provider].sign(event, SECRETS[self.provider])


# 3.7 kB: one session is a whole order.
STRIPE = Kind(
    "stripe",
    "one-off-checkout",
    2,
    (
        "evt_3SamplepX9Dak9hABsWPxRb",
        "cs_test_a13Sample4gQ9rHgQzSMeZpF8b23SamplekUQgL2M6ag7WHB8y",
        "pi_3Sampleeu5AXVoevLshRqVW",
    ),
)
# 10 kB, three lines.
SHOPIFY = Kind("shopify", "several-line-items", 0, ("6900000000001",))

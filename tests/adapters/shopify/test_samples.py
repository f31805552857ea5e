"""The golden pairs: how many there are, and that each says where what it shows is known from."""

import re

from adapters.shopify import SHOPIFY
from bridge.tools.samples import fixtures

# What Shopify publishes, or what real bodies were seen to hold.
_SOURCES = re.compile(
    r"\b(references?|samples?|pages?|changelog|release notes)\b|\b[Rr]eal (draft )?orders?\b"
)


def test_there_are_enough_and_each_names_its_source() -> None:
    told = {sample.name: sample.source for sample in fixtures(SHOPIFY)}

    assert len(told) >= 40
    assert [name for name, source in told.items() if not _SOURCES.search(source)] == []


def test_none_destroys_more_than_its_own_customer() -> None:
    # `send-sample` may be tried on a bridge that holds a shop's orders.
    topics = {event.topic for sample in fixtures(SHOPIFY) for event in sample.events}

    assert "shop/redact" not in topics

"""A webhook version that Shopify moved on by itself is noticed and told."""

import json

import pytest

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.tools.samples import SHOP
from bridge.worker.alerts import conditions
from tests.flow.conftest import SECRETS


@pytest.mark.parametrize(("version", "told"), [("2026-10", []), ("2026-01", ["version:shopify"])])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_version_that_is_not_the_one_set_is_told(rig, version, told):
    body = json.dumps({"id": 1}).encode()
    event = WebhookEvent("", "products/delete", body, SHOP)
    request = adapters()["shopify"].sign(event, SECRETS["shopify"])
    headers = {**request.headers, "x-shopify-api-version": version}
    assert rig.client.post("/webhooks/shopify", data=body, headers=headers).status_code == 200
    found = list(conditions(rig.store, rig.config, rig.clock.now))
    assert [one.name for one in found] == told
    assert all(version in one.message for one in found)

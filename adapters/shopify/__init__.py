"""Shopify: webhooks of one store, made in its admin or by an app."""

from importlib.resources import files

from adapters.contract import Adapter
from adapters.shopify.normalize import ids, normalize
from adapters.shopify.settings import ShopifySettings
from adapters.shopify.webhook import SIGNATURE_HEADERS, sign, verify

SHOPIFY = Adapter(
    name="shopify",
    title="Shopify",
    topics=("orders/create", "orders/paid", "orders/updated"),
    signature_headers=SIGNATURE_HEADERS,
    verify=verify,
    sign=sign,
    ids=ids,
    normalize=normalize,
    settings=ShopifySettings,
    one_account=True,
    samples=files("adapters.shopify") / "samples",
    page="Settings > Notifications > Webhooks > Create webhook",
)

__all__ = ["SHOPIFY"]

"""Shopify: webhooks of one store, made in its admin or by an app."""

from datetime import timedelta
from importlib.resources import files

from adapters.contract import Adapter
from adapters.lookups import Api
from adapters.shopify.conventions import CONVENTIONS
from adapters.shopify.normalize import normalize
from adapters.shopify.settings import ShopifySettings
from adapters.shopify.snapshot import ids, trimmed
from adapters.shopify.standalone import standalone
from adapters.shopify.webhook import SIGNATURE_HEADERS, notice, sign, verify


def _connect(settings: ShopifySettings) -> Api | None:
    """Make the API of this source, where it has a key."""
    if not settings.is_keyed:
        return None
    # The web process never looks anything up and must not pay for ShopifyAPI and requests.
    from adapters.shopify.api import connect  # noqa: PLC0415 - see above

    return connect(settings)


SHOPIFY = Adapter(
    name="shopify",
    title="Shopify",
    topics=(
        *("orders/create", "orders/paid", "orders/updated", "orders/edited"),
        *("orders/cancelled", "orders/delete", "refunds/create", "order_transactions/create"),
        *("disputes/create", "disputes/update"),
        *("products/update", "customers/purchasing_summary", "app/uninstalled"),
        *("customers/data_request", "customers/redact", "shop/redact"),
    ),
    signature_headers=SIGNATURE_HEADERS,
    verify=verify,
    sign=sign,
    ids=ids,
    normalize=normalize,
    alone=standalone,
    notice=notice,
    remark=trimmed,
    settings=ShopifySettings,
    connect=_connect,
    # products/update tells of changes; the rest is for a webhook that was missed. An answer about
    # money is that of one state, and a dispute's order stays the same.
    lasting={"product": timedelta(hours=6), "money": None, "dispute": None},
    one_account=True,
    samples=files("adapters.shopify") / "samples",
    page=(
        "Settings > Notifications > Webhooks > Create webhook; topics that are not offered there, "
        "in an app's shopify.app.toml"
    ),
    conventions=CONVENTIONS,
)

__all__ = ["SHOPIFY"]

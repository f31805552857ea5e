"""Stripe: charges, payment intents, Checkout Sessions and invoices become one order each."""

from datetime import timedelta
from importlib.resources import files

from adapters.contract import Adapter
from adapters.lookups import Api
from adapters.stripe.conventions import CONVENTIONS
from adapters.stripe.normalize import normalize
from adapters.stripe.settings import StripeSettings
from adapters.stripe.snapshot import ids
from adapters.stripe.webhook import DECIDING, HEADER, RETURNING, sign, verify


def _connect(settings: StripeSettings) -> Api | None:
    """Make the API of this source, where it has a key."""
    if settings.api_key is None:
        return None
    # The web process never looks anything up and must not pay for the SDK: 20 MB, 250 ms.
    from adapters.stripe.api import connect  # noqa: PLC0415 - see above

    return connect(settings.api_key.get_secret_value(), settings.api_url)


STRIPE = Adapter(
    name="stripe",
    title="Stripe",
    topics=(*DECIDING, *RETURNING),
    signature_headers=(HEADER,),
    verify=verify,
    sign=sign,
    ids=ids,
    normalize=normalize,
    settings=StripeSettings,
    connect=_connect,
    # What a shop may change is asked again after a time; the others stay as they are.
    lasting={
        **dict.fromkeys(("product", "customer"), timedelta(hours=6)),
        **dict.fromkeys(("promotion_code", "event"), None),
    },
    # The signed body itself names the connected account.
    one_account=False,
    samples=files("adapters.stripe") / "samples",
    page="Workbench, Webhooks, Create an event destination, payload style Snapshot",
    conventions=CONVENTIONS,
)

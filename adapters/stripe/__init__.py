"""Stripe: charges, payment intents, Checkout Sessions and invoices become one order each."""

from importlib.resources import files

from adapters.contract import Adapter
from adapters.stripe.normalize import normalize
from adapters.stripe.settings import StripeSettings
from adapters.stripe.sighting import DECIDING, RETURNING, ids
from adapters.stripe.webhook import HEADER, sign, verify

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
    # The signed body itself names the connected account.
    one_account=False,
    samples=files("adapters.stripe") / "samples",
    page="Workbench, Webhooks, Create an event destination, payload style Snapshot",
)

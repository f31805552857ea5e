"""How Stripe's credentials begin. Source: Stripe's own documents, November 2026."""

from adapters.conventions import Credential

CREDENTIALS = (
    Credential("whsec_", "a Stripe webhook secret", signs_webhooks=True),
    Credential("sk_", "a Stripe secret key"),
    Credential("rk_", "a Stripe restricted key"),
    Credential("pk_", "a Stripe publishable key"),
    Credential("we_", "the id of a webhook endpoint"),
    Credential("acct_", "the id of a Stripe account"),
)
# With these its API can be read.
API_KEYS = ("sk_", "rk_")

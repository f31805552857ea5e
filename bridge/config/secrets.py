"""Read webhook secrets, and see the commonest mistakes in them without showing any."""

from typing import Any

from pydantic import SecretStr

from bridge.config.faults import Unfit

# How the other credentials of each provider begin, and what they are.
# Seen in the providers' own documents, November 2026.
_MISTAKEN = {
    "stripe": {
        "sk_": "a Stripe secret key",
        "rk_": "a Stripe restricted key",
        "pk_": "a Stripe publishable key",
        "we_": "the id of a webhook endpoint",
        "shpss_": "a Shopify client secret",
    },
    "shopify": {
        "whsec_": "a Stripe webhook secret",
        "shpat_": "a Shopify access token",
        "shpca_": "a Shopify access token",
    },
}


def secrets(value: Any, provider: str) -> tuple[SecretStr, ...]:
    """Read one or more secrets, separated by commas. Raises Unfit, never with the value."""
    entries = [entry.strip() for entry in str(value).split(",")]
    for entry in entries:
        _look_at(entry, provider)
    return tuple(SecretStr(entry) for entry in entries)


def _look_at(entry: str, provider: str) -> None:
    if not entry:
        raise Unfit("an entry between commas is empty; write secret,secret", secret=True)
    if entry[0] in "\"'" or entry[-1] in "\"'":
        raise Unfit("a secret stands in quotation marks; write it without them", secret=True)
    if not (entry.isascii() and entry.isprintable()) or " " in entry:
        raise Unfit(
            "a secret holds a space or another character that no secret has; copy it again, "
            "several are separated by commas",
            secret=True,
        )
    for beginning, kind in _MISTAKEN.get(provider, {}).items():
        if entry.startswith(beginning):
            raise Unfit(
                f"this is {kind} ({beginning}…), not the secret that signs {provider}'s webhooks",
                secret=True,
            )

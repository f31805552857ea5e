"""What an operator decides about a Stripe source."""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import BaseModel, Field, SecretStr, field_validator

from adapters.stripe.credentials import API_KEYS, CREDENTIALS

# What a line may be described by beside its provider's own fields; names as in schema.LineItem.
_FACTS = frozenset("sku category brand type variant product_id".split())
# How what lies beside the keys in Stripe's dashboard begins; with none of it can be read.
_OTHERS = tuple(one.prefix for one in CREDENTIALS if one.prefix not in API_KEYS)


class StripeSettings(BaseModel, frozen=True, extra="forbid"):
    """The operator's choices; each is the variable STRIPE_<NAME> and a key in bridge.toml."""

    settle_seconds: int = Field(
        default=60,
        ge=0,
        le=259_200,  # an event is sent again for three days at most
        description=(
            "how many seconds a bare charge or payment intent, or an invoice without its link, "
            "waits for its siblings; a paid session of mode payment waits for nothing"
        ),
    )
    order_id_metadata: str = Field(
        default="order_id",
        min_length=1,
        description="the metadata key that holds the shop's own order id",
    )
    renewals: bool = Field(
        default=True, description="whether subscription renewals count as orders (on, off)"
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="a restricted key (rk_…) that may read what orders are made of; no spaces",
    )
    api_url: str | None = Field(
        default=None, description="scheme and host of Stripe's API; for tests"
    )
    metadata_map: str = Field(
        default="sku=sku,category=category,brand=brand,type=type,variant=variant,product_id=product_id",
        description=(
            "pairs field=metadata key, separated by commas, of the fields "
            "sku, category, brand, type, variant and product_id"
        ),
    )
    lookup_seconds: int = Field(
        default=900,
        ge=0,
        le=259_200,
        description=(
            "how many seconds an order waits for facts that only describe; "
            "BRIDGE_LOOKUP_SECONDS sets it"
        ),
    )

    @field_validator("api_key")
    @classmethod
    def _may_read(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value() if key else "-"
        if not (text.isascii() and text.isprintable()) or not text or " " in text:
            raise ValueError("not a key")
        if text.startswith(_OTHERS):
            raise ValueError("another credential of Stripe's")
        return key

    @field_validator("metadata_map")
    @classmethod
    def _is_a_map(cls, text: str) -> str:
        _pairs(text)
        return text

    @property
    def settle_time(self) -> timedelta:
        """How long an order waits for its siblings."""
        return timedelta(seconds=self.settle_seconds)

    @property
    def metadata_keys(self) -> Mapping[str, str]:
        """Field of a line -> the metadata key that holds it."""
        return _pairs(self.metadata_map)


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        field, sign, key = (part.strip() for part in pair.partition("="))
        if not sign or not key or field not in _FACTS or field in found:
            raise ValueError("not pairs of field=metadata key")
        found[field] = key
    return found

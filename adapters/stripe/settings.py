"""What an operator decides about a Stripe source."""

from pydantic import BaseModel, Field


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

"""What the operator decides about a Shopify store."""

from typing import Literal

from pydantic import BaseModel, Field


class ShopifySettings(BaseModel, frozen=True, extra="forbid"):
    """The operator's choices for one store; each is a variable SHOPIFY_<NAME>."""

    order_on: Literal["paid", "created"] = Field(
        default="paid",
        description=(
            "When an order counts. paid: the first webhook that says its money has come in; "
            "created: the first webhook of it, paid or not, unless voided or expired."
        ),
    )

"""What the operator decides about a Shopify store."""

import re
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

# As ShopifyAPI's own shop_url takes it, and nothing beside it.
_SHOP = re.compile(r"[a-z0-9][a-z0-9-]*[a-z0-9]\.myshopify\.com")
# One is released each quarter: shopify.dev on API versioning, read November 2026.
_VERSION = re.compile(r"[0-9]{4}-(01|04|07|10)")


class ShopifySettings(BaseModel, frozen=True, extra="forbid"):
    """The operator's choices for one store; each is a variable SHOPIFY_<NAME>."""

    order_on: Literal["paid", "created"] = Field(
        default="paid",
        description=(
            "When an order counts. paid: the first webhook that says its money has come in; "
            "created: the first webhook of it, paid or not, unless voided or expired."
        ),
    )
    settle_seconds: int = Field(
        default=10,
        ge=0,
        le=3600,
        description="how many seconds an order must be quiet before an edit of it is told",
    )
    shop: str | None = Field(
        default=None,
        description=(
            "the shop's own domain such as example.myshopify.com, without https:// or path"
        ),
    )
    access_token: SecretStr | None = Field(
        default=None,
        description="a token of the Admin API, as an app of the shop's admin has it; no spaces",
    )
    client_id: SecretStr | None = Field(
        default=None, description="the client id of an app of the Dev Dashboard; no spaces"
    )
    client_secret: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="the client secret of an app of the Dev Dashboard; no spaces",
    )
    api_version: str = Field(
        default="2026-10",
        description="a version of the Admin API, a year and its month 01, 04, 07 or 10",
    )
    api_url: str | None = Field(
        default=None, description="scheme and host of the Admin API; for tests"
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

    @property
    def is_keyed(self) -> bool:
        """Whether the Admin API can be asked."""
        return self.access_token is not None or self.client_secret is not None

    @field_validator("shop")
    @classmethod
    def _is_a_shop(cls, domain: str | None) -> str | None:
        if domain is not None and not _SHOP.fullmatch(domain.lower()):
            raise ValueError("not a shop's own domain")
        return domain.lower() if domain else None

    @field_validator("api_version")
    @classmethod
    def _is_a_version(cls, version: str) -> str:
        if not _VERSION.fullmatch(version):
            raise ValueError("not a version")
        return version

    @field_validator("access_token", "client_id", "client_secret")
    @classmethod
    def _fits_a_header(cls, secret: SecretStr | None) -> SecretStr | None:
        text = secret.get_secret_value() if secret else "-"
        if not (text.isascii() and text.isprintable()) or not text or " " in text:
            raise ValueError("not a token")
        return secret

    @field_validator("access_token")
    @classmethod
    def _token_has_a_shop(cls, token: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        # A shop that is unfit is not among the data; it is reported by itself.
        if token and info.data.get("shop", "") is None:
            raise PydanticCustomError("together", "needs {shop} beside it")
        return token

    @field_validator("client_secret")
    @classmethod
    def _credentials_are_whole(
        cls, secret: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        client, token = info.data.get("client_id", ""), info.data.get("access_token")
        if secret and client is None:
            raise PydanticCustomError("together", "needs {client_id} beside it")
        if client and not secret:
            raise PydanticCustomError("together", "not set, and {client_id} is; it needs both")
        if secret and token:
            raise PydanticCustomError("together", "set beside {access_token}; keep one of the two")
        if secret and info.data.get("shop", "") is None:
            raise PydanticCustomError("together", "needs {shop} beside it")
        return secret

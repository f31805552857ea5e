"""The browser's side: snippets of plain JavaScript for the merchant's own pages.

They are printed to be pasted; the bridge serves no script to shoppers. A snippet is its parts, one
behind the other, in a scope of its own. Comments and indentation stay here: every shopper loads
what is printed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
_COMMENT = re.compile(r"^\s*//.*\n|^\s*\n", re.MULTILINE)
_INDENT = re.compile(r"^ +", re.MULTILINE)
_GAP = re.compile(r"@(\w+)@")


@dataclass(frozen=True, slots=True)
class Snippet:
    """One snippet: its name, what it is for in a line, and the files it is made of."""

    name: str
    about: str
    parts: tuple[str, ...]

    def written(self, told: Mapping[str, str]) -> str:
        """Write it as it is pasted. told: what stands for each `@name@` of its files."""
        text = "".join((FOLDER / f"{part}.js").read_text("utf-8") for part in self.parts)
        bare = _INDENT.sub("", _COMMENT.sub("", text))
        filled = _GAP.sub(lambda gap: told[gap[1]], bare)
        return f"// Heap bridge: {self.name}\n(() => {{\n{filled}}})();\n"


def snippets(*, hashed: bool = False) -> dict[str, Snippet]:
    """Return every snippet by its name. hashed: identities are hashes of emails."""
    identity = "identity-hash" if hashed else "identity-email"
    every = (
        Snippet(
            "shopify-theme",
            "Heap's user, session and campaign into the cart, for a Shopify theme",
            ("stored", "page", "shopify-theme"),
        ),
        Snippet(
            "shopify-pixel",
            "checkout_completed told in the browser, for a Shopify custom pixel",
            (identity, "shopify-pixel"),
        ),
        Snippet(
            "stripe",
            "the same into metadata and Payment Links, for a site that sells through Stripe",
            ("stored", "page", "stripe"),
        ),
        Snippet(
            "purchases",
            "Order and Purchase told in the browser, once each, for a page of thanks",
            ("stored", "page", "purchases"),
        ),
    )
    return {one.name: one for one in every}

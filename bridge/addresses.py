"""E-mail addresses inside other texts: for merchants who may not send any, and for what is shown.

Shops write them where nobody looks for them: into a charge's description, a landing page's query,
a note. In an address of a page they are percent-encoded, at times twice.
"""

import re

_MARK = "[email]"
# The last two are the wide and the small sign of other keyboards.
_AT = r"(?:[@\uff20\ufe6b]|%(?:25)*40)"
_LOCAL = r"(?:[\w.+'-]|%(?!(?:25)*40)[0-9A-Fa-f]{2})+"
# It begins where nothing of it stands before, so that a long text is gone through once.
_ADDRESS = re.compile(rf"(?<![\w.+'%-]){_LOCAL}{_AT}[\w-]+(?:\.[\w-]+)*")
_SEPARATOR = re.compile(_AT)


def is_address(text: str) -> bool:
    """Whether a text looks like an e-mail address, or holds one."""
    return _SEPARATOR.search(text) is not None


def without_addresses(text: str) -> str:
    """Put a mark in the place of each address."""
    return _ADDRESS.sub(_MARK, text) if is_address(text) else text

"""How often Python looks for garbage that holds itself alive."""

import gc

# Three levels; a search of the last looks at everything.
_SELDOM = (50_000, 20, 100)


def search_seldom() -> None:
    """Look through what is alive seldom, and never through what was there at the start.

    What a webhook is read into holds no cycles and goes without a search. At Python's own
    thresholds each webhook sets one off, and reading its JSON takes half as long again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SELDOM)

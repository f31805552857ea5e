"""How long to wait before the next attempt."""

LONGEST = 900.0
_LONGEST_RETRY_AFTER = 3600.0
_AFTER_THROTTLE = 60.0


def backoff(
    attempt: int,
    jitter: float,
    *,
    throttled: bool = False,
    retry_after: float | None = None,
    longest: float = LONGEST,
) -> float:
    """Return the seconds to wait after a failed attempt.

    attempt: 1 for the first failure in a row. jitter: at random from [0, 1).
    From 1 s on, doubling up to the longest, spread over all of that. After a 429 from 60 s on,
    because Heap counts by the minute. Never sooner than Heap asks, but at most an hour for that.
    """
    least = _AFTER_THROTTLE if throttled else 1.0
    # Ten doublings of a second are beyond the cap; more would only overflow.
    most = min(least * 2.0 ** min(attempt - 1, 10), longest)
    asked = min(retry_after or 0.0, _LONGEST_RETRY_AFTER)
    return max(least + jitter * (most - least), asked)

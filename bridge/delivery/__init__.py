"""From the outbox to Heap: lease, send, bisect, retry; rate limits and Heap's answers."""

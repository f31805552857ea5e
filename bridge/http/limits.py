"""How much time and memory clients may take from a web process."""

# From the first byte of a request to its last, and for sending the answer. Shopify waits five
# seconds and Stripe not much longer, so a client that needs more has given up or is neither.
SECONDS = 10.0
# After its last answer, a closing connection may take this long and send this much that nobody
# reads; closed at once, it could lose the answer.
CLOSING_SECONDS = 2.0
CLOSING_BYTES = 1_000_000
# All headers of a request; providers send some 2 kB and proxies add a little.
HEAD_BYTES = 32 * 1024
# Bytes received for requests not yet answered, in one process. If there is no room, a client is
# answered 503 and comes again. Long requests may take half of it.
ROOM_BYTES = 64 * 1024 * 1024
# A longer body is verified in a thread, not between two other requests.
SMALL_BYTES = 256 * 1024
# The body of a request that is no webhook.
FORM_BYTES = 100_000
# Connections of one process. If one more opens, the one idle for longest is closed.
CONNECTIONS = 1000

"""How much of one client's time and memory, and of the process's, a request may take."""

# From a request's first byte to its last, and for the answer. Shopify waits five seconds and
# Stripe not much longer, so whoever needs more than this has given up, or is none of them.
SECONDS = 10.0
# Of a client whose connection ends: so long it may take to read the answer, and so much of what
# it still sends is read.
PARTING_SECONDS = 2.0
PARTING_BYTES = 1_000_000
# What has come of all bodies that are not answered, of one process; who brings more is to come
# again. Long ones may take half of it.
ROOM_BYTES = 64 * 1024 * 1024
# A body up to this size is verified between two other requests; a longer one gets a thread.
SMALL_BYTES = 256 * 1024
# What is not a webhook: a form at most.
FORM_BYTES = 100_000
STEP_BYTES = 64 * 1024

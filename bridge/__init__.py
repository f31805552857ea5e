"""The bridge: signed webhooks in, exact events at Heap out."""

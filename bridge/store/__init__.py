"""What is kept: webhooks as they came, orders, Heap events. One code for both databases."""

from bridge.store.engine import Store

__all__ = ["Store"]

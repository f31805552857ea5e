"""A local Heap that enforces Heap's documented rules."""

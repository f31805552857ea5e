"""What the bridge knows of Heap: its events, its API, its limits, and a local stand-in for it."""

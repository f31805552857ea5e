"""What Heap wants: events, keys, identity and attribution. No I/O."""

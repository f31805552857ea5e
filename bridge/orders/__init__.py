"""From the events of one order to what Heap is sent: join, normalize, settle, adjust."""

"""The worker process: loops, watchdog and alerts."""

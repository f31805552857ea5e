"""What `make bench` runs: figures beside the floors they are measured against, in one run."""

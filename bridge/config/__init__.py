"""The environment and bridge.toml, read once; every fault told at once."""

from bridge.config.load import load
from bridge.config.settings import Config, Destination, EventNames, Source

__all__ = ["Config", "Destination", "EventNames", "Source", "load"]

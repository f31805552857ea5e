"""The web process: takes signed webhooks in, and tells whether it can."""

from bridge.web.app import create_app

__all__ = ["create_app"]

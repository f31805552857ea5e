"""HTTP by gunicorn's asgi worker, with the limits it lacks; knows nothing of webhooks."""

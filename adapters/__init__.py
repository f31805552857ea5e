"""Provider knowledge: how webhooks are signed, and what their payloads mean."""

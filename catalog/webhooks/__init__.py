"""Webhooks: every change is told to whoever subscribed, at least once, signed and in time."""

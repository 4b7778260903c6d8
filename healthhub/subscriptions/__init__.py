"""Subscriptions: what changes is matched, numbered and delivered to who asked for it."""

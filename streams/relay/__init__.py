"""Outbox rows to the event and state topics."""

"""Connectors: two-way sync of interactions with external systems."""

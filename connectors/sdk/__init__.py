"""Contract of a provider, and what providers share."""

"""``interactions up``, ``down``, ``env`` and ``status``."""

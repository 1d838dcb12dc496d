"""Runnable examples: small publishers, and a generator of a realistic week of commands."""

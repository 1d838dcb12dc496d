"""Checks of stored rows for the watch role, and the violations that it found."""

"""``interactions dead-letters``: list, show and replay."""

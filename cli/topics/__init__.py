"""``interactions topics`` and ``interactions tail``: topics and their records."""

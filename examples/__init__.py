"""Programs to read and run: small publishers, and a generator of a believable week."""

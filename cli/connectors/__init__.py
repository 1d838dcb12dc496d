"""``interactions connectors``, one file per group of verbs."""

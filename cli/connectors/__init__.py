"""``interactions connectors``: set up, watch and repair integrations. One file per group of verbs."""

"""SQL of the connectors."""

"""A small connector and the service it mirrors to; docs/writing-a-connector.md walks through them."""

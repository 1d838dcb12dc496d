"""Example connector and its service; docs/writing-a-connector.md walks through both."""

"""The contract: every word that crosses a topic, and nothing that does input or output."""

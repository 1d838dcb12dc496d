"""SQL reads of the gateway."""

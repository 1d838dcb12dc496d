"""The connectors role: its process, Kafka edges, webhooks and upkeep."""

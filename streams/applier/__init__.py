"""Commands from Kafka to Postgres, results back."""

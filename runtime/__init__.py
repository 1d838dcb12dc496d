"""Settings, logging, backoff, health and threads; sole owner of Kafka, Postgres and registry clients."""

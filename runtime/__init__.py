"""Plumbing: settings, logs, clock, backoff, and the only makers of Kafka, Postgres and registry clients."""

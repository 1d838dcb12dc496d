"""Embedded Kafka, Postgres and schema registry for one machine: real servers, from package registries."""

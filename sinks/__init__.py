"""Postgres: tables, migrations and the applier's SQL."""

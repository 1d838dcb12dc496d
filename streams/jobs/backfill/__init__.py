"""Backfill: moves the legacy rows into interactions, by commands (spec "Migration plan")."""

"""Reads for people and the gateway: one question a file, always scoped, never a write."""

"""Peers on the same records, each in its documented best configuration (see README.md in this folder)."""

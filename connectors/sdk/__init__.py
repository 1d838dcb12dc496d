"""Connector SDK: the provider interface, the declaration, the conformance suite and shared helpers."""

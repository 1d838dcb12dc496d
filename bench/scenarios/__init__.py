"""Scenarios: each takes one sample in a deployment of its own; they take turns (`bench.rounds`)."""

"""Metrics, one per file: the scenarios they need, and how the figure follows from the samples."""

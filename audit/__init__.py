"""The auditor: check every invariant from topics and tables, read-only and without shared code."""

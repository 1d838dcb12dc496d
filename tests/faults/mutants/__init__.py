"""Mutants: deliberate bugs, one at a time, that the auditor or a test must catch."""

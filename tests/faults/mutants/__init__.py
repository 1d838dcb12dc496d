"""Deliberate bugs, one at a time: what the auditor and the tests must catch to be believed."""

"""Signals and drafts: the auditor's own rules for them, and the checks of their rows and events."""

"""Continuous integrity checks: new journal entries against rows, and all rows in turn."""

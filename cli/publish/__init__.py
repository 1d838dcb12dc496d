"""``interactions publish``: send commands and report the outcome of each."""

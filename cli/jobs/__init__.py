"""Jobs on the command line: list, show, follow and control them."""

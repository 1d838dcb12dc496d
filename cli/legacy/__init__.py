"""``interactions legacy``: bring an existing installation's rows in."""

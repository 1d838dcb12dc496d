"""``interactions doctor``: checks of the machine and of the servers."""

"""``interactions erase``: erase a customer, and search for what remains."""

"""Two-way sync of one integration."""

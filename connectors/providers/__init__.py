"""The providers: one file each, which declares itself and imports the contract alone."""

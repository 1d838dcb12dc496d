"""A local copy of the customers and their interactions in DuckDB, built from the topics alone."""

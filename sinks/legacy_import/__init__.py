"""SQL of the import: reading another installation's database, and writing the frozen legacy tables."""

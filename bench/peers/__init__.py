"""What others do with the same records, each in its documented best configuration (see README.md here)."""

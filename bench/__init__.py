"""Benchmark of the pipeline against Postgres and against peers (`make bench`)."""

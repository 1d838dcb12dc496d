"""Long-running jobs in Postgres: their state, batches, schedules and reports."""

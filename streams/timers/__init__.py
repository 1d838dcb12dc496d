"""Due and overdue marks as commands."""

"""The workshop: commands in, rows and outbox out, outbox to topics."""

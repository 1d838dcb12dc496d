"""The `interactions` command."""

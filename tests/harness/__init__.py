"""Shared test harness for the real pipeline: roles as processes, commands in, records out."""

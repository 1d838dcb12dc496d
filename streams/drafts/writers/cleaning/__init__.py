"""Cleaning of customer text and model text: characters, length, markup and addresses."""

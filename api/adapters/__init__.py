"""Adapters of the deprecated routes: old bodies to commands, views over interactions to old responses."""

"""Removal of the rests of an erased customer that the batch transaction leaves."""

"""What remains of an erased customer after the batch transaction, and its removal."""

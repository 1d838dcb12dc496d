"""Fault injection: the invariants must hold while servers, roles and networks fail."""

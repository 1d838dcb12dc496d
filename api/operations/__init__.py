"""Figures of the running deployment, sampled in the gateway without counting rows."""

"""Moving in at full size: import, backfill under live load and ``kill -9``, parity check; with figures."""

"""``interactions backfill``: move the legacy rows into interactions, check the result, take it back."""

"""Session settings that make Postgres keep one plan per statement."""

from __future__ import annotations

from typing import Final

#: Every statement has one good plan, by index, whatever the size of its arrays. Planning it for each batch
#: costs as much as running it. Hazard: a cached plan may date from when a table, or the month's partition of
#: one, was empty. Left to choose, it would scan the whole table until the next ANALYZE.
KEEP_PLANS: Final = (
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_material = off",
)

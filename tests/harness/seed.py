"""Seed of all randomness in the tests.

``make test`` is deterministic; ``make faults`` and ``make fuzz`` choose a seed and print it.
"""

from __future__ import annotations

import os
from typing import Final

#: Read at import: the servers' fixture removes these variables.
SEED: Final = int(os.environ.get("INTERACTIONS_CHAOS_SEED") or 2026)

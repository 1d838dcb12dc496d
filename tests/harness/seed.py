"""The seed of everything in the tests that is left to chance.

The gate says the same of the same code; ``make faults`` and ``make fuzz`` choose a seed and print it.
"""

from __future__ import annotations

import os
from typing import Final

#: Read at once: the servers' fixture hides these variables from the tests.
SEED: Final = int(os.environ.get("INTERACTIONS_CHAOS_SEED") or 2026)

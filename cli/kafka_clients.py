"""Where the Kafka clients of short commands log: nowhere, because their errors come back in our own words."""

from __future__ import annotations

import logging
from typing import Final

#: A client that cannot connect writes a line for every attempt; a person needs one sentence at the end.
SILENT: Final = logging.getLogger("kafka.silent")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False
